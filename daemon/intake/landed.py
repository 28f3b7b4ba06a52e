"""What comes of claims on their way, and what is said of those that stay open."""

import errno
from collections.abc import Mapping
from dataclasses import dataclass, field

from daemon.contracts.values import Birth, Claim
from daemon.core.intake.stability import SeenFile
from daemon.intake import refusal
from daemon.intake.alarm import IntakeAlarm, reason_of, shown
from daemon.intake.mover import Where


@dataclass(frozen=True, slots=True)
class Taken:
    """Of a group: the claims that hold their file, and the files that we have no right to take."""

    claims: tuple[Claim, ...]
    denied: tuple[tuple[SeenFile, OSError], ...]


@dataclass(frozen=True, slots=True)
class Landed:
    """A claim whose file was fetched: where it is, and the birth where it becomes a task.

    With an alarm it stays open, since nothing can be said of the file now.
    """

    claim: Claim
    where: Where
    birth: Birth | None = None
    alarm: IntakeAlarm | None = None


@dataclass(frozen=True, slots=True)
class Tidied:
    """Hidden files of no open claim: those of no claim of ours, and those that could not be put right."""

    unknown: tuple[SeenFile, ...] = ()
    failed: tuple[tuple[SeenFile, OSError], ...] = ()


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of claims: how many tasks and refusals, and what keeps the rest open, by claim."""

    born: int = 0
    refused: int = 0
    delayed: Mapping[str, IntakeAlarm] = field(default_factory=dict)


def reason_to_refuse(landed: Landed) -> str | None:
    """Why a claim is refused, or None when it is not."""
    if landed.where is Where.VANISHED:
        return str(refusal.vanished(landed.claim))
    taken = landed.where in (Where.TAKEN, Where.ASIDE)
    return (landed.claim.reason or "") if taken and landed.claim.student is None else None


def away(claim: Claim) -> IntakeAlarm:
    """The alarm of a claim whose file can't be seen now."""
    path = shown(claim.path)
    return IntakeAlarm(
        "claim_waits",
        path,
        f"{path} was claimed and is out of reach; mount its file system again",
        owner=claim.owner,
    )


def not_moved(claim: Claim, error: OSError) -> IntakeAlarm:
    """The alarm of a claim whose file could not be brought in."""
    path = shown(claim.path)
    fix = "see that its folder and the state folder can be read and written"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        fix = "make room on its disk"
    elif error.errno == errno.EEXIST:
        fix = "move away what stands in the folder under its name"
    elif error.errno == errno.EAGAIN:
        fix = "end the program that holds it"
    elif isinstance(error, PermissionError):
        fix = "give this user the right to write the folder of the file, and the state folder"
    return IntakeAlarm(
        "claim_waits",
        path,
        f"{path} was claimed and cannot be moved: {reason_of(error)}; {fix}",
        owner=claim.owner,
    )


def not_written(claim: Claim, error: Exception) -> IntakeAlarm:
    """The alarm of a claim whose task could not be born."""
    path = shown(claim.path)
    return IntakeAlarm(
        "claim_waits", path, f"{path} was claimed and cannot be taken in: {error}", owner=claim.owner
    )
