"""The input and output of a decision: the values of `daemon.core.schedule.scheduler`."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from enum import StrEnum

from daemon.core.schedule.phase_state import Group, PhaseState
from daemon.core.schedule.queue import QueueOrder
from daemon.core.tasks.task import PENDING, RUNNING, Stage, Task


@dataclass(frozen=True, slots=True)
class Policy:
    """The configuration, resolved to numbers."""

    residency: tuple[Group, ...]
    parallel: Mapping[Stage, int]
    batch_size: int
    remainder_goes_along: bool = True
    max_wait_s: float = 30.0
    order: QueueOrder = QueueOrder.FAIR

    def group_of(self, stage: Stage) -> Group:
        """The group in which a stage's engine is loaded."""
        return next(group for group in self.residency if stage in group)

    def has_batches(self, group: Group | None) -> bool:
        """Whether `group` does stt in batches: only where there is another group to go on to."""
        return group is not None and Stage.STT in group and len(self.residency) > 1


LOCAL = "local"
"""The name of the node of this machine, which is always there."""


@dataclass(frozen=True, slots=True)
class View:
    """Everything that a decision may depend on. `tasks` are all open ones; times are epoch seconds.

    `phase` is that of this machine's node, and `others` are those of the other nodes, by their names. `at`
    has the node of each task that is or was in hand, where there are others. `leaving` are nodes that finish
    what they run. `dealt` says that the tasks are those of one node of several, in the order of all tasks.
    """

    now: float
    tasks: Sequence[Task]
    phase: PhaseState = field(default_factory=PhaseState)
    paused: bool = False
    draining: bool = False
    go_at: float = 0.0
    last_claim_at: float = 0.0
    others: Mapping[str, PhaseState] = field(default_factory=dict)
    at: Mapping[int, str] = field(default_factory=dict)
    leaving: Set[str] = frozenset()
    dealt: bool = False

    @property
    def nodes(self) -> Mapping[str, PhaseState]:
        """The phase of each node, by its name."""
        return {LOCAL: self.phase, **self.others}

    def node_of(self, task: Task) -> str | None:
        """The node that has the task in hand, or had it; None where none did, or it is gone."""
        node = self.at.get(task.id, LOCAL if task.status in RUNNING | PENDING else "")
        return node if node == LOCAL or node in self.others else None


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
    """Begin an attempt at the task's stage. Its Admit, if any, comes before it in the same decision."""

    task: Task


@dataclass(frozen=True, slots=True)
class OpenBatch:
    """Close the running batch and begin the next, without a switch."""


@dataclass(frozen=True, slots=True)
class Switch:
    """Load `group`, or stop everything when it is None. `fresh` restarts engines that run."""

    group: Group | None
    fresh: bool = False


Action = Release | Admit | Start | OpenBatch | Switch


class Why(StrEnum):
    """The scheduler's action or wait, in words for the operator."""

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
    """The actions in their order, the reason, and when to decide again at the latest."""

    actions: tuple[Action, ...]
    why: Why
    wake_at: float | None = None
