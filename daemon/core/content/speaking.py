"""Speaking figures: the delivery as the audio alone shows it, from the stretches of speech and the words."""

import re
from collections.abc import Sequence
from itertools import pairwise

from daemon.core.content.document import Speaking

Stretch = tuple[float, float]
"""A stretch of speech: its begin and end in seconds."""

_WORD = re.compile(r"[^\W_]+(?:['’.-][^\W_]+)*")
_EDGE = r"(?:^|[,.;:?!…-])\s*"
_STOP = r"(?=\s*(?:[,.;:?!…-]|$))"
_BEFORE_HEDGE = (
    "i you he she it we they who there am is are was were be been being have has had do does did can could "
    "would will should might to get got feel felt seem just really also still then so and but or because like"
)
_HEDGING = rf"(?:{_EDGE}|\b(?:{'|'.join(_BEFORE_HEDGE.split())})\s+|['’](?:s|m|re|ve|d|ll|t)\s+)"
_NOT_KIND = r"(?!\s+(?:you|him|her|them|me|us)\b)"

# The phrases are ordinary English as well ("I like chess", "you know me", "my favourite kind of music", "it
# is kind of you"): they count where punctuation sets them off, or where they stand before what is said of
# somebody, and not where they are a noun.
_FILLERS = {
    "um": r"\bu+h?m+\b",
    "uh": r"\bu+h+\b",
    "er": r"\be+r+\b",
    "erm": r"\be+r+m+\b",
    "hmm": r"(?<!\d )\bh*m{2,}\b",  # a camera of 35 mm is none
    "like": rf"{_EDGE}like\s*,",
    "you know": rf"{_EDGE}you know{_STOP}|(?<!\bdo )(?<!\bas )\byou know\s*,",
    "i mean": rf"\bi mean\s*,|,\s*i mean{_STOP}",
    "sort of": rf"{_HEDGING}sort of\b",
    "kind of": rf"{_HEDGING}kind of\b{_NOT_KIND}",
}
_PATTERNS = {
    filler: re.compile(pattern, re.IGNORECASE | re.MULTILINE) for filler, pattern in _FILLERS.items()
}


def word_count(text: str) -> int:
    """The number of words in a text; "twenty-one" and "don't" are one each."""
    return len(_WORD.findall(text))


def filler_words(text: str) -> dict[str, int]:
    """The count of each filler that occurs."""
    counts = {filler: len(pattern.findall(text)) for filler, pattern in _PATTERNS.items()}
    return {filler: count for filler, count in counts.items() if count}


def speaking(speech: Sequence[Stretch], text: str, duration_s: float, other_s: float = 0.0) -> Speaking:
    """The figures for a recording of `duration_s` seconds, with `speech` in order.

    `other_s` are the seconds of `speech` in another language, of which `text` has no words.
    `words_per_minute` is over the time spoken, so that a long pause does not make a slow speaker;
    `pause_ratio` (0 to 1) is over the whole recording; `longest_pause_s` is between two stretches.
    """
    speech_s = sum(end - start for start, end in speech)
    worded_s = speech_s - other_s
    pauses = [later[0] - earlier[1] for earlier, later in pairwise(speech)]
    return Speaking(
        speech_s=round(speech_s, 2),
        words_per_minute=round(word_count(text) * 60 / worded_s, 1) if worded_s > 0 else 0.0,
        pause_ratio=round(min(1.0, max(0.0, 1 - speech_s / duration_s)), 3) if duration_s else 0.0,
        longest_pause_s=round(max(pauses, default=0.0), 2),
        filler_words=filler_words(text),
    )
