"""The operator's own settings: which keys do what."""

import os
from collections.abc import Collection
from pathlib import Path


class SettingsError(Exception):
    """The file of settings says what can't be; the message is one line that says what to do."""


def settings_file() -> Path:
    """Where the settings of the one who looks are."""
    config = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(config) / "introeval" / "tui.toml"


def read_keys(file: Path, known: Collection[str]) -> dict[str, str]:
    """The table `[keys]`: what to do, by its id, and the keys for it. Raises SettingsError."""
    import tomllib
    from difflib import get_close_matches

    try:
        said = tomllib.loads(file.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise SettingsError(f"{file} can't be read: {exc}") from exc
    keys = said.pop("keys", {})
    if said:
        raise SettingsError(f"{file}: there is no {', '.join(said)}; only the table [keys]")
    if not isinstance(keys, dict):
        raise SettingsError(f"{file}: keys is to be a table: [keys]")
    for name, value in keys.items():
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise SettingsError(f"{file}: nothing is called {name}{hint}")
        if not isinstance(value, str) or not value:
            raise SettingsError(f'{file}: the keys of {name} are to be a text such as "x,ctrl+x"')
    return keys
