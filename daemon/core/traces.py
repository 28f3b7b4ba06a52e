"""Traces of a student: what names one, told from what only looks alike (`s1` in `s10`)."""

import json
import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import PurePath

_WORD = rb"[A-Za-z0-9._-]"


def names_student(relative: PurePath, student: str) -> bool:
    """Whether a path below the inbox is a student's: by its first folder, or by what its name has before the
    first `_`. It need not be one that becomes a task.
    """
    before, underscore, _ = relative.name.partition("_")
    named = [*relative.parts[:1]] if len(relative.parts) > 1 else []
    named += [before] if underscore else []
    return student in (unicodedata.normalize("NFC", name) for name in named)


@dataclass(frozen=True, slots=True)
class Traces:
    """What to look for: the student's id, names of files that nobody else's have, and what is unique by
    itself (ids of claims, SHA-256, names of results), which is found anywhere.
    """

    student: str
    names: frozenset[str] = frozenset()
    unique: frozenset[str] = frozenset()

    def in_text(self) -> re.Pattern[bytes]:
        """Finds the student's id and the names as whole words, and all that is unique."""
        return _any_of(_words([self.student, *self.names]), self._anywhere())

    def in_other_text(self) -> re.Pattern[bytes]:
        """The same for a text that is about somebody else, where the id may be a word that was said."""
        return _any_of(_words(self.names), self._anywhere())

    def in_document(self) -> re.Pattern[bytes]:
        """The same for a JSON document, which has its own field for the id."""
        field = rb'"student_id"\s*:\s*' + re.escape(json.dumps(self.student, ensure_ascii=False).encode())
        return _any_of([field], _words(self.names), self._anywhere())

    def in_pages(self, *, with_student: bool) -> re.Pattern[bytes]:
        """Finds what is unique in the pages of a database, where columns follow without a gap.

        The student's id is unique there `with_student`: when nothing that is kept has it as a part.
        """
        student = [re.escape(self.student.encode())] if with_student else []
        return _any_of(student, self._anywhere())

    def longest(self) -> int:
        """The length in bytes of the longest text that is looked for."""
        return max(len(json.dumps(text)) for text in (self.student, *self.names, *self.unique)) + 32

    def _anywhere(self) -> list[bytes]:
        return [re.escape(text.encode()) for text in sorted(self.unique)]


def _any_of(*kinds: list[bytes]) -> re.Pattern[bytes]:
    """A pattern that finds any of these; none of them finds nothing."""
    every = [pattern for kind in kinds for pattern in kind]
    return re.compile(b"|".join(every) if every else rb"(?!)")


def _words(texts: Collection[str]) -> list[bytes]:
    """Each text between what is no part of a word; also as JSON writes it in ASCII."""
    written = {form for text in texts for form in (text.encode(), json.dumps(text)[1:-1].encode())}
    if not written:
        return []
    any_ = b"|".join(re.escape(form) for form in sorted(written))
    return [rb"(?<!" + _WORD + rb")(?:" + any_ + rb")(?!" + _WORD + rb")"]
