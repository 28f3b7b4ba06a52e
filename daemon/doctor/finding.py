"""What a check found: one line, and one more that says how to mend it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is, from good to bad."""

    OK = "ok"
    WARN = "warn"  # it works, and not as it should
    FAIL = "fail"  # the daemon can't do its work


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found about one thing. `mend` says what to do, and is empty when nothing is to be done.

    `details` are lines for who wants to know why, such as the arithmetic of the GPU's memory.
    """

    check: str
    level: Level
    text: str
    mend: str = ""
    details: tuple[str, ...] = ()


def ok(check: str, text: str, details: Sequence[str] = ()) -> Finding:
    """All is well."""
    return Finding(check, Level.OK, text, details=tuple(details))


def warn(check: str, text: str, mend: str, details: Sequence[str] = ()) -> Finding:
    """It works, and not as it should."""
    return Finding(check, Level.WARN, text, mend, tuple(details))


def fail(check: str, text: str, mend: str) -> Finding:
    """The daemon can't do its work."""
    return Finding(check, Level.FAIL, text, mend)


def worst(levels: Sequence[Level]) -> Level:
    """The worst of some levels; ok when there is none."""
    return max(levels, key=list(Level).index, default=Level.OK)


Said = Callable[[Sequence[str]], str | None]
"""Runs a program and gives what it printed; None when it is not there, fails or does not end in time."""
