"""Which files of the inbox have stopped changing: a value in, a value out.

A file is ready when its size, modification time, inode and device have stayed the same for
`settle_s`, counted by our clock from the look that first saw them so. The file's own times are only
ever compared with each other: a student's clock may say anything.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class SeenFile:
    """One entry of the inbox at one look. `path` is absolute, as the file system's bytes.

    `special` marks what is no regular file: a symbolic link, a FIFO, a socket, a device. `owner` is the
    number of the account that the system names as the owner, `lane` what stands in the student's place in
    the path: whose turn it is.
    """

    path: bytes
    device: int
    inode: int
    size_bytes: int
    mtime_ns: int
    special: bool = False
    owner: int = 0
    lane: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """What we remember of an entry: since when it is as it is, and since when it is there at all."""

    seen: SeenFile
    since: float
    first_seen: float


@dataclass(frozen=True, slots=True)
class Observation:
    """What one look gave: what to remember, what is ready in order of arrival, and when to look again.

    `wake_at` is when the next entry can become ready, or None when nothing is settling.
    """

    known: Mapping[bytes, Known]
    ready: tuple[SeenFile, ...]
    wake_at: float | None


def observe(
    known: Mapping[bytes, Known], seen: Iterable[SeenFile], now: float, settle_s: float
) -> Observation:
    """Compare a look at `now` (seconds of a clock that never goes back) with what was known.

    What is not seen any more is forgotten. The ready ones come by the time they were first seen, then
    by name.
    """
    remembered = {entry.path: _remember(known.get(entry.path), entry, now) for entry in seen}
    ready = [each for each in remembered.values() if each.since + settle_s <= now]
    ready.sort(key=lambda each: (each.first_seen, each.seen.path))
    waits = [each.since + settle_s for each in remembered.values() if each.since + settle_s > now]
    return Observation(remembered, tuple(each.seen for each in ready), min(waits, default=None))


def restart(known: Mapping[bytes, Known], paths: Collection[bytes], now: float) -> dict[bytes, Known]:
    """What is known, with the clock of `paths` begun anew: they turned out to be still in use."""
    return {path: replace(each, since=now) if path in paths else each for path, each in known.items()}


def _remember(before: Known | None, entry: SeenFile, now: float) -> Known:
    if before is None or (before.seen.device, before.seen.inode) != (entry.device, entry.inode):
        return Known(entry, now, now)
    return before if before.seen == entry else Known(entry, now, before.first_seen)
