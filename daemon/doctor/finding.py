"""Findings of the checks: what was found, and how to fix it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """The severity of a finding, from good to bad."""

    OK = "ok"
    WARN = "warn"  # it works, but not as it should
    FAIL = "fail"  # the daemon cannot work


@dataclass(frozen=True, slots=True)
class Finding:
    """The finding of one check. `fix` says how to fix the problem; it is empty when there is none.

    `details` are lines with the reasons, such as the arithmetic of the GPU's memory.
    """

    check: str
    level: Level
    text: str
    fix: str = ""
    details: tuple[str, ...] = ()


def ok(check: str, text: str, details: Sequence[str] = ()) -> Finding:
    """A finding without a problem."""
    return Finding(check, Level.OK, text, details=tuple(details))


def warn(check: str, text: str, fix: str, details: Sequence[str] = ()) -> Finding:
    """A finding of something that works, but not as it should."""
    return Finding(check, Level.WARN, text, fix, tuple(details))


def fail(check: str, text: str, fix: str) -> Finding:
    """A finding that keeps the daemon from working."""
    return Finding(check, Level.FAIL, text, fix)


def worst(levels: Sequence[Level]) -> Level:
    """The worst of some levels; ok when there is none."""
    return max(levels, key=list(Level).index, default=Level.OK)


Said = Callable[[Sequence[str]], str | None]
"""Runs a program and returns its output; None when it is missing, fails or does not end in time."""
