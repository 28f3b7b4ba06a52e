"""The operator's own settings: the keys."""

import os
from collections.abc import Collection
from pathlib import Path


class SettingsError(Exception):
    """The settings file is not valid; the message is one line that says what to do."""


def settings_file() -> Path:
    """The path of the current user's settings."""
    config = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(config) / "introeval" / "tui.toml"


def read_keys(file: Path, known: Collection[str]) -> dict[str, str]:
    """The table `[keys]`: the keys by the id of the action. Raises SettingsError for ids not in `known`."""
    import tomllib
    from difflib import get_close_matches

    try:
        said = tomllib.loads(file.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise SettingsError(f"{file} cannot be read: {exc}; fix or remove it") from exc
    keys = said.pop("keys", {})
    if said:
        raise SettingsError(f"{file}: unknown {', '.join(said)}; use only the table [keys]")
    if not isinstance(keys, dict):
        raise SettingsError(f"{file}: keys must be a table; write: [keys]")
    for name, value in keys.items():
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise SettingsError(f"{file}: there is no action {name}{hint}")
        if not isinstance(value, str) or not value:
            raise SettingsError(f'{file}: the keys of {name} must be a text such as "x,ctrl+x"')
    return keys
