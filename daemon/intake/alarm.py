"""The alarms of the intake. Each lasts until its cause is fixed."""

import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from daemon.core.alarms import Trouble, trouble
from daemon.core.intake.naming import printable

INTAKE = "intake_"
_NAMED = 20  # at most, of each code


@dataclass(frozen=True, slots=True, order=True)
class IntakeAlarm:
    """A problem of the intake. `path` is printable; without a `fix` it is that of its kind.

    `owner` is the number of the account that owns the file or folder.
    """

    code: str
    path: str
    cause: str
    fix: str = ""
    owner: int = field(default=0, compare=False, kw_only=True)

    @property
    def trouble(self) -> Trouble:
        """The alarm in its three parts."""
        return trouble(f"{INTAKE}{self.code} {self.path}", self.cause, fix=self.fix)


def shown(path: bytes | Path) -> str:
    """A path as printable text, whatever bytes a student put into it."""
    return printable(os.fsdecode(path))


def reason_of(error: OSError) -> str:
    """The system's message, without the raw path that `str(error)` would show."""
    return error.strerror or type(error).__name__


class IntakeAlarms:
    """The present alarms, by their source. `on_change` is called with all of them at each change."""

    def __init__(self, on_change: Callable[[tuple[IntakeAlarm, ...]], None]) -> None:
        self._on_change = on_change
        self._by_source: dict[str, frozenset[IntakeAlarm]] = {}

    @property
    def all(self) -> tuple[IntakeAlarm, ...]:
        """All alarms, each once, sorted."""
        return tuple(sorted(frozenset().union(*self._by_source.values())))

    def put(self, source: str, alarms: Iterable[IntakeAlarm]) -> None:
        """Replace the alarms of a source."""
        before = self.all
        self._by_source[source] = frozenset(alarms)
        if self.all != before:
            self._on_change(self.all)


def named(alarms: Iterable[IntakeAlarm]) -> list[Trouble]:
    """The alarms with code and path: of each code at most 20, and the number of the others.

    Anyone who may write to the inbox can cause any number of them. So the accounts take turns, the first of
    each before the second of any: nobody's files can hide an alarm about another's.
    """
    listed = list(alarms)
    before: Counter[tuple[str, int]] = Counter()
    turns: list[tuple[int, IntakeAlarm]] = []
    for alarm in listed:
        turns.append((before[alarm.code, alarm.owner], alarm))
        before[alarm.code, alarm.owner] += 1
    named: list[Trouble] = []
    more: Counter[str] = Counter()
    for _, alarm in sorted(turns, key=lambda each: each[0]):
        more[alarm.code] += 1
        if more[alarm.code] <= _NAMED:
            named.append(alarm.trouble)
    for code, count in more.items():
        if count > _NAMED:
            told = f"{count - _NAMED} more in the inbox are like these ({code.replace('_', ' ')})"
            fix = "fix those that are named, and these are shown"
            named.append(trouble(f"{INTAKE}{code}", told, fix=fix))
    return named
