"""Protocols of the objects behind the routes: answers, commands and the operators' check."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from daemon.contracts.task_query import AttentionQuery, TaskQuery
from daemon.contracts.wire.attention import AttentionPage
from daemon.contracts.wire.base import EventLine, Forgotten, LogLine
from daemon.contracts.wire.calibration import (
    AnchorSheet,
    CalibrationMade,
    CalibrationsKept,
    CalibrationUsed,
    CalibrationWanted,
)
from daemon.contracts.wire.canary import CanaryLine
from daemon.contracts.wire.classes import ClassList, ClassShown, ClassWanted, DecisionWanted
from daemon.contracts.wire.review import ReviewPage
from daemon.contracts.wire.status import DaemonStatus, GpuHistory
from daemon.contracts.wire.tasks import RefusedLine, TaskDetail, TaskPage
from daemon.contracts.wire.words import LogSource, Order, PlaceName, Verb
from daemon.core.classes.roster import RosterEntry
from daemon.monitoring.events import Events


class Answers(Protocol):
    """The daemon's answers to questions. Each may raise StoreError."""

    @property
    def events(self) -> Events:
        """The last events."""
        ...

    async def healthy(self) -> None:
        """Return once the database has answered."""
        ...

    async def status(self, *, may_change: bool) -> DaemonStatus:
        """The daemon's status. `may_change` tells the caller whether changes are allowed to them."""
        ...

    async def tasks(self, wanted: TaskQuery) -> TaskPage:
        """A page of tasks."""
        ...

    async def task(self, task_id: int) -> TaskDetail:
        """One task. Raises UnknownTask."""
        ...

    async def refused(self, limit: int) -> list[RefusedLine]:
        """The last refused files, the newest first."""
        ...

    async def results(self, task_id: int) -> list[dict[str, Any]]:
        """The results of a task, oldest first. Raises UnknownTask."""
        ...

    async def stages(self, task_id: int) -> dict[str, Any]:
        """The results of a task's stages so far. Raises UnknownTask."""
        ...

    async def kept_events(self, since: float, until: float, after: int, limit: int) -> list[EventLine]:
        """At most `limit` events from `since` to before `until`, oldest first; only ids above `after`."""
        ...

    async def gpu(self) -> GpuHistory:
        """The GPU's history of the last minutes, and the last phases."""
        ...

    async def logs(self, source: LogSource, task_id: int | None, lines: int) -> list[LogLine]:
        """The last `lines` lines of a log, oldest first. Raises LogUnreadable."""
        ...

    async def metrics(self) -> tuple[bytes, str]:
        """The metrics in Prometheus' text format, and its media type."""
        ...


class LiveAnswers(Answers, Protocol):
    """The answers of a running daemon, which knows its students."""

    async def is_student(self, account: str) -> bool:
        """Whether a student of the database has this name. Raises StoreError."""
        ...


class Commands(Protocol):
    """The requests that change something."""

    async def ask(
        self, verb: Verb, task_id: int, *, extract: bool = False, actor: str | None = None
    ) -> object:
        """Make a request for one task. Raises UnknownTask, IllegalTransition."""
        ...

    async def order(self, order: Order, *, at_once: bool = False, actor: str | None = None) -> None:
        """Pause, resume, drain, or go; `at_once` ends running attempts for a pause. Raises StoreError."""
        ...

    async def canaries(self) -> list[CanaryLine]:
        """What is recorded of the canary, and what differs. Raises StoreError."""
        ...

    async def run_canary(self) -> None:
        """Ask the canary again before the next task of each stage. Raises StoreError."""
        ...

    async def accept_canary(self, actor: str) -> None:
        """Make what drifted the reference. Raises IllegalTransition where nothing did, and StoreError."""
        ...


class ShownWanting(Protocol):
    """The things that want a person, to look at."""

    async def page(self, wanted: AttentionQuery) -> AttentionPage:
        """A page of them. Raises StoreError."""
        ...


class Wanting(ShownWanting, Protocol):
    """The things that want a person."""

    async def acknowledge(self, key: str, actor: str) -> None:
        """Record that a person has seen one. Raises UnknownTask, IllegalTransition, StoreError."""
        ...


class Accept(Protocol):
    """Accepts the folder that is now at a place."""

    async def __call__(self, name: PlaceName, actor: str | None = None) -> None:
        """Make that folder the known one. Raises PlaceError when there is none, and StoreError."""
        ...


class Forget(Protocol):
    """Deletes a student."""

    async def __call__(self, student: str, actor: str | None = None) -> Forgotten:
        """Delete everything of a student. Raises UnknownStudent; IllegalTransition while a task is open."""
        ...


class AcceptRater(Protocol):
    """Takes a rater for grades in spite of its fairness card."""

    async def __call__(self, card: str, by: str, reason: str, actor: str) -> object:
        """Record it; `card` is the begin of a card's identity. Raises IllegalTransition when there is no such
        card, or nothing to accept; StoreError.
        """
        ...


class Calibrating(Protocol):
    """Calibrates ratings by people's scores."""

    async def tasks(self, name: str) -> AnchorSheet:
        """The tasks of a class to score. Raises UnknownClass, StoreError."""
        ...

    async def kept(self) -> CalibrationsKept:
        """All calibrations, and the one in use. Raises StoreError, IllegalTransition."""
        ...

    async def make(self, wanted: CalibrationWanted, actor: str | None) -> CalibrationMade:
        """Make a calibration. Raises UnknownClass, UnknownTask, IllegalTransition, StoreError."""
        ...

    async def apply(self, number: int, actor: str | None) -> CalibrationUsed:
        """Use one from now on. Raises IllegalTransition, StoreError."""
        ...

    async def remove(self, actor: str | None) -> CalibrationUsed:
        """Use none from now on. Raises IllegalTransition, StoreError."""
        ...


class Schooling(Protocol):
    """Opens and closes classes, and records decisions. Each may raise StoreError."""

    async def every(self) -> ClassList:
        """All classes."""
        ...

    async def show(self, name: str) -> ClassShown:
        """A class with its students. Raises UnknownClass."""
        ...

    async def review(self, name: str, *, every: bool, offset: int, limit: int) -> ReviewPage:
        """Results to decide on, or with `every` all of a class, most doubtful first. Raises UnknownClass."""
        ...

    async def open(self, wanted: ClassWanted, actor: str | None) -> ClassShown:
        """Open a class. Raises IllegalTransition."""
        ...

    async def close(self, actor: str | None) -> ClassShown:
        """Close the open class. Raises IllegalTransition."""
        ...

    async def set_roster(self, name: str, entries: list[RosterEntry], actor: str | None) -> ClassShown:
        """Replace a roster. Raises UnknownClass, IllegalTransition."""
        ...

    async def deadline(self, at: float | None, actor: str | None) -> None:
        """Set the deadline, in seconds since the epoch; None for none."""
        ...

    async def release(self, name: str, actor: str | None) -> ClassShown:
        """Accept what only the rule of release holds back. Raises UnknownClass."""
        ...

    async def decide(self, task_id: int, wanted: DecisionWanted, actor: str | None) -> None:
        """Record a decision. Raises UnknownTask, IllegalTransition."""
        ...

    async def take_back(self, task_id: int, actor: str | None) -> None:
        """Undo the decisions on a result. Raises UnknownTask, IllegalTransition."""
        ...


class Lenders(Protocol):
    """The machines that lend their GPU."""

    async def drain(self, name: str, *, on: bool, actor: str) -> None:
        """Give a machine no more work, or again. Raises IllegalTransition for an unknown one, StoreError."""
        ...


class Operators(Protocol):
    """The check of who may change things."""

    def __call__(self, uid: int, /) -> bool:
        """Whether the user with this id may."""
        ...


@dataclass(frozen=True, slots=True)
class Controls:
    """What changes things. `operators` may; nobody while the daemon is `stopping`."""

    commands: Commands
    wanting: Wanting
    accept: Accept
    forget: Forget
    accept_rater: AcceptRater
    calibrations: Calibrating
    classes: Schooling
    lenders: Lenders
    operators: Operators
    stopping: Callable[[], bool]
