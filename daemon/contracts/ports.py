"""The protocols between the shell and the outside. Their values are in `daemon.contracts.values`.

The node is the one seam to the engines. Its three work methods are asynchronous streams that give
exactly one outcome a task; they never raise for a bad attempt, which is a `Failed` outcome.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from daemon.contracts.ledger import Ledger
from daemon.contracts.values import (
    Decoded,
    ExtractWork,
    NodePlan,
    NodeState,
    OnProgress,
    Orders,
    Probe,
    Provenance,
    RateWork,
    StageOutcome,
    SttWork,
)
from daemon.contracts.wire.status import EngineReport
from daemon.core.errors import Fault
from daemon.core.intake.package import Member
from daemon.core.schedule.decision import Decision, Policy, View
from daemon.core.schedule.phase_state import Group
from daemon.core.tasks.task import Stage


class Engine(Protocol):
    """The engine of one stage. Started and stopped with its group, by the node alone."""

    stage: Stage

    @property
    def alive(self) -> bool:
        """Whether the engine's child or container runs."""
        ...

    def report(self) -> EngineReport:
        """The engine as the operator sees it."""
        ...

    def identity(self) -> Provenance:
        """What an answer depends on beside the words; empty where nothing is known.

        Before a start the model's part is missing.
        """
        ...

    async def start(self) -> None:
        """Start the engine and prove it ready by real work. Raises EngineError, with nothing left running."""
        ...

    async def stop(self) -> None:
        """Stop the engine, also one that an earlier daemon left. Raises EngineError unless it is gone."""
        ...


class Transcriber(Engine, Protocol):
    """The Whisper engine."""

    async def transcribe(self, work: SttWork, progress: OnProgress) -> StageOutcome:
        """Transcribe one video: a Transcribed, an Unscorable or a Failed."""
        ...


class Extractor(Engine, Protocol):
    """The engine that reads the form."""

    async def extract(self, work: ExtractWork, progress: OnProgress) -> StageOutcome:
        """Read the form: an Extracted or a Failed."""
        ...


class Rater(Engine, Protocol):
    """The engine that rates."""

    async def rate(self, work: RateWork, progress: OnProgress) -> StageOutcome:
        """Rate the introduction: a Rated or a Failed."""
        ...


class MemoryGuard(Protocol):
    """The wait for free GPU memory between the stop of one group and the start of the next."""

    async def measure(self) -> None:
        """Record the memory in use before the stop; `clear` compares with it to find what came free."""
        ...

    async def clear(self, group: Group) -> Ledger:
        """Return once there is measured room for the engines of `group`, which are about to start.

        Waits without limit, with an alarm that names who holds the memory: a start without room would fail
        halfway. Without a GPU it returns at once.
        """
        ...


class Node(Protocol):
    """One GPU with its engines."""

    async def observe(self) -> NodeState:
        """The group that is loaded and the engines alive now. A group with a dead engine is not loaded."""
        ...

    def reports(self) -> list[EngineReport]:
        """Each engine as the operator sees it, in the order of the stages."""
        ...

    def identity(self, stage: Stage) -> Provenance:
        """The identity of a stage's engine, as in `Engine`."""
        ...

    async def ensure(self, group: Group | None, *, fresh: bool = False) -> Ledger:
        """Load `group`, after verifying that all other groups are gone. Raises EngineError.

        None stops everything. `fresh` restarts engines that run already.
        """
        ...

    def transcribe(self, tasks: Sequence[SttWork]) -> AsyncIterator[StageOutcome]:
        """Transcribe: one outcome for each task, in any order."""
        ...

    def extract(self, tasks: Sequence[ExtractWork]) -> AsyncIterator[StageOutcome]:
        """Read the forms: one outcome for each task, in any order."""
        ...

    def rate(self, tasks: Sequence[RateWork]) -> AsyncIterator[StageOutcome]:
        """Rate: one outcome for each task, in any order."""
        ...

    async def aclose(self) -> None:
        """Stop everything and free what is held."""
        ...


class Lender(Node, Protocol):
    """A node of another machine."""

    @property
    def plan(self) -> NodePlan | None:
        """The plan by its own card; None: it goes by this machine's."""
        ...


class Media(Protocol):
    """Reads what students sent, in a child with limits. A bad file is a Fault, never an exception.

    `account` is who handed the video in: the videos of one keep those of no other waiting.
    """

    async def probe(self, path: Path, account: str | None = None) -> Probe | Fault:
        """Look at the container: a few milliseconds, no decoding."""
        ...

    async def decode(self, path: Path, pcm: Path, account: str | None = None) -> Decoded | Fault:
        """Decode the speech into `pcm`, which appears whole or not at all."""
        ...

    async def aclose(self) -> None:
        """End the children."""
        ...


class Package(Protocol):
    """An archive, opened in a child with limits. A bad one is a Fault, never an exception."""

    async def members(self) -> list[Member] | Fault:
        """Its files; one more than a package may have where there are more."""
        ...

    async def unpack(self, member: Member, target: Path) -> Fault | None:
        """Unpack a member into a file, which appears whole and durable, or not at all. Raises OSError."""
        ...


class Packages(Protocol):
    """Opens packages."""

    def open(self, path: Path) -> AbstractAsyncContextManager[Package | Fault]:
        """Open a package; a Fault of the engine where that is not possible now. Raises OSError."""
        ...


class SupervisorSource(Protocol):
    """The supervisor, as observers and the forecast see it. Every property is cheap to read."""

    @property
    def view(self) -> View:
        """All that the next decision depends on: the open tasks, the phase state, the orders."""
        ...

    @property
    def decision(self) -> Decision:
        """The last decision, with its reason."""
        ...

    @property
    def policy(self) -> Policy:
        """The plan and the settings that the scheduler decides by."""
        ...

    @property
    def policies(self) -> Mapping[str, Policy]:
        """That of each node, by its name."""
        ...

    @property
    def orders(self) -> Orders:
        """The operator's orders for the whole daemon."""
        ...

    @property
    def started(self) -> Mapping[int, float]:
        """The start of each running attempt, by task id, in seconds since the epoch."""
        ...

    @property
    def turns(self) -> int:
        """The number of turns made since the start."""
        ...
