"""The state of the phase: the loaded group, the tasks of its batch, and the health of its engines.

One frozen value and one function, `after(state, event)`. The live daemon and the simulation apply the
same events, so that the forecast and the random tests check the very state that is used; and a recorded
day of events, applied again, gives the same state.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, PlainSerializer

from daemon.core.tasks.lifecycle import backoff_s
from daemon.core.tasks.task import Phase, Stage, Task, phase_of

V = TypeVar("V")

Group = frozenset[Stage]
"""Stages whose engines are loaded together."""
NOTHING: Group = frozenset()
"""Stands in `PhaseState.rests` for stopping everything, which can fail as a start can."""


def _pairs(known: Mapping[Group, float]) -> list[tuple[list[Stage], float]]:
    return [(sorted(group), value) for group, value in known.items()]


def _of_pairs(known: Any) -> Any:
    return known if isinstance(known, Mapping) else {frozenset(group): value for group, value in known}


_AS_PAIRS = (PlainSerializer(_pairs), BeforeValidator(_of_pairs))
"""For JSON, in which a group can't be a key."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The running batch. `taken` are the ids of the tasks that were started in it.

    It begins with the first task that is admitted to stt while none runs. It ends when the scheduler opens
    the next one, or when another group, or nothing, is to be loaded; not when its own engine dies or is
    restarted.
    """

    id: int
    taken: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Extent:
    """The progress of the running batch or phase: `done` tasks of `total`.

    The passes of eval through its groups are one phase: done is what no model waits for.
    """

    phase: Phase
    batch_id: int | None
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class PhaseState:
    """Everything that is remembered of phases. Times are seconds since the epoch.

    `group` is verified loaded, None also while one of its engines is dead; `alive` are engines that run
    although their group is not loaded; `last_group` was requested last, and the cycle goes on from it.
    `since` is when the group was loaded, `switching_since` when the running switch began, `switch_s` the
    duration of one switch. `fresh` says that nothing ran on the group since it was proven. `started` are the
    ids of tasks that were started in the running phase; `rerated`, those of new ratings that were started
    since stt was last loaded. `rests` says until when a group has no work because its engine failed,
    `failures` how often it failed in a row.
    """

    group: Group | None = None
    alive: frozenset[Stage] = frozenset()
    last_group: Group | None = None
    since: float | None = None
    switching_since: float | None = None
    switch_s: float = 0.0
    fresh: bool = False
    batch: Batch | None = None
    started: frozenset[int] = frozenset()
    rerated: frozenset[int] = frozenset()
    rests: Annotated[Mapping[Group, float], *_AS_PAIRS] = field(default_factory=dict)
    failures: Annotated[Mapping[Group, int], *_AS_PAIRS] = field(default_factory=dict)

    @property
    def switching(self) -> bool:
        """Whether a switch runs."""
        return self.switching_since is not None

    @property
    def serving(self) -> Group:
        """The group whose phase it is, also while one of its engines is dead, rests, or is being loaded."""
        group = self.last_group if self.group is None or self.switching else self.group
        return group or NOTHING

    @property
    def phase(self) -> Phase:
        """The phase by its name: stt when no group was requested."""
        group = self.serving
        if not group:
            return Phase.STT
        return phase_of(next(iter(group))) if len(group) == 1 else Phase.EVAL

    def extent(self, tasks: Iterable[Task]) -> Extent:
        """The progress of the batch or, without one, of the phase; `tasks` are all open ones."""
        batch = self.batch
        seen = batch.taken if batch else self.started
        mine = (task for task in tasks if batch is None or task.batch_id == batch.id)
        stages = self.serving | (set(Stage) - {Stage.STT} if self.phase is Phase.EVAL else NOTHING)
        left = {task.id for task in mine if task.stage in stages and not task.held}
        return Extent(self.phase, batch.id if batch else None, len(seen - left), len(seen | left))


@dataclass(frozen=True, slots=True)
class Observed:
    """The node was observed: the group that is verified loaded, and the engines alive."""

    group: Group | None
    alive: frozenset[Stage] = frozenset()


@dataclass(frozen=True, slots=True)
class BatchOpened:
    """A batch begins, with its own id."""

    id: int


@dataclass(frozen=True, slots=True)
class BatchClosed:
    """The running batch ends."""


@dataclass(frozen=True, slots=True)
class AttemptStarted:
    """An attempt at a task's stage begins."""

    task_id: int
    stage: Stage
    revision: int = 1


@dataclass(frozen=True, slots=True)
class SwitchBegun:
    """A switch to a group begins; None stops everything. Reloading the last one continues its phase."""

    group: Group | None
    at: float


@dataclass(frozen=True, slots=True)
class SwitchEnded:
    """The running switch ended after `seconds`; one that failed leaves nothing loaded."""

    group: Group | None
    at: float
    seconds: float
    failed: bool = False


@dataclass(frozen=True, slots=True)
class EngineWorked:
    """An engine of the group gave an outcome."""

    group: Group


@dataclass(frozen=True, slots=True)
class EngineFailed:
    """An engine of the group is to blame. After a death it does not rest: it is restarted at once."""

    group: Group
    at: float
    died: bool = False


@dataclass(frozen=True, slots=True)
class RestsLifted:
    """The obstacle to the engines is gone: no group rests any longer."""


@dataclass(frozen=True, slots=True)
class SwitchPriced:
    """One switch was measured, in seconds."""

    seconds: float


PhaseEvent = (
    Observed
    | BatchOpened
    | BatchClosed
    | AttemptStarted
    | SwitchBegun
    | SwitchEnded
    | EngineWorked
    | EngineFailed
    | RestsLifted
    | SwitchPriced
)


def leaves(state: PhaseState, group: Group | None) -> bool:
    """Whether a switch to `group` ends the phase: it stops everything, or loads another group."""
    return group is None or group != state.last_group


def after(state: PhaseState, event: PhaseEvent) -> PhaseState:
    """The state after an event."""
    match event:
        case Observed(group, alive):
            return replace(state, group=group, alive=alive)
        case BatchOpened(id):
            return replace(state, batch=Batch(id))
        case BatchClosed():
            return replace(state, batch=None)
        case AttemptStarted():
            return _started(state, event)
        case SwitchBegun():
            return _switch_begun(state, event)
        case SwitchEnded():
            return _switch_ended(state, event)
        case EngineWorked(group):
            return replace(
                state, rests=_without(state.rests, group), failures=_without(state.failures, group)
            )
        case EngineFailed(group, at, died):
            return _failed(state, group, at, rests=not died)
        case RestsLifted():
            return replace(state, rests={})
        case SwitchPriced(seconds):
            return replace(state, switch_s=seconds)


def _started(state: PhaseState, event: AttemptStarted) -> PhaseState:
    task = {event.task_id}
    batch, rerated = state.batch, state.rerated
    if event.stage is Stage.STT:
        batch = replace(batch, taken=batch.taken | task) if batch else None
    elif event.revision > 1:
        rerated |= task
    return replace(state, fresh=False, started=state.started | task, batch=batch, rerated=rerated)


def _switch_begun(state: PhaseState, event: SwitchBegun) -> PhaseState:
    if leaves(state, event.group):
        state = replace(state, batch=None, started=frozenset(), since=None)
        if event.group is not None and Stage.STT in event.group:
            state = replace(state, rerated=frozenset())
    return replace(state, last_group=event.group, switching_since=event.at)


def _switch_ended(state: PhaseState, event: SwitchEnded) -> PhaseState:
    state = replace(state, switching_since=None)
    group = event.group or NOTHING
    if event.failed:
        return _failed(state, group, event.at, rests=True)
    return replace(
        state,
        fresh=bool(group),
        since=event.at if group else None,
        switch_s=state.switch_s or (event.seconds if group else 0.0),
        rests=_without(state.rests, group),
    )


def _failed(state: PhaseState, group: Group, at: float, *, rests: bool) -> PhaseState:
    failures = state.failures.get(group, 0) + 1
    state = replace(state, failures={**state.failures, group: failures})
    return replace(state, rests={**state.rests, group: at + backoff_s(failures)}) if rests else state


def _without(known: Mapping[Group, V], group: Group) -> Mapping[Group, V]:
    return {other: value for other, value in known.items() if other != group}
