"""The detection of files of the inbox that have stopped changing. Pure.

A file is ready when its size, modification time, inode and device have stayed the same for
`settle_s` seconds, counted by our clock from the scan that first saw them so. The file's own times are
only compared with each other, since a student's clock may be wrong by any amount.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class SeenFile:
    """One entry of the inbox in one scan. `path` is absolute, as the file system's bytes.

    `special` marks what is no regular file: a symbolic link, a FIFO, a socket, a device. `owner` is the
    user id of the owner, `lane` the part of the path in the student's place: it decides whose turn it is.
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
    """The memory of an entry: since when it is unchanged, and since when it exists."""

    seen: SeenFile
    since: float
    first_seen: float


@dataclass(frozen=True, slots=True)
class Observation:
    """The result of one scan: the entries to remember, those that are ready, in order of arrival.

    `wake_at` is when the next entry can become ready, or None when nothing is settling.
    """

    known: Mapping[bytes, Known]
    ready: tuple[SeenFile, ...]
    wake_at: float | None


def observe(
    known: Mapping[bytes, Known],
    seen: Iterable[SeenFile],
    now: float,
    settle_s: float,
    empty_s: float | None = None,
) -> Observation:
    """Compare a scan at `now` (seconds of a monotonic clock) with the entries known before.

    An empty file must not change for `empty_s` seconds (default: the same): many programs create a file
    first and write it later. Entries that are gone are forgotten. The ready ones are ordered by the time
    they were first seen, then by name.
    """
    remembered = {entry.path: _remember(known.get(entry.path), entry, now) for entry in seen}

    def due(each: Known) -> float:
        is_empty = not each.seen.size_bytes and not each.seen.special
        return each.since + (empty_s if is_empty and empty_s is not None else settle_s)

    ready = [each for each in remembered.values() if due(each) <= now]
    ready.sort(key=lambda each: (each.first_seen, each.seen.path))
    waits = [due(each) for each in remembered.values() if due(each) > now]
    return Observation(remembered, tuple(each.seen for each in ready), min(waits, default=None))


def restart(known: Mapping[bytes, Known], paths: Collection[bytes], now: float) -> dict[bytes, Known]:
    """The known entries, with the settling of `paths` restarted: they turned out to be still in use."""
    return {path: replace(each, since=now) if path in paths else each for path, each in known.items()}


def _remember(before: Known | None, entry: SeenFile, now: float) -> Known:
    if before is None or (before.seen.device, before.seen.inode) != (entry.device, entry.inode):
        return Known(entry, now, now)
    return before if before.seen == entry else Known(entry, now, before.first_seen)
