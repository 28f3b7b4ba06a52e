"""Finds a text that repeats itself, as small models write when they do not find an end."""

import re
import zlib

_WORD = re.compile(r"\w+")
_ALONE, _TOGETHER = 4, 3  # times in a row, of one word and of several; people say "really, really, really"
_LONGEST = 8  # words
_SHORTEST_TEXT = 120  # characters: shorter ones hardly shrink
_SHRINKS = 2.4  # as Whisper's makers judge a transcript; ordinary feedback shrinks by 1.1 to 1.8
_SHOWN = 60


def repeated(text: str) -> str | None:
    """The words that a text says again and again, or its beginning where it repeats as a whole; else None."""
    words = _WORD.findall(text.casefold())
    for size in range(1, _LONGEST + 1):
        times = _ALONE if size == 1 else _TOGETHER
        for begin in range(len(words) - size * times + 1):
            piece = words[begin : begin + size]
            if words[begin : begin + size * times] == piece * times:
                return " ".join(piece)[:_SHOWN]
    content = text.encode()
    if len(text) >= _SHORTEST_TEXT and len(content) > _SHRINKS * len(zlib.compress(content)):
        return text[:_SHOWN]
    return None
