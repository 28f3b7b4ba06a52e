"""What the scheduler decides on, and what it decides: the values of `daemon.core.schedule.scheduler`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from daemon.core.tasks.task import Stage, Task

Group = frozenset[Stage]
NOTHING: Group = frozenset()
"""Stands in `View.rests` for stopping everything, which can fail as a start can."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator configured, resolved to numbers."""

    residency: tuple[Group, ...]
    parallel: Mapping[Stage, int]
    batch_size: int
    remainder_goes_along: bool = True
    max_wait_s: float = 30.0

    def group_of(self, stage: Stage) -> Group:
        """The group in which a stage's engine is loaded."""
        return next(group for group in self.residency if stage in group)

    def has_batches(self, group: Group | None) -> bool:
        """Whether `group` does stt in batches: only where there is another group to go on to."""
        return group is not None and Stage.STT in group and len(self.residency) > 1


@dataclass(frozen=True, slots=True)
class Batch:
    """The running batch. `taken` are the ids of the tasks that were started in it.

    It begins when a group that has batches is loaded and none runs, or with OpenBatch. It ends with
    the next OpenBatch, or when another group, or nothing, is to be loaded; a restart of its own
    engine, or that engine's death, does not end it.
    """

    id: int
    taken: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class View:
    """All that a decision may depend on. Times are seconds since the epoch.

    `tasks` are all open ones. `group` is what is verified loaded, None also while an engine of it is
    dead; `alive`, the engines that run although their group is not loaded; `last_group`, what was
    asked for last, where the cycle goes on. `fresh` says that nothing ran on the group since it was
    proven; `rests`, until when a group has no work because its engine failed; `switch_s`, the
    measured cost of one switch. `rerated` are the ids of the new ratings of old tasks that were
    started since stt was loaded last.
    """

    now: float
    tasks: Sequence[Task]
    group: Group | None
    fresh: bool = False
    switching: bool = False
    paused: bool = False
    draining: bool = False
    go_at: float = 0.0
    last_claim_at: float = 0.0
    switch_s: float = 0.0
    batch: Batch | None = None
    rests: Mapping[Group, float] = field(default_factory=dict)
    alive: frozenset[Stage] = frozenset()
    last_group: Group | None = None
    rerated: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Release:
    """Put a pending task back to waiting."""

    task: Task


@dataclass(frozen=True, slots=True)
class Admit:
    """Make a waiting task pending in the running batch or eval phase."""

    task: Task


@dataclass(frozen=True, slots=True)
class Start:
    """Begin an attempt at the task's stage. In the same decision its Admit, if any, comes before."""

    task: Task


@dataclass(frozen=True, slots=True)
class OpenBatch:
    """Close the running batch and begin the next, without a switch."""


@dataclass(frozen=True, slots=True)
class Switch:
    """Load `group`, or stop everything when it is None. `fresh` restarts what runs."""

    group: Group | None
    fresh: bool = False


Action = Release | Admit | Start | OpenBatch | Switch


class Why(StrEnum):
    """What the scheduler does or waits for, for the operator."""

    IDLE = "nothing to do"
    SWITCHING = "switching"
    PAUSED = "paused by the operator"
    WORKING = "working"
    LINGERING = "waiting for more uploads before leaving stt"
    BACKOFF = "waiting to try again after an error"
    NEXT_BATCH = "the next batch begins"
    NEXT_GROUP = "the next group has work"
    PROBATION = "a fresh engine for a task under suspicion"


@dataclass(frozen=True, slots=True)
class Decision:
    """The actions in their order, why, and when to decide again at the latest."""

    actions: tuple[Action, ...]
    why: Why
    wake_at: float | None = None
