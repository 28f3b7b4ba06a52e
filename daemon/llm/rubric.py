"""The rubric that a class is asked with, and what becomes of an edit.

A class is asked with one text: that of its first question. The files are looked at before every question.
An edit is taken up by the next class, by an order to rate again, and by a reload; until then an alarm says
so. An edit that can't be used is never taken up.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.contracts.signal import Signal
from daemon.core.alarms import Trouble, trouble
from daemon.core.errors import ConfigError, two_parts
from daemon.llm.prompts import NAMES, Prompt, load_prompt, load_prompts, template_file
from daemon.llm.template_check import PromptName

if TYPE_CHECKING:  # `introeval rubric` waits for every import
    from daemon.contracts.values import OnAlarm

ALARM = "rubric"
"""The code of the alarm for an edit that is not in use."""

_Stamp = tuple[Path, Sequence[int]]


def _unheard(code: str, trouble: Trouble | None) -> None:
    """Ignore an alarm."""


class Rubric:
    """Both prompts as they are asked now. Raises ConfigError when the files can't be used at the start.

    `changed` signals that an edit was taken up.
    """

    def __init__(self, folder: Path | None = None, on_alarm: "OnAlarm" = _unheard) -> None:
        self._folder = self._configured = self._next = folder
        self._on_alarm = on_alarm
        self.changed = Signal[[]]()
        self._stamps = {name: _stamp(name, folder) for name in NAMES}  # before the content, which may change
        self._asked: dict[PromptName, Prompt] = dict(load_prompts(folder))
        self._files: dict[PromptName, Prompt | ConfigError] = dict(self._asked)
        self._fixed: set[PromptName] = set()  # of which the class was asked a question

    def text(self, name: PromptName, *, asking: bool = False) -> Prompt:
        """The prompt by which a question is asked now. With `asking` the class keeps it from now on."""
        file = self._look(name)
        if name not in self._fixed and isinstance(file, Prompt) and file != self._asked[name]:
            self._asked[name] = file
            self.changed()
        if asking:
            self._fixed.add(name)
        self._tell()
        return self._asked[name]

    @property
    def digests(self) -> dict[str, str]:
        """The SHA-256 of each template that is asked with now, by its name."""
        return {name: prompt.sha256 for name, prompt in self._asked.items()}

    def check(self) -> None:
        """Look at the files. Raises ConfigError when one can't be used."""
        files = [self._look(name) for name in NAMES]
        self._tell()
        if wrong := [file for file in files if isinstance(file, ConfigError)]:
            why = str(wrong[0]).partition("\n")[0]
            raise ConfigError(f"nothing is rated again, since the rubric can't be used: {why}")

    def renew(self) -> list[Prompt]:
        """Take up the files that can be used. Gives the prompts that differ from those before."""
        before = dict(self._asked)
        self._fixed.clear()
        return [now for name in NAMES if (now := self.text(name)).sha256 != before[name].sha256]

    def release(self, name: str) -> None:
        """Let the next question be asked with the file as it is then."""
        self._fixed = {each for each in self._fixed if each != name}
        self._tell()

    def choose(self, folder: Path | None) -> None:
        """Ask the next class by the files of this folder; None: of the configured one. Raises ConfigError."""
        chosen = self._configured if folder is None else folder
        load_prompts(chosen)
        self._next = chosen

    def end_class(self) -> None:
        """Let the next class be asked with the files as they are then."""
        self._folder = self._next
        self._fixed.clear()
        self._tell()

    def _look(self, name: PromptName) -> Prompt | ConfigError:
        """The file's prompt; it is read only when its place, times, size or inode changed."""
        try:
            stamp = _stamp(name, self._folder)
            if stamp != self._stamps[name] or isinstance(self._files[name], ConfigError):
                self._files[name] = load_prompt(name, self._folder)
                self._stamps[name] = stamp
        except ConfigError as exc:
            self._files[name] = exc
        return self._files[name]

    def _tell(self) -> None:
        """Raise the alarm for an edit that is not in use, or clear it."""
        told = [each for name in NAMES if (each := self._pending(name)) is not None]
        self._on_alarm(ALARM, told[0] if told else None)

    def _pending(self, name: PromptName) -> Trouble | None:
        asked, file = self._asked[name], self._files[name]
        if isinstance(file, ConfigError):
            why, fix = two_parts(str(file).partition("\n")[0])
            told = f"the edited rubric can't be used, so {asked.title} stays as it was before: {why}"
            return trouble(ALARM, told, fix=fix or "fix it, then run: introeval rubric check")
        if name not in self._fixed or file.sha256 == asked.sha256:
            return None
        form = " --extract" if name == "extract" else ""
        fix = f"wait for the next class, or for this one too, run: introeval rate --all{form}"
        return trouble(ALARM, f"the rubric changed ({file.path.name})", fix=fix)


def _stamp(name: PromptName, folder: Path | None) -> _Stamp:
    """The newest file, and what changes with its content. Raises ConfigError."""
    path = template_file(name, folder)
    try:
        at = os.stat(path)
    except OSError as exc:
        raise ConfigError(f"{path} can't be read, so no prompt can be made: {exc}") from exc
    return path, (at.st_dev, at.st_ino, at.st_size, at.st_mtime_ns, at.st_ctime_ns)
