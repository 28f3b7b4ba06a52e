"""The operator's own settings: which keys do what."""

import tomllib
from collections.abc import Collection
from difflib import get_close_matches
from pathlib import Path

from introeval_tui.start import SettingsError


def read_keys(file: Path, known: Collection[str]) -> dict[str, str]:
    """The table `[keys]`: the id of what to do, and the keys for it, apart by commas.

    Empty where there is no file. Raises SettingsError.
    """
    try:
        said = tomllib.loads(file.read_text())
    except FileNotFoundError:
        return {}
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
            raise SettingsError(f"{file}: nothing is called {name}" + (f"; did you mean {near[0]}?" if near else ""))
        if not isinstance(value, str) or not value:
            raise SettingsError(f'{file}: the keys of {name} are to be a text such as "x,ctrl+x"')
    return keys
