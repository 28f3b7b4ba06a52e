"""The outcomes of a claim's steps, and the alarms of claims that stay open."""

import errno
from collections.abc import Mapping
from dataclasses import dataclass, field

from daemon.contracts.values import Birth, Claim
from daemon.core.classes.roster import RosterEntry
from daemon.core.errors import two_parts
from daemon.core.intake.stability import SeenFile
from daemon.intake import refusal
from daemon.intake.alarm import IntakeAlarm, reason_of, shown
from daemon.intake.moves import Where


@dataclass(frozen=True, slots=True)
class Taken:
    """The claims of a group that have their file, and the files that we have no right to claim."""

    claims: tuple[Claim, ...]
    denied: tuple[tuple[SeenFile, OSError], ...]


@dataclass(frozen=True, slots=True)
class Opened:
    """What was found in a package or a roster: claims of unpacked members, refused ones with their reasons,
    and the entries of a roster; in words `told`. `reason` is why it is refused whole.
    """

    members: tuple[Claim, ...] = ()
    refused: tuple[tuple[Claim, str], ...] = ()
    entries: tuple[RosterEntry, ...] = ()
    told: str = ""
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Landed:
    """A claim whose file was fetched: where it is, and the birth if it becomes a task.

    With an alarm the claim stays open, since the file can't be judged now. `opened` is what was found in a
    package or a roster.
    """

    claim: Claim
    where: Where
    birth: Birth | None = None
    alarm: IntakeAlarm | None = None
    opened: Opened | None = None

    @property
    def is_ours(self) -> bool:
        """Whether the file is ours to settle: in the state folder, or set aside in the inbox."""
        return self.where in (Where.TAKEN, Where.ASIDE)


@dataclass(frozen=True, slots=True)
class Tidied:
    """Hidden files without an open claim: those without any claim, and those that could not be cleaned up."""

    unknown: tuple[SeenFile, ...] = ()
    failed: tuple[tuple[SeenFile, OSError], ...] = ()


@dataclass(frozen=True, slots=True)
class Settled:
    """The outcome of a group: the numbers of tasks and refusals, and by claim id the alarms of the others.
    `more` are claims that are to be fetched next: packages that were brought in, and members of those.
    """

    born: int = 0
    refused: int = 0
    delayed: Mapping[str, IntakeAlarm] = field(default_factory=dict)
    more: tuple[Claim, ...] = ()


def reason_to_refuse(landed: Landed) -> str | None:
    """Why a claim is refused; None if it is not."""
    if landed.where is Where.VANISHED:
        return str(refusal.vanished(landed.claim))
    return landed.claim.reason if landed.is_ours else None


def away(claim: Claim) -> IntakeAlarm:
    """The alarm of a claim whose file is on a file system that is away."""
    path = shown(claim.path)
    return IntakeAlarm(
        "claim_waits",
        path,
        f"{path} was claimed and is out of reach",
        "mount its file system again",
        owner=claim.owner,
    )


def not_moved(claim: Claim, error: OSError) -> IntakeAlarm:
    """The alarm of a claim whose file could not be brought in."""
    path = shown(claim.path)
    fix = "check that its folder and the state folder can be read and written"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        fix = "free space on its disk"
    elif error.errno == errno.EEXIST:
        fix = "move away the file that has its name in the folder"
    elif error.errno == errno.EAGAIN:
        fix = "end the program that holds it"
    elif isinstance(error, PermissionError):
        fix = "give this user the right to write the folder of the file, and the state folder"
    return IntakeAlarm(
        "claim_waits",
        path,
        f"{path} was claimed and cannot be moved: {reason_of(error)}",
        fix,
        owner=claim.owner,
    )


def not_written(claim: Claim, error: Exception) -> IntakeAlarm:
    """The alarm of a claim whose task could not be created."""
    path = shown(claim.path)
    cause, fix = two_parts(str(error))
    told = f"{path} was claimed and cannot become a task: {cause}"
    return IntakeAlarm("claim_waits", path, told, fix, owner=claim.owner)
