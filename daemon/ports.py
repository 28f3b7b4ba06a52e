"""The contracts between the shell and the outside: protocols, and the frozen values that cross.

The node is the one seam to the engines. Its three work methods are asynchronous streams that give
exactly one outcome a task; they never raise for a bad attempt, which is a `Failed` outcome.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from daemon.core.document import Evaluation, Flag, Profile, Speaking, Transcript
from daemon.core.errors import Fault
from daemon.core.naming import Refused
from daemon.core.task import Event, Stage, Task
from daemon.wire import EngineReport

Group = frozenset[Stage]
Provenance = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Ticket:
    """Names one try at one stage. An outcome that carries another one than the current is dropped."""

    task_id: int
    revision: int
    attempt: int


@dataclass(frozen=True, slots=True)
class SttWork:
    """A decoded video to transcribe: `pcm` is 16 kHz mono s16le without a header."""

    ticket: Ticket
    pcm: Path
    duration_s: float


@dataclass(frozen=True, slots=True)
class ExtractWork:
    """A transcript to read the form from."""

    ticket: Ticket
    transcript: Transcript


@dataclass(frozen=True, slots=True)
class RateWork:
    """A transcript to rate, with what the audio showed and the form, which may be missing."""

    ticket: Ticket
    transcript: Transcript
    speaking: Speaking
    profile: Profile | None


@dataclass(frozen=True, slots=True)
class Transcribed:
    """Speech was found and written down."""

    ticket: Ticket
    transcript: Transcript
    speaking: Speaking
    flags: tuple[Flag, ...] = ()
    provenance: Provenance = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unscorable:
    """There is nothing to rate. `code` says why, `message` advises what to re-record."""

    ticket: Ticket
    code: str
    message: str
    transcript: Transcript | None = None
    speaking: Speaking | None = None
    provenance: Provenance = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Extracted:
    """The form, or None and a flag when no valid answer came."""

    ticket: Ticket
    profile: Profile | None
    flags: tuple[Flag, ...] = ()
    provenance: Provenance = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rated:
    """The rating, or None and a flag when no valid answer came."""

    ticket: Ticket
    evaluation: Evaluation | None
    flags: tuple[Flag, ...] = ()
    provenance: Provenance = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failed:
    """The try gave nothing; the fault says why and who is to blame."""

    ticket: Ticket
    fault: Fault


Outcome = Transcribed | Unscorable | Extracted | Rated | Failed
Progress = Callable[[Ticket, float], None]
"""Told how much of a try is done, from 0 to 1."""


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

    async def transcribe(self, work: SttWork, progress: Progress) -> Outcome:
        """Transcribe one video: a Transcribed, an Unscorable or a Failed."""
        ...


class Extractor(Engine, Protocol):
    """The engine that reads the form."""

    async def extract(self, work: ExtractWork, progress: Progress) -> Outcome:
        """Read the form: an Extracted or a Failed."""
        ...


class Rater(Engine, Protocol):
    """The engine that rates."""

    async def rate(self, work: RateWork, progress: Progress) -> Outcome:
        """Rate the introduction: a Rated or a Failed."""
        ...


OnAlarm = Callable[[str, str | None], None]
"""Told of what lasts: a code, and one line that says what to do, or None when it is mended."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """What a switch found on the GPU, in MB; None where there is no GPU to measure.

    `freed` came free by the stop of the other groups; `foreign` is held by who is not ours; `margin` is
    what is free beyond what the group needs. `waited_s` is how long the memory was waited for.
    """

    freed_mb: float | None = None
    foreign_mb: float | None = None
    needed_mb: float | None = None
    margin_mb: float | None = None
    waited_s: float = 0.0


class MemoryGuard(Protocol):
    """Stands between the stop of one group and the start of the next."""

    async def measure(self) -> None:
        """Take down what is used before the stop, so that what comes free is known."""
        ...

    async def clear(self, group: Group) -> Ledger:
        """Return once there is measured room for `group`. Never goes on regardless: it waits, and says
        in an alarm who holds the memory. Without a GPU it returns at once.
        """
        ...


@dataclass(frozen=True, slots=True)
class NodeState:
    """What the node sees of itself: the group that is verified loaded, and the engines alive."""

    group: Group | None
    alive: frozenset[Stage]


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

    def transcribe(self, tasks: Sequence[SttWork]) -> AsyncIterator[Outcome]:
        """One outcome for each."""
        ...

    def extract(self, tasks: Sequence[ExtractWork]) -> AsyncIterator[Outcome]:
        """One outcome for each."""
        ...

    def rate(self, tasks: Sequence[RateWork]) -> AsyncIterator[Outcome]:
        """One outcome for each."""
        ...

    async def aclose(self) -> None:
        """Stop everything and free what is held."""
        ...


@dataclass(frozen=True, slots=True)
class Probe:
    """What a video's container says, before it is decoded."""

    duration_s: float
    audio_codec: str
    audio_streams: int


@dataclass(frozen=True, slots=True)
class Decoded:
    """The audio of a video as 16 kHz mono s16le at `pcm`."""

    pcm: Path
    duration_s: float
    flags: tuple[Flag, ...] = ()


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


class ClaimStep(StrEnum):
    """How far a claim has come; each step is durable before the next begins."""

    SEEN = "seen"  # the row stands; the file may still have its own name
    SPOOLED = "spooled"  # the file is in the spool (or the refused folder), durably
    DONE = "done"  # a task, or a refusal, stands for it
    LOST = "lost"  # the file was gone or changed before it was ours; nothing was taken


@dataclass(frozen=True, slots=True)
class Claim:
    """One file on its way out of the inbox.

    `path` is absolute, as the file system's bytes. `student` is None for a file to be refused,
    and `reason` then says why.
    """

    id: str
    path: bytes
    filename: str
    student: str | None
    device: int
    inode: int
    size_bytes: int
    mtime_ns: int
    claimed_at: float
    reason: str | None = None
    step: ClaimStep = ClaimStep.SEEN


@dataclass(frozen=True, slots=True)
class Birth:
    """A spooled claim that becomes a task, which is failed at once when there is a fault."""

    claim: Claim
    spooled: Path
    sha256: str
    size_bytes: int
    duration_s: float
    fault: Fault | None = None
    flags: tuple[Flag, ...] = ()


@dataclass(frozen=True, slots=True)
class Born:
    """What became of a birth: a task, or why there is none and which earlier task of the student stands."""

    claim: Claim
    task: Task | None
    refused: Refused | None = None
    earlier: int | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One transition of one task, as it is committed: the only way in which a task changes.

    `before` is what is expected to stand; a row in another status or attempt makes the whole
    commit fail with IllegalTransition. `seconds` is how long the try that ended took.
    """

    before: Task
    after: Task
    event: Event
    at: float
    seconds: float | None = None
    outcome: Outcome | None = None


class Kind(StrEnum):
    """What a file of the outbox is."""

    RESULT = "result"
    RECEIPT = "receipt"
    REASON = "reason"


@dataclass(frozen=True, slots=True)
class Document:
    """The frozen bytes of one file of the outbox, and its path below it."""

    id: int
    kind: Kind
    name: str
    content: bytes
    task_id: int | None = None


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

    def bear(self, births: Sequence[Birth], now: float) -> list[Born]:
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

    def undelivered(self, limit: int) -> list[Document]:
        """Frozen documents that are not durable in the outbox yet, oldest first."""
        ...

    def delivered(self, ids: Sequence[int], now: float) -> None:
        """Record that documents are durable in the outbox."""
        ...
