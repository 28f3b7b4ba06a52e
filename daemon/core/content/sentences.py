"""The sentences of a transcript, which models name by their numbers."""

import re
import textwrap
from collections.abc import Sequence

SENTENCE_LENGTH = 120
"""The most characters of a sentence; a longer one is several."""


def sentences(text: str) -> tuple[str, ...]:
    """The sentences of a transcript in their order, long ones in parts."""
    parts: list[str] = []
    for sentence in re.split(r"(?<=[.!?])\s+", text.strip()):
        parts += textwrap.wrap(sentence, SENTENCE_LENGTH, break_on_hyphens=False)
    return tuple(parts)


def telling(said: Sequence[str]) -> list[int]:
    """The numbers of the sentences of more than two words; of all where none has as many."""
    numbers = [number for number, sentence in enumerate(said, 1) if len(sentence.split()) > 2]
    return numbers or list(range(1, len(said) + 1))


def numbered(text: str) -> str:
    """A transcript as the rater reads it: a sentence a line, each after its number."""
    return "\n".join(f"{number}: {sentence}" for number, sentence in enumerate(sentences(text), 1))
