"""The memory that a media child may take for one file, as a limit on its address space.

A header of a megabyte can ask for a gigabyte. A normal file needs little beside its own size: the index, a
packet, and a picture or two that FFmpeg decodes to find the format.
"""

import os
import resource

_BESIDE = 384 << 20  # bytes; measured: 100 MB for a picture of H.264 in 8K, 0.7 MB for a track of sound
_MOST = 2 << 30


class MemoryLimit:
    """The limit of this process. Create it before the cage is entered."""

    def __init__(self) -> None:
        self._statm = os.open("/proc/self/statm", os.O_RDONLY)
        self._at_first = self._taken()
        resource.setrlimit(resource.RLIMIT_AS, (_MOST, _MOST))

    def allow(self, video: int) -> None:
        """Set the limit for an open file, by its size."""
        limit = min(_MOST, self._taken() + _BESIDE + bytes_on_disk(video))
        resource.setrlimit(resource.RLIMIT_AS, (limit, _MOST))

    @property
    def kept(self) -> bool:
        """Whether so much memory was not freed that later files would lack it."""
        return self._taken() > self._at_first + _BESIDE

    def _taken(self) -> int:
        pages = os.pread(self._statm, 32, 0).split()[0]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")


def bytes_on_disk(file: int) -> int:
    """The bytes of an open file without its holes, which cost their owner nothing."""
    seen = os.fstat(file)
    return min(seen.st_size, seen.st_blocks * 512)
