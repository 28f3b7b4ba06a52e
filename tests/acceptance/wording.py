"""How far a transcript is from what was said."""

import re

from daemon.core.content.words import words


def plain(text: str) -> list[str]:
    """The words of a text, with numbers as figures."""
    return [word.key for word in words(re.sub(r"-", " ", text))]


def errors(said: str, heard: str) -> tuple[int, int]:
    """Word errors (wrong, missing and invented), and how many words were said."""
    reference, hypothesis = plain(said), plain(heard)
    row = list(range(len(hypothesis) + 1))
    for i, one in enumerate(reference, 1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(hypothesis, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (one != other))
    return row[-1], len(reference)
