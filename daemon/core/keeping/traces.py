"""Traces of a student: texts that name one, told from what only looks alike (`s1` in `s10`)."""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import PurePath
from typing import Any

from daemon.core.spelling import folded
from daemon.core.tasks.task import Status

_SHORT_NUMBER = 3  # digits
_WORD = rb"[A-Za-z0-9._-]"
# SQLite writes the types of a row's columns before them; `C` is the type of a time, which ends a user's row.
_ROW_BEGINS = rb"(?:(?<=C)|(?<!" + _WORD + rb"))"
_ROW_GOES_ON = rb"(?=20\d\d-\d\d-\d\dT|" + "|".join(status.value for status in Status).encode() + rb")"


def names_student(relative: PurePath, student: str) -> bool:
    """Whether a path below the inbox is a student's: by a folder, by the part of its name before the first
    `_`, or by the stem of its name. An id with a number may also stand between two `_`. It need not be a path
    that becomes a task, and may spell the id otherwise.
    """
    named = [*relative.parts[:-1], relative.name.partition("_")[0], relative.stem]
    if any(c.isdigit() for c in student):
        named += relative.stem.split("_")
    return folded(student) in map(folded, named)


def is_spelling_of(named: str, student: str, alike: Collection[str]) -> bool:
    """Whether an id is a student's, however it is spelled. `alike` are ids of others that are spelled so."""
    return folded(named) == folded(student) and named not in alike


def is_reason_of(said: Mapping[str, Any], student: str, alike: Collection[str]) -> bool:
    """Whether what a reason of a refusal says is of a student: by its id, or without one by the file's path.
    `alike` as in `is_spelling_of`.
    """
    named = said.get("student_id")
    if named is None:
        return names_student(PurePath(said.get("path") or said.get("filename", "")), student)
    return is_spelling_of(str(named), student, alike)


class Finder:
    """Finds patterns in bytes. Each pattern begins with one of the `literals`; bytes without any of them are
    not searched further, which keeps it fast.
    """

    def __init__(self, patterns: Sequence[bytes], literals: Collection[bytes]) -> None:
        self._pattern = re.compile(b"|".join(patterns))
        self._literals = tuple(literals) if patterns else ()

    def ends(self, data: bytes) -> Iterator[tuple[int, int]]:
        """The begin and end of each match."""
        if any(literal in data for literal in self._literals):
            yield from (match.span() for match in self._pattern.finditer(data))

    def found(self, data: bytes) -> bool:
        """Whether there is a match."""
        return next(self.ends(data), None) is not None


@dataclass(frozen=True, slots=True)
class Traces:
    """The traces to look for: the student's id, file names that no other student's files have, and unique
    texts (ids of claims, SHA-256, names of results), which are found anywhere.
    """

    student: str
    names: frozenset[str] = frozenset()
    unique: frozenset[str] = frozenset()

    @property
    def is_short_number(self) -> bool:
        """Whether the id stands for much else in a text."""
        return self.student.isdigit() and len(self.student) <= _SHORT_NUMBER

    def in_text(self) -> Finder:
        """Finds the student's id and the names as whole words, and all unique texts."""
        return self._finder(_words([self.student, *self.names]))

    def in_files(self) -> Finder:
        """The same in files of any kind, where a short number stands for much else.

        Such an id counts only in quotes or as a part of a path.
        """
        if not self.is_short_number:
            return self.in_text()
        as_id = rb"""(?<=["'/])""" + re.escape(self.student.encode()) + rb"""(?=["'/])"""
        return self._finder([as_id], _words(self.names))

    def in_other_text(self) -> Finder:
        """The same for a text about another student, where the id may be a word that was said."""
        return self._finder(_words(self.names), student=False)

    def in_document(self) -> Finder:
        """The same for a JSON document, which has its own field for the id."""
        field = rb'"student_id"\s*:\s*' + re.escape(json.dumps(self.student, ensure_ascii=False).encode())
        return self._finder([field], _words(self.names))

    def in_pages(self, *, with_student: bool = True) -> Finder:
        """Finds unique texts in the pages of a database, where columns follow without a gap.

        `with_student` adds the student's id where a time or a status follows, as in the table of users and
        the index of tasks: a short id alone is found in numbers, too.
        """
        student = [_ROW_BEGINS + re.escape(self.student.encode()) + _ROW_GOES_ON] if with_student else []
        return self._finder(student, student=with_student)

    def _finder(self, *kinds: list[bytes], student: bool = True) -> Finder:
        texts = (self.student, *self.names, *self.unique) if student else (*self.names, *self.unique)
        return Finder([*chain(*kinds), *map(re.escape, _forms(self.unique))], _forms(texts))

    def longest(self) -> int:
        """The length in bytes of the longest text to look for."""
        return max(len(json.dumps(text)) for text in (self.student, *self.names, *self.unique)) + 32


def _forms(texts: Iterable[str]) -> frozenset[bytes]:
    """Each text as it is written, also as JSON writes it in ASCII."""
    return frozenset(form for text in texts for form in (text.encode(), json.dumps(text)[1:-1].encode()))


def _words(texts: Iterable[str]) -> list[bytes]:
    """Patterns for each text between characters that are no part of a word."""
    if not (forms := _forms(texts)):
        return []
    any_ = b"|".join(map(re.escape, sorted(forms)))
    return [rb"(?<!" + _WORD + rb")(?:" + any_ + rb")(?!" + _WORD + rb")"]
