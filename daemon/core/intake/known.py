"""The student of a path, where a roster knows them: by an id, by another name of theirs, or by the number and
the name that a learning platform writes.
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import Protocol

from daemon.core.intake import vocabulary
from daemon.core.intake.naming import printable

_LEAST_DIGITS = 5
"""Of a number of a platform that counts in a name that a person gave: `3_intro.mp4` is no participant 3."""
_PLACEHOLDER = re.compile(
    r"participa|teilnehm|partecipant|deelnem|uczestni|deltag|deltak|osallistuj|ucastni|katilim|katılım|участни"
    r"|参加者|参与者|anon"
)
"""What platforms write for a name where the students are hidden."""


class Enrolled(Protocol):
    """An entry of a roster."""

    @property
    def student(self) -> str:
        """The id."""
        ...

    @property
    def name(self) -> str:
        """The name; empty where the roster has none."""
        ...


class KnownStudents(Protocol):
    """A roster, as far as names of files need it."""

    def __hash__(self) -> int: ...

    def find(self, named: str) -> Enrolled | None:
        """The entry of an id, else of another name that only one entry has."""
        ...

    def known_as(self, named: str) -> Sequence[Enrolled]:
        """The entries that have this id or other name."""
        ...

    def called(self, name: str) -> Sequence[Enrolled]:
        """The people of this whole name."""
        ...


class NobodyKnown:
    """A roster of nobody."""

    def find(self, named: str) -> None:
        """Nobody."""
        return

    def known_as(self, named: str) -> tuple[()]:
        """Nobody."""
        return ()

    def called(self, name: str) -> tuple[()]:
        """Nobody."""
        return ()


def of_platform(number: str, name: str, roll: KnownStudents) -> Enrolled | str | None:
    """Who a download is of, by the number and the name that a platform wrote, or why that is doubtful.

    1. Who has the number, unless the name is another: the number may be of another system.
    2. Where nobody has it, the only person of this name.
    """
    known, namesakes = roll.known_as(number), roll.called(name)
    if not known:
        return only(namesakes)  # 2
    if namesakes:
        fitting = [entry for entry in known if entry in namesakes]
    else:
        fitting = [entry for entry in known if _may_be(entry.name, name)]
    if len(fitting) == 1:
        return fitting[0]  # 1
    students = " and ".join(sorted({entry.student for entry in (*known, *namesakes)}))
    return f"in the roster {number} and the name {printable(name)} are not of one and the same: {students}"


def of_words(folders: Sequence[str], stem: str, roll: KnownStudents) -> dict[str, Enrolled]:
    """The people whom folders or the beginning of a file's name name, by what names them."""
    named = {text: entry for text in folders if (entry := _named(text, roll)) is not None}
    if not (vocabulary.is_of_device(stem) or _begins_with_date(stem)):
        ends = [match.start() for match in re.finditer(r"[\W_]|$", stem)]
        found = ((stem[:end], _named(stem[:end], roll)) for end in reversed(ends) if end)
        named |= next(({text: entry} for text, entry in found if entry is not None), {})
    return named


def _named(text: str, roll: KnownStudents) -> Enrolled | None:
    entry = roll.find(text)
    if entry is None:
        return only(roll.called(text))
    is_short = text.isdigit() and len(text) < _LEAST_DIGITS
    return None if is_short and text != entry.student else entry


def _begins_with_date(stem: str) -> bool:
    first = next(iter(vocabulary.chunks(stem)), None)
    has_more = first is not None and first[0] != stem
    return vocabulary.begins_with_date(stem) or (
        has_more and first is not None and len(first[0]) >= 8 and vocabulary.is_date(first[0])
    )


def _may_be(known: str, written: str) -> bool:
    """Whether one of two names is the other with more words, or none. Canvas writes one without spaces."""
    own, words = _words(known), _words(written)
    if not own or not words or _PLACEHOLDER.match(words[0]):
        return True
    if len(words) == 1:
        return all(word in words[0] for word in own)
    return set(own) <= set(words) or set(words) <= set(own)


def only(entries: Sequence[Enrolled]) -> Enrolled | None:
    """The one entry; None where there is none, or several."""
    return entries[0] if len(entries) == 1 else None


def _words(name: str) -> list[str]:
    """The words of a name without accents."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", name) if unicodedata.category(c)[0] != "M")
    return re.findall(r"[^\W_]+", plain.casefold())
