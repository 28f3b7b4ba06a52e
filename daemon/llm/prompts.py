"""The prompts: versioned Jinja2 templates, ours or those in a folder of the lab.

A template is named `<name>.v<number>.j2`. The part that all students share stands first in it, so that the
server can cache it; the transcript stands last, delimited, before one fixed line. Its variables are in
`template_check.VARIABLES`.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2

from daemon.core.content.levels import LEVELS_IN_WORDS
from daemon.core.errors import ConfigError, EngineError
from daemon.llm.template_check import (
    DELIVERY,
    HELLO,
    NO_FORM,
    RAISED,
    SCORES,
    VARIABLES,
    PromptName,
    faults,
    make,
    told,
)

NAMES: tuple[PromptName, ...] = ("extract", "rate")
OURS = Path(__file__).parent / "templates"

_FILE = re.compile(r"(?P<name>[a-z]+)\.v(?P<version>0|[1-9]\d*)\.j2")
_ABSENT = {"levels": LEVELS_IN_WORDS, "question": "confidence", "profile": NO_FORM, "to_the_grader": False}


@dataclass(frozen=True, slots=True)
class Prompt:
    """One template. `sha256` is that of its file, `version` the number in its name, `names` its variables."""

    name: PromptName
    version: str
    sha256: str
    names: frozenset[str]
    source: str
    path: Path
    template: jinja2.Template = field(compare=False)

    @property
    def title(self) -> str:
        """The name with its version, as in a result."""
        return f"{self.name}.{self.version}"

    def chars(self, form_chars: int) -> int:
        """The characters of a prompt beside its transcript, with a form of so many.

        Only values that the check has tried are rendered, so that this cannot fail.
        """
        asked = [{"to_the_grader": True}] if "to_the_grader" in self.names else []
        last = {"question": "feedback", "speaking": DELIVERY, "scores": SCORES}
        longest = max(len(self.render(HELLO, **last, **each)) for each in ({}, *asked))
        return longest + (form_chars if "profile" in self.names else 0)

    def render(self, transcript: str, **values: Any) -> str:
        """The prompt for one student; variables that are not given say that there is nothing.

        Raises EngineError where the template fails on these words, which no check can rule out.
        """
        known = {name: _ABSENT.get(name) for name in VARIABLES[self.name]}
        try:
            return self.template.render({**known, **values, "transcript": transcript}).strip()
        except RAISED as exc:
            raise EngineError(f"{self.path} fails on a student's words, {told(exc)}; correct it") from exc


def load_prompt(name: PromptName, folder: Path | None = None) -> Prompt:
    """The newest template of this name in `folder`, or ours where the folder has none.

    Raises ConfigError, with a line for each fault, when the folder or the template can't be used.
    """
    path = template_file(name, folder)
    try:
        content = path.read_bytes()
        source = content.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{path} can't be read, so no prompt can be made: {exc}") from exc
    if found := faults(name, source):
        raise ConfigError("\n".join(f"{path}, {fault}" for fault in found))
    template, names = make(source)
    sha256 = hashlib.sha256(content).hexdigest()
    return Prompt(name, f"v{_version(path)}", sha256, names, source, path, template)


def load_prompts(folder: Path | None) -> Mapping[PromptName, Prompt]:
    """Both prompts. Raises ConfigError with the faults of both."""
    found: dict[PromptName, Prompt] = {}
    wrong: dict[str, None] = {}
    for name in NAMES:
        try:
            found[name] = load_prompt(name, folder)
        except ConfigError as exc:
            wrong[str(exc)] = None
    if wrong:
        raise ConfigError("\n".join(wrong))
    return found


def template_file(name: PromptName, folder: Path | None) -> Path:
    """The newest file of this name. Raises ConfigError."""
    path = None
    if folder is not None:
        try:
            path = _newest(name, folder)
        except NotADirectoryError as exc:
            raise ConfigError(f"{folder} is no folder of templates; correct prompts.folder") from exc
        except OSError as exc:
            raise ConfigError(f"the templates in {folder} can't be read: {exc.strerror}") from exc
    path = path or _newest(name, OURS)
    if path is None:
        raise ConfigError(f"there is no template {name}.v1.j2 in {OURS}; install the package again")
    return path


def unread(folder: Path) -> list[str]:
    """A line for each file of a lab's folder that looks like a template and is not used. Raises OSError."""
    lines = []
    used = {name: _newest(name, folder) for name in NAMES}
    for path in sorted(folder.iterdir()):
        match = _FILE.fullmatch(path.name)
        newest = next((file for name, file in used.items() if match and match["name"] == name), None)
        if newest is not None and newest != path:
            lines.append(f"{path.name} is not used, since {newest.name} is newer")
        elif newest is None and path.suffix in (".j2", ".jinja", ".jinja2", ".txt", ".md"):
            lines.append(f"{path.name} is not used; a template is named rate.v1.j2 or extract.v1.j2")
    return lines


def _newest(name: str, folder: Path) -> Path | None:
    """The file with the highest version. Raises OSError, which `glob` would hide."""
    named = [path for path in folder.iterdir() if (m := _FILE.fullmatch(path.name)) and m["name"] == name]
    return max(named, key=_version, default=None)


def _version(path: Path) -> int:
    match = _FILE.fullmatch(path.name)
    return int(match["version"]) if match else 0
