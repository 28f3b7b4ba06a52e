"""One key of the configuration file, changed in place: comments and layout stay."""

import json
import re
import tomllib
from collections.abc import Iterator

from daemon.core.errors import ConfigError


def with_key(text: str, section: str, key: str, value: str | None) -> str:
    """The TOML text with `section.key` set, or without it when `value` is None.

    Of the possible edits the first counts that changes this key alone, as a parser sees it. Raises
    ConfigError when there is none.
    """
    wanted = tomllib.loads(text)
    table = wanted.setdefault(section, {})
    if value is None:
        table.pop(key, None)
    else:
        table[key] = value
    if not table:
        wanted.pop(section)
    for edited in _edits(text, section, key, value):
        try:
            found = tomllib.loads(edited)
        except tomllib.TOMLDecodeError:
            continue
        if not found.get(section):
            found.pop(section, None)
        if found == wanted:
            return edited
    raise ConfigError(f"the key {section}.{key} cannot be changed there; edit the file by hand")


def _edits(text: str, section: str, key: str, value: str | None) -> Iterator[str]:
    line = "" if value is None else f"{key} = {json.dumps(value, ensure_ascii=False)}\n"
    yield text  # it may say so already
    end = r"[ \t]*(?:\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*')[ \t]*(?P<more>#.*)?\n?"
    for known in re.finditer(rf"^[ \t]*{key}[ \t]*={end}", text, re.M):
        more = f"{line[:-1]}  {known['more']}\n" if line and known["more"] else line
        yield text[: known.start()] + more + text[known.end() :]
    for known in re.finditer(rf"^[ \t]*{section}[ \t]*\.[ \t]*{key}[ \t]*={end}", text, re.M):
        yield text[: known.start()] + (f"{section}.{line}" if line else "") + text[known.end() :]
    for head in re.finditer(rf"^[ \t]*\[[ \t]*{section}[ \t]*\][^\n]*(?:\n|\Z)", text, re.M):
        started = text[: head.end()]
        yield started + ("" if started.endswith("\n") else "\n") + line + text[head.end() :]
    yield text.rstrip("\n") + ("\n\n" if text.strip() else "") + f"[{section}]\n{line}"
