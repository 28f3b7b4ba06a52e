"""The contracts between the shell and the outside: protocols. What crosses is in `daemon.contracts.values`.

The node is the one seam to the engines. Its three work methods are asynchronous streams that give
exactly one outcome a task; they never raise for a bad attempt, which is a `Failed` outcome.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import ParamSpec, Protocol, TypeVar

from daemon.contracts.values import (
    Birth,
    Born,
    Change,
    Claim,
    ClaimStep,
    Decoded,
    Document,
    ExtractWork,
    Ledger,
    NodeState,
    OnProgress,
    Orders,
    Probe,
    RateWork,
    StageOutcome,
    SttWork,
)
from daemon.contracts.wire.status import EngineReport
from daemon.core.errors import Fault
from daemon.core.schedule.decision import Decision, Policy, View
from daemon.core.schedule.phase_state import Group
from daemon.core.tasks.task import Stage, Task

P = ParamSpec("P")
R = TypeVar("R")


class OnDatabase(Protocol):
    """Runs a function on the one database thread."""

    def __call__(self, call: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Awaitable[R]:
        """Await what `call` returns; raises what it raises."""
        ...


class Engine(Protocol):
    """What does one stage. Started and stopped with its group, by the node alone."""

    stage: Stage

    @property
    def alive(self) -> bool:
        """Whether the engine's child or container runs."""
        ...

    def report(self) -> EngineReport:
        """The engine as the operator sees it."""
        ...

    async def start(self) -> None:
        """Bring it up and prove it ready by real work. Raises EngineError, with nothing left running."""
        ...

    async def stop(self) -> None:
        """End it, also one that an earlier daemon left. Returns once it is gone; else EngineError."""
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
    """Stands between the stop of one group and the start of the next."""

    async def measure(self) -> None:
        """Take down what is used before the stop, so that what comes free is known."""
        ...

    async def clear(self, group: Group) -> Ledger:
        """Return once there is measured room for these engines, which are about to start.

        Never goes on regardless: it waits, and says in an alarm who holds the memory. Without a GPU it
        returns at once.
        """
        ...


class Node(Protocol):
    """One GPU with its engines."""

    async def observe(self) -> NodeState:
        """Which group is loaded and alive now. A group with a dead engine is not loaded."""
        ...

    def reports(self) -> list[EngineReport]:
        """Each engine as the operator sees it, in the order of the stages."""
        ...

    async def ensure(self, group: Group | None, *, fresh: bool = False) -> Ledger:
        """Make `group` the one that is loaded, and verify that all others are gone first.

        None stops everything. `fresh` restarts engines that run already. Raises EngineError.
        """
        ...

    def transcribe(self, tasks: Sequence[SttWork]) -> AsyncIterator[StageOutcome]:
        """One outcome for each."""
        ...

    def extract(self, tasks: Sequence[ExtractWork]) -> AsyncIterator[StageOutcome]:
        """One outcome for each."""
        ...

    def rate(self, tasks: Sequence[RateWork]) -> AsyncIterator[StageOutcome]:
        """One outcome for each."""
        ...

    async def aclose(self) -> None:
        """Stop everything and free what is held."""
        ...


class Media(Protocol):
    """Reads what students sent, in a child with limits. A bad file is a Fault, never an exception."""

    async def probe(self, path: Path) -> Probe | Fault:
        """Look at the container: a few milliseconds, no decoding."""
        ...

    async def decode(self, path: Path, pcm: Path) -> Decoded | Fault:
        """Decode the speech into `pcm`, which appears whole or not at all."""
        ...

    async def aclose(self) -> None:
        """End the children."""
        ...


class Store(Protocol):
    """The database. Every method is one short transaction, called on the one database thread.

    Raises StoreError when the database can't be used; then nothing was changed.
    """

    def add_claims(self, claims: Sequence[Claim]) -> None:
        """Make the claims durable, at step SEEN."""
        ...

    def step_claims(self, ids: Sequence[str], step: ClaimStep) -> None:
        """Record how far the claims have come."""
        ...

    def open_claims(self) -> list[Claim]:
        """The claims that are not DONE or LOST, oldest first: what a crash left."""
        ...

    def closed_claims(self, ids: Sequence[str]) -> list[Claim]:
        """Those of at most 400 claims that are DONE or LOST."""
        ...

    def create_tasks(self, births: Sequence[Birth], now: float) -> list[Born]:
        """Turn spooled claims into tasks, with users, history, receipts and the claims' last step."""
        ...

    def refuse(self, refusals: Sequence[tuple[Claim, Document]]) -> None:
        """Close the claims of refused files, with the reasons that go to the outbox."""
        ...

    def commit(self, changes: Sequence[Change]) -> None:
        """Commit transitions, their payloads and history; freeze the result of each that is final."""
        ...

    def open_tasks(self) -> list[Task]:
        """Every task that is not final."""
        ...

    def undelivered(self, limit: int, after_id: int = 0) -> list[Document]:
        """Frozen documents above `after_id` that are not durable in the outbox yet, oldest first."""
        ...

    def delivered(self, ids: Sequence[int], now: float) -> None:
        """Record that documents are durable in the outbox."""
        ...


class SupervisorSource(Protocol):
    """The supervisor, as observers and the forecast see it. All of it is cheap to ask."""

    @property
    def view(self) -> View:
        """All that the next decision depends on: the open tasks, the phase state, the orders."""
        ...

    @property
    def decision(self) -> Decision:
        """What was decided last, and why."""
        ...

    @property
    def policy(self) -> Policy:
        """What it decides by."""
        ...

    @property
    def orders(self) -> Orders:
        """What the operator ordered for the whole daemon."""
        ...

    @property
    def started(self) -> Mapping[int, float]:
        """When each attempt under way began, by task id, in seconds since the epoch."""
        ...

    @property
    def turns(self) -> int:
        """How many times it has decided."""
        ...
