"""A simulated lab: what outlives the daemon's process. Plain values, which are handed from life to life."""

import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.torture.days.clock import Clock

Run = tuple[int, int, str]
"""A task, its revision, and a stage."""


@dataclass
class Upload:
    """A file that somebody hands in. `kind` says what is special about it; `at` is when it was whole."""

    number: int
    path: str  # below the inbox
    content: bytes
    kind: str = "good"
    at: float | None = None


@dataclass(frozen=True)
class Moment:
    """Something that happens at a time: an upload, an order, a kill."""

    at: float
    what: str
    about: Any = None


@dataclass(frozen=True)
class Finding:
    """A broken promise: its kind (lost, doubled, repeated, left over, hung, other), and what was seen."""

    kind: str
    told: str


@dataclass
class Lab:
    """Its folders, its clock, what is to happen, and what has been seen from outside."""

    seed: int
    folder: Path
    clock: Clock
    settings: dict[str, Any] = field(default_factory=dict)
    agenda: list[Moment] = field(default_factory=list)  # in order of time
    uploads: list[Upload] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    published: dict[str, str] = field(default_factory=dict)  # SHA-256 of each file of the outbox, by name
    taken: dict[str, bool] = field(default_factory=dict)  # names, and whether the daemon knew them delivered
    faults: dict[Run, list[str]] = field(default_factory=dict)  # with which attempts ended
    away: set[str] = field(default_factory=set)  # shares
    sick: dict[str, float] = field(default_factory=dict)  # until when engines of a stage fail
    disk_slow_until: float = 0.0
    disk_full_until: float = 0.0
    alive: set[str] = field(default_factory=set)  # engines, as the process table has them
    outlive: bool = False  # engines outlive a daemon that is killed, as containers do
    calm: bool = False  # it is evening: nothing goes wrong any more
    forgot: bool = False  # its database was lost, and with it who has which result
    kill_in: int | None = None  # steps of the daemon until it is killed
    born: int = 0
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def inbox(self) -> Path:
        return self.folder / "inbox"

    @property
    def outbox(self) -> Path:
        return self.folder / "outbox"

    @property
    def state(self) -> Path:
        return self.folder / "var"

    def log(self, line: str) -> None:
        self.lines.append(f"{self.clock.now:12.4f} {line.replace(str(self.folder), '')}")

    def count(self, what: str, more: int = 1) -> None:
        self.counts[what] = self.counts.get(what, 0) + more

    def find(self, kind: str, told: str) -> None:
        self.log(f"FOUND {kind}: {told}")
        self.findings.append(Finding(kind, told))

    def chance(self, *about: object) -> random.Random:
        """Dice for one thing, which depend on nothing else that happens."""
        return random.Random(f"{self.seed}/{about}")
