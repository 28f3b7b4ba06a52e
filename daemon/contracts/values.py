"""The frozen values that cross between the shell and the adapters."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from daemon.core.alarms import Trouble
from daemon.core.content.document import Evaluation, Flag, Profile, SetAside, Speaking, Transcript
from daemon.core.errors import Fault
from daemon.core.intake.naming import Refused
from daemon.core.schedule.phase_state import Group
from daemon.core.tasks.task import Event, Stage, Task

Provenance = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Ticket:
    """One attempt at one stage. An outcome with another ticket than the current one is dropped."""

    task_id: int
    revision: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Take:
    """One track or channel of a video's sound, or their mix. `flags` hold for a result that is made of it."""

    duration_s: float
    flags: tuple[Flag, ...] = ()


@dataclass(frozen=True, slots=True)
class SttWork:
    """A decoded video, of which the clearest take is to be transcribed. `pcm` is as in `Decoded`."""

    ticket: Ticket
    pcm: Path
    takes: tuple[Take, ...]


@dataclass(frozen=True, slots=True)
class ExtractWork:
    """A transcript to read the form from. `reseed` numbers the seeds to use; see `Task.reseed`."""

    ticket: Ticket
    transcript: Transcript
    reseed: int = 0


@dataclass(frozen=True, slots=True)
class RateWork:
    """A transcript to rate, with the figures of its sound; `profile` is None without a valid form.

    `set_aside` is the extraction's, `reseed` that of ExtractWork. `scores_only` asks for no feedback.
    """

    ticket: Ticket
    transcript: Transcript
    speaking: Speaking
    profile: Profile | None
    reseed: int = 0
    set_aside: tuple[SetAside, ...] = ()
    scores_only: bool = False


@dataclass(frozen=True, slots=True)
class Transcribed:
    """Speech was found and transcribed."""

    ticket: Ticket
    transcript: Transcript
    speaking: Speaking
    flags: tuple[Flag, ...] = ()
    provenance: Provenance = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unscorable:
    """There is nothing to rate. `code` says why; `message` tells the student how to record again."""

    ticket: Ticket
    code: str
    message: str
    transcript: Transcript | None = None
    speaking: Speaking | None = None
    provenance: Provenance = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Extracted:
    """The form, or None and a flag when no valid answer came; and what speaks to the grader."""

    ticket: Ticket
    profile: Profile | None
    flags: tuple[Flag, ...] = ()
    provenance: Provenance = field(default_factory=dict)
    set_aside: tuple[SetAside, ...] = ()


@dataclass(frozen=True, slots=True)
class Rated:
    """The rating, or None and a flag when no valid answer came; and what speaks to the grader."""

    ticket: Ticket
    evaluation: Evaluation | None
    flags: tuple[Flag, ...] = ()
    provenance: Provenance = field(default_factory=dict)
    set_aside: tuple[SetAside, ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """The attempt gave no result; the fault says why and what is to blame."""

    ticket: Ticket
    fault: Fault


StageOutcome = Transcribed | Unscorable | Extracted | Rated | Failed
OUTCOMES: Mapping[Stage, tuple[type[StageOutcome], ...]] = {
    Stage.STT: (Transcribed, Unscorable, Failed),
    Stage.EXTRACT: (Extracted, Failed),
    Stage.RATE: (Rated, Failed),
}
"""How an attempt at each stage can end."""
OnProgress = Callable[[Ticket, float], None]
"""Called with the share of an attempt that is done, from 0 to 1."""

Fitness = Callable[[Provenance], tuple[Flag, ...]]
"""Gives the flags that the fairness card of the rater in a provenance puts on its ratings."""

OnAlarm = Callable[[str, Trouble | None], None]
"""Called with an alarm's code and the problem, or with None when it is over."""


@dataclass(frozen=True, slots=True)
class NodeState:
    """The node's own state: the group that is verified loaded, and the engines alive."""

    group: Group | None
    alive: frozenset[Stage]


@dataclass(frozen=True, slots=True)
class NodePlan:
    """What a node's own card holds: the groups in their order, and the requests at a time of each stage."""

    groups: tuple[Group, ...]
    parallel: Mapping[Stage, int]


@dataclass(frozen=True, slots=True)
class Probe:
    """The header of a video's container, read before the video is decoded."""

    duration_s: float
    audio_codec: str
    audio_streams: int


@dataclass(frozen=True, slots=True)
class Decoded:
    """The audio of a video as 16 kHz mono s16le at `pcm`: its takes, one after the other.

    The first is the usual one. The voice may be clearer in another.
    """

    pcm: Path
    takes: tuple[Take, ...]


class ClaimStep(StrEnum):
    """The progress of a claim; each step is durable before the next begins."""

    SEEN = "seen"  # the row is written; the file may still have its own name
    SPOOLED = "spooled"  # the file is in the spool (or the refused folder), durably
    DONE = "done"  # it is a task or a refusal now
    LOST = "lost"  # the file was gone or changed before it was moved; nothing was taken


@dataclass(frozen=True, slots=True)
class Claim:
    """One file on its way out of the inbox, or out of a package that was handed in.

    `path` is absolute, as the file system's bytes; a member's goes on below its package. `student` is None
    for a file to be refused, and `reason` then says why. `owner` is the user id that owned the file;
    `account` is its name, or None where it is not to be recorded.
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
        """The student whose turn in the inbox this claim takes."""
        return self.student or ""

    @property
    def is_deposit(self) -> bool:
        """Whether the file is of no one student: a package of recordings, or a roster."""
        return self.student is None and self.reason is None

    @property
    def is_member(self) -> bool:
        """Whether it came in a package, so that nothing of it is in the inbox itself."""
        return self.inode == 0


@dataclass(frozen=True, slots=True)
class Birth:
    """A spooled claim that becomes a task, which fails at once when there is a fault.

    `sha256` is empty for a file too large to be read; `kept` is False if it was left in the inbox. `groups`
    has the group and the lab, if the path says them.
    """

    claim: Claim
    spooled: Path
    sha256: str
    size_bytes: int
    duration_s: float
    fault: Fault | None = None
    flags: tuple[Flag, ...] = ()
    kept: bool = True
    groups: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Born:
    """The task of a birth, or None: `refused` says why, `earlier` is the student's task that counts."""

    claim: Claim
    task: Task | None
    refused: Refused | None = None
    earlier: int | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One transition of one task, as it is committed: the only way in which a task changes.

    `before` is the expected row; a row in another status or attempt makes the whole commit fail with
    IllegalTransition. `seconds` is the duration of the attempt that ended; `node` is the other machine's node
    at which an attempt begins or ends, None where that is this machine's.
    """

    before: Task
    after: Task
    event: Event
    at: float
    seconds: float | None = None
    outcome: StageOutcome | None = None
    node: str | None = None


@dataclass(frozen=True, slots=True)
class Orders:
    """The operator's orders for the whole daemon. `go_at`, in epoch seconds, covers older claims; by
    `deadline`, in epoch seconds too, the class is to be done. `drained` names the machines that get no more
    work.
    """

    paused: bool = False
    go_at: float = 0.0
    draining: bool = False
    deadline: float | None = None
    drained: tuple[str, ...] = ()
