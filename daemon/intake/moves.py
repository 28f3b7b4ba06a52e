"""The outcomes of moving claimed files, and how a file is recognised."""

import os
from dataclasses import dataclass
from enum import Enum, auto

from daemon.contracts.values import Claim
from daemon.intake.files import Digest


class Where(Enum):
    """Where a claim's file is."""

    TAKEN = auto()  # in the spool, or among the refused files
    ASIDE = auto()  # in the inbox, under a name that is ignored: it is too large to be copied
    LOST = auto()  # gone, or back in the inbox: nothing of it is ours
    VANISHED = auto()  # removed from the spool by another program
    AWAY = auto()  # unknown, since its file system is not mounted now


@dataclass(frozen=True, slots=True)
class Fetched:
    """Where a claim's file is, and its digest if this call copied it."""

    where: Where
    digest: Digest | None = None


@dataclass(frozen=True, slots=True)
class Hiding:
    """The claims that got their file, those whose file was gone or changed, and those without the right."""

    won: tuple[Claim, ...]
    late: tuple[Claim, ...]
    denied: tuple[tuple[Claim, OSError], ...]


@dataclass(frozen=True, slots=True)
class Leaving:
    """The claims whose file had changed, and those whose file could not be removed from the inbox."""

    changed: tuple[Claim, ...]
    failed: tuple[tuple[Claim, OSError], ...]


def is_the_one(found: os.stat_result, claim: Claim) -> bool:
    """Whether a file is still the one that was seen and claimed."""
    identity = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
    return identity == (claim.device, claim.inode, claim.size_bytes, claim.mtime_ns)
