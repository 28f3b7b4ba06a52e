"""Packages: archives with the recordings of several students. What of them is opened, and what is refused.

Everything in a package comes from a student or can have passed through one's hands.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from daemon.core.intake import kinds
from daemon.core.intake.naming import printable

MOST_MEMBERS = 2000
"""Files in a package: a class has some hundred, and each refused one is a reason in the outbox."""
MOST_TIMES = 16
"""Times the largest recording that is allowed: the size of a package, and of all that is in it."""
LONGEST_NAME = 1000
_MOST_RATIO = 100  # a recording does not get smaller
_SMALL_BYTES = 10_000_000
_DEEPEST = 8
_PART_BYTES = 255


@dataclass(frozen=True, slots=True)
class Member:
    """A file in a package, as the package describes it. `at` is its place there."""

    at: int
    name: str
    size_bytes: int
    packed_bytes: int
    kind: Literal["file", "link", "special"] = "file"
    encrypted: bool = False


def refused_whole(members: Sequence[Member], size_bytes: int, most_bytes: int) -> str:
    """Why a package of `size_bytes` is not opened at all; empty if it may be. `most_bytes` is the size that a
    recording may have.
    """
    if len(members) > MOST_MEMBERS:
        return f"it has more than {MOST_MEMBERS} files; send it in parts"
    if sum(member.packed_bytes for member in members) > size_bytes:
        return "its files overlap, as in archives that are made to fill disks; download it again"
    total = sum(member.size_bytes for member in members if not _wrong(member, most_bytes))
    if total > MOST_TIMES * most_bytes:
        told = f"it unpacks to {total / 1e6:.0f} MB, and {MOST_TIMES * most_bytes / 1e6:.0f} are allowed"
        return f"{told}; send it in parts"
    return ""


def ignored(member: Member) -> bool:
    """Whether a member is a copy in progress, or what a system puts beside a file."""
    return not _wrong_name(member.name) and kinds.ignored(PurePosixPath(member.name))


def path_or_refusal(member: Member, most_bytes: int) -> tuple[PurePosixPath, str]:
    """The path of a member below the package, safe to be read for names, and why it is refused, if it is."""
    parts = tuple(part for part in member.name.split("/") if part)
    return PurePosixPath(*parts or ("file",)), _wrong_name(member.name) or _wrong(member, most_bytes)


def _wrong(member: Member, most_bytes: int) -> str:
    if member.kind != "file":
        return "it is a link or a special file; send the video itself"
    if member.encrypted:
        return "it is encrypted; make the archive without a password"
    if member.size_bytes > most_bytes:
        told = f"it has {member.size_bytes / 1e6:.1f} MB, and {most_bytes / 1e6:.1f} are allowed"
        return f"{told}; send a smaller one"
    ratio = member.size_bytes / max(1, member.packed_bytes)
    if ratio > _MOST_RATIO and member.size_bytes > _SMALL_BYTES:
        return f"it unpacks to {ratio:.0f} times its size, which no recording does; send the recording itself"
    return ""


def _wrong_name(name: str) -> str:
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or name[1:2] == ":":
        return "its name leads out of the archive; make the archive anew"
    if not name.strip("/") or any(unicodedata.category(c) in ("Cc", "Cs") for c in name):
        return f"{printable(name[:40])} is no name of a file; make the archive anew"
    if len(name) >= LONGEST_NAME or any(len(part.encode()) > _PART_BYTES for part in parts):
        return "its name is too long; shorten it"
    if len(parts) > _DEEPEST:
        return f"it lies more than {_DEEPEST - 1} folders deep; put it higher"
    return ""
