"""The sentences of a transcript, which models name by their numbers, and its words as models read them."""

import re
import textwrap
from collections.abc import Iterator, Sequence

SENTENCE_LENGTH = 120
"""The most characters of a sentence; a longer one is several."""

_NO_ITEM = (
    "and but or so because then which who that this it i i'm i've my me we our he she they you your there"
)
_OPTIONAL = re.compile(
    rf"(?<=\S),(?=\s|$)(?!\s(?!(?:{'|'.join(_NO_ITEM.split())})\b)(?:[\w'’-]+\s){{0,2}}[\w'’-]+(?:,|\s(?:and|or)\b))",
    re.IGNORECASE,
)


def sentences(text: str) -> tuple[str, ...]:
    """The sentences of a transcript in their order, long ones in parts."""
    return tuple(part for each in re.split(r"(?<=[.!?])\s+", text.strip()) for part in _parts(each))


def _parts(sentence: str) -> Iterator[str]:
    """A sentence in parts that are not too long, the same with its commas and without."""
    part: list[str] = []
    length = -1
    for word in sentence.split():
        for piece in textwrap.wrap(word, SENTENCE_LENGTH - 1, break_on_hyphens=False):
            room = 1 + len(piece) + (not piece.endswith(","))
            if part and length + room > SENTENCE_LENGTH:
                yield " ".join(part)
                part, length = [], -1
            part.append(piece)
            length += room
    if part:
        yield " ".join(part)


def steady(text: str) -> str:
    """A text without its optional commas: those that part no items of a list.

    Nobody speaks a comma. Whether Whisper writes one changes with the container and the bit rate of the same
    sound, and a model's answer changes with it.
    """
    return _OPTIONAL.sub("", text)


def telling(said: Sequence[str]) -> list[int]:
    """The numbers of the sentences of more than two words; of all where none has as many."""
    numbers = [number for number, sentence in enumerate(said, 1) if len(sentence.split()) > 2]
    return numbers or list(range(1, len(said) + 1))


def numbered(text: str) -> str:
    """A transcript as the rater reads it: a sentence a line, each after its number."""
    return "\n".join(f"{number}: {steady(sentence)}" for number, sentence in enumerate(sentences(text), 1))
