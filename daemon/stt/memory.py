"""The memory that a media child may take for one file, as a limit on its addresses.

A header of a megabyte can ask for a gigabyte. An honest file takes little beside itself: the index, one
packet, and a picture or two that FFmpeg decodes to know the format.
"""

import os
import resource

_BESIDE = 384 << 20  # bytes; seen: 100 MB of a picture of H.264 in 8K, 0.7 MB of each track of sound
_MOST = 2 << 30


class MemoryLimit:
    """The limit of this process. To be made before the cage is entered."""

    def __init__(self) -> None:
        self._statm = os.open("/proc/self/statm", os.O_RDONLY)
        self._at_first = self._taken()
        resource.setrlimit(resource.RLIMIT_AS, (_MOST, _MOST))

    def allow(self, video: int) -> None:
        """Lay the limit anew, by the size of an open file."""
        limit = min(_MOST, self._taken() + _BESIDE + bytes_on_disk(video))
        resource.setrlimit(resource.RLIMIT_AS, (limit, _MOST))

    @property
    def kept(self) -> bool:
        """Whether so much was not given back that later files would lack it."""
        return self._taken() > self._at_first + _BESIDE

    def _taken(self) -> int:
        pages = os.pread(self._statm, 32, 0).split()[0]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")


def bytes_on_disk(file: int) -> int:
    """Bytes of an open file without its holes, which cost their owner nothing."""
    seen = os.fstat(file)
    return min(seen.st_size, seen.st_blocks * 512)
