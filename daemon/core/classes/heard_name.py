"""The name that was heard, against the roster: the student's own in another spelling, or somebody else's."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from daemon.core.classes.roster import Roster, RosterEntry

Likeness = Callable[[str, str], float]
"""How near two names sound, from 0 to 1; each is of the letters a to z alone."""

ENOUGH = 0.62
MARGIN = 0.05
"""Tuned on half of 200 names of many languages, as Whisper `base` heard synthetic voices: decision 18."""
_SHORTEST_WORD = 3
_LETTERS = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ı": "i", "ß": "ss", "æ": "ae", "œ": "oe", "ð": "d", "þ": "th"}
)


@dataclass(frozen=True, slots=True)
class HeardName:
    """A name as the roster spells it, of it only what was said; or as it was heard, where it `differs`."""

    name: str
    differs: bool


def on_roster(heard: str, own: RosterEntry, roster: Roster, likeness: Likeness) -> HeardName:
    """Compare the name that a student said of themselves with their own, and with those of the others.

    It differs if it is not like their own, or is more like that of another. A name in another script cannot
    be compared, and is neither changed nor different.
    """
    said = latin_words(heard)
    if not said or not latin_words(own.name):
        return HeardName(heard, differs=False)
    near, spelled = _likest(said, own.name, likeness)
    if near < ENOUGH:
        return HeardName(heard, differs=True)
    others = {entry.name for entry in roster.entries} - {own.name}
    if near < 1 and any(_likest(said, name, likeness)[0] > near + MARGIN for name in others):
        return HeardName(heard, differs=True)
    return HeardName(spelled, differs=False)


def latin_words(name: str) -> list[str]:
    """The words of a name in the letters a to z; none where a letter is of another script."""
    plain = unicodedata.normalize("NFKD", name.casefold().translate(_LETTERS))
    text = "".join(c for c in plain if unicodedata.category(c)[0] != "M" and c not in "'’")
    if any(c.isalpha() and not c.isascii() for c in text):
        return []
    return re.findall(r"[a-z]+", text)


def _likest(said: Sequence[str], name: str, likeness: Likeness) -> tuple[float, str]:
    """How like a name is, and what of it was said: all, whichever part comes first, or one word."""
    parts = latin_words(name)
    heard = "".join(said)
    orders = ("".join(parts[at:] + parts[:at]) for at in range(len(parts)))
    best = max(((likeness(heard, order), name) for order in orders), default=(0.0, name))
    if len(said) > 1:
        return best
    single = ((likeness(heard, "".join(latin_words(word))), word) for word in name.split())
    return max([best, *(each for each in single if len(each[1]) >= _SHORTEST_WORD)], key=lambda each: each[0])
