"""Cuts a recording into the windows that Whisper takes. Pure functions, in samples of 16 kHz.

Whisper takes as long for 30 s with little speech as for a full window. So long pauses are cut out, and the
pieces are packed into as few windows as possible, of about the same length: a last window with one word would
take as long as a full one, and be transcribed worse.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

RATE = 16_000
LIMIT = 30 * RATE
PADDING = 400 * RATE // 1000  # of a pause, kept on both sides of speech: words begin before they are loud

Samples = tuple[int, int]
"""A span of the recording: its first sample, and the one after its last."""


@dataclass(frozen=True, slots=True)
class Window:
    """Pieces of the recording that are transcribed together, without the pauses between them."""

    pieces: tuple[Samples, ...]

    @property
    def length(self) -> int:
        """The number of samples."""
        return sum(end - start for start, end in self.pieces)

    def place(self, time_s: float, *, ends: bool = False) -> float:
        """The time in the recording, in seconds, of `time_s` in this window.

        Between two pieces it is the start of the later one, or with `ends` the end of the earlier.
        """
        left = time_s * RATE
        for start, end in self.pieces[:-1]:
            if left < end - start or (ends and left <= end - start):
                return (start + left) / RATE
            left -= end - start
        start, end = self.pieces[-1]
        return (start + min(left, end - start)) / RATE


def cut(speech: Sequence[Samples], total: int) -> list[Window]:
    """Pack `speech`, in order, of a recording of `total` samples into the fewest windows."""
    return pack(pieces_of(speech, total))


def pieces_of(speech: Sequence[Samples], total: int) -> list[Samples]:
    """The spans of `speech` with a part of the pauses around them, none longer than a window."""
    return _halves(_padded(speech, total))


def pack(pieces: Sequence[Samples]) -> list[Window]:
    """Pack pieces, in order, into the fewest windows, of about the same length."""
    if not pieces:
        return []
    few = len(_packed(pieces, LIMIT))
    low, high = 0, LIMIT  # the shortest limit that gives as few windows makes them about equal
    while high - low > RATE:
        middle = (low + high) // 2
        if max(end - start for start, end in pieces) <= middle and len(_packed(pieces, middle)) == few:
            high = middle
        else:
            low = middle
    return _packed(pieces, high)


def _padded(speech: Sequence[Samples], total: int) -> list[Samples]:
    padded = []
    for index, (start, end) in enumerate(speech):
        before = speech[index - 1][1] if index else 0
        after = speech[index + 1][0] if index + 1 < len(speech) else total
        # A pause shorter than two paddings is divided, so that no sample is in two pieces.
        lead = min(PADDING, start - before if not index else (start - before) // 2)
        tail = min(PADDING, after - end if index + 1 == len(speech) else after - end - (after - end) // 2)
        padded.append((start - lead, end + tail))
    return padded


def _halves(pieces: Sequence[Samples]) -> list[Samples]:
    short = []
    for start, end in pieces:
        parts = -(-(end - start) // LIMIT)
        edges = [start + (end - start) * part // parts for part in range(parts + 1)]
        short += list(pairwise(edges))
    return short


def _packed(pieces: Sequence[Samples], limit: int) -> list[Window]:
    windows: list[Window] = []
    held: list[Samples] = []
    length = 0
    for piece in pieces:
        if held and length + piece[1] - piece[0] > limit:
            windows.append(Window(tuple(held)))
            held, length = [], 0
        held.append(piece)
        length += piece[1] - piece[0]
    return [*windows, Window(tuple(held))]
