"""The frozen values that cross between the shell and the adapters."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from daemon.core.content.document import Evaluation, Flag, Profile, Speaking, Transcript
from daemon.core.errors import Fault
from daemon.core.intake.naming import Refused
from daemon.core.schedule.phase_state import Group
from daemon.core.tasks.task import Event, Stage, Task

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


StageOutcome = Transcribed | Unscorable | Extracted | Rated | Failed
OnProgress = Callable[[Ticket, float], None]
"""Told how much of a try is done, from 0 to 1."""


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


@dataclass(frozen=True, slots=True)
class NodeState:
    """What the node sees of itself: the group that is verified loaded, and the engines alive."""

    group: Group | None
    alive: frozenset[Stage]


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
    and `reason` then says why. `owner` is the number of the account that owned the file, `account` its
    name, or None where it is not to be recorded.
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
    owner: int = 0
    account: str | None = None

    @property
    def lane(self) -> str:
        """The student whose turn this takes."""
        return self.student or ""


@dataclass(frozen=True, slots=True)
class Birth:
    """A spooled claim that becomes a task, which is failed at once when there is a fault.

    `sha256` is empty for a file that is too large to be read. One that is not `kept` was left in the inbox.
    """

    claim: Claim
    spooled: Path
    sha256: str
    size_bytes: int
    duration_s: float
    fault: Fault | None = None
    flags: tuple[Flag, ...] = ()
    kept: bool = True


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
    outcome: StageOutcome | None = None


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


@dataclass(frozen=True, slots=True)
class Orders:
    """What the operator asked of the whole daemon. `go_at`, in epoch seconds, covers older claims; by
    `deadline` the class is to be done.
    """

    paused: bool = False
    go_at: float = 0.0
    draining: bool = False
    deadline: float | None = None
