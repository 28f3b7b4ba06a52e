"""What the intake wants a person to know: it lasts until it is mended."""

import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from daemon.core.intake.naming import printable

_NAMED = 20  # of each kind


@dataclass(frozen=True, slots=True, order=True)
class IntakeAlarm:
    """Something that hinders the intake. `path` is printable, `message` one line with the mend.

    `owner` is the number of the account whose file or folder it is about.
    """

    code: str
    path: str
    message: str
    owner: int = field(default=0, compare=False)


def shown(path: bytes | Path) -> str:
    """A path as a person may read it, whatever bytes a student has put into it."""
    return printable(os.fsdecode(path))


def reason_of(error: OSError) -> str:
    """What the system says, without the raw path that `str(error)` would show."""
    return error.strerror or type(error).__name__


class IntakeAlarms:
    """The alarms that last now, by where they come from. Tells all of them whenever they change."""

    def __init__(self, on_change: Callable[[tuple[IntakeAlarm, ...]], None]) -> None:
        self._on_change = on_change
        self._by_source: dict[str, frozenset[IntakeAlarm]] = {}

    @property
    def all(self) -> tuple[IntakeAlarm, ...]:
        """Every alarm once, sorted."""
        return tuple(sorted(frozenset().union(*self._by_source.values())))

    def put(self, source: str, alarms: Iterable[IntakeAlarm]) -> None:
        """What a source has to say now, instead of what it said before."""
        before = self.all
        self._by_source[source] = frozenset(alarms)
        if self.all != before:
            self._on_change(self.all)


def named(alarms: Iterable[IntakeAlarm]) -> dict[str, str]:
    """Messages by codes of their own: of each kind a few, and how many more there are.

    Anyone who may write into the inbox can bring about any number of them. So the accounts take turns, the
    first of each before the second of any: nobody's files hide what hinders another's.
    """
    listed = list(alarms)
    before: Counter[tuple[str, int]] = Counter()
    turns: list[tuple[int, IntakeAlarm]] = []
    for alarm in listed:
        turns.append((before[alarm.code, alarm.owner], alarm))
        before[alarm.code, alarm.owner] += 1
    messages: dict[str, str] = {}
    more: Counter[str] = Counter()
    for _, alarm in sorted(turns, key=lambda each: each[0]):
        more[alarm.code] += 1
        if more[alarm.code] <= _NAMED:
            messages[f"intake_{alarm.code} {alarm.path}"] = alarm.message
    for code, count in more.items():
        if count > _NAMED:
            told = f"{count - _NAMED} more of the inbox are as these ({code.replace('_', ' ')})"
            messages[f"intake_{code}"] = f"{told}; mend those that are named, and these are shown"
    return messages
