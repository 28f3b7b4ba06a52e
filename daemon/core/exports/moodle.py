"""Moodle's grading worksheet, filled in, and its archive of feedback files.

By the importers of Moodle (`assignfeedback_offline`, `assignfeedback_file`): a row is found by the number at
the end of its first cell, grade and feedback by the localised titles of their columns. A maximum stands right
of the grade. A feedback is HTML. Of the path of a feedback file each folder is split at its underscores; the
second part is the participant's number, and the third and fourth name a plugin. A row whose
grade is locked is passed over without a word.
"""

import io
import re
import unicodedata
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from daemon.core.classes.columns import RosterColumn, columns, participant_number
from daemon.core.classes.sheet import TableFile
from daemon.core.content.document import Criterion, Evaluation
from daemon.core.errors import UsageError
from daemon.core.exports.grades import is_number, scaled
from daemon.core.exports.members import ClassMember, Exported, Note, SheetClaim, not_leaving, placed

FEEDBACK_FILE = "feedback.html"

_NO = frozenset("no|nein|non|não|nee|nie|nej|ei|ne|hayır|нет|いいえ|否|不".split("|"))
_UNSAFE = re.compile(r'[_/\\:*?"<>|&`\'\s]+')
_LONGEST_NAME = 80
_NO_POINTS = ", and no points can be entered; set the assignment to points in Moodle"
_DATE = re.compile(r"\d[:h]\d\d|\b\d{4}\b")
_EPOCH = (1980, 1, 1, 0, 0, 0)  # of every member, so that the same results give the same bytes


@dataclass(frozen=True, slots=True)
class Titles:
    """The titles that the columns of a worksheet may have; a worksheet may lack that of the feedback."""

    grade: Sequence[str]
    feedback: Sequence[str]


class Worksheet:
    """A grading worksheet and whose its rows are. Raises SheetUnreadable, UsageError."""

    def __init__(self, content: bytes, titles: Titles, members: Sequence[ClassMember]) -> None:
        self._sheet, self._members = TableFile(content), members
        self._grade = _column(self._sheet.titles, titles.grade)
        if self._grade is None:
            told = f"no column of the worksheet is titled {' or '.join(titles.grade)}; there are: "
            told += ", ".join(filter(None, self._sheet.titles))
            raise UsageError(f"{told}; name it in the configuration as exports.grade_titles")
        self._feedback = _column(self._sheet.titles, titles.feedback)
        self._rows = {row.number: row for row in self._sheet.body}
        found = columns(self._sheet.titles, self._sheet.body)
        if self._rows and RosterColumn.PARTICIPANT not in found:
            told = "the first column of the worksheet has no participant's number in each row"
            raise UsageError(f"{told}; give Moodle's grading worksheet as it was downloaded")
        self._whose, self._unplaced = placed([SheetClaim.of(row, found) for row in self._sheet.body], members)

    def filled(self, criterion: Criterion) -> Exported:
        """The worksheet with the grades and the feedback of those who are released."""
        assert self._grade is not None
        cells: dict[tuple[int, int], str] = {}
        replaced = []
        released = {number: member for number, member in self._whose.items() if member.released}
        leaving = {number: member for number, member in released.items() if not self._is_locked(number)}
        maximum = self._maximum(self._grade)
        for number, member in leaving.items():
            new = {self._grade: scaled(member.score(criterion), maximum)}
            if self._feedback is not None:
                new[self._feedback] = feedback(member)
            for column, text in new.items():
                cells[number, column] = text
                before = self._rows[number].cell(column)
                if before and before != text:
                    told = f"row {number}: {self._sheet.titles[column]} was {before!r}"
                    replaced.append(Note(member.student, member.name, told))
        told = "the grade is locked in Moodle; unlock it there, and download the worksheet again"
        locked = [
            Note(member.student, member.name, f"row {number}: {told}")
            for number, member in released.items()
            if number not in leaving
        ]
        withheld = [*not_leaving(self._members, released.values()), *locked, *self._unplaced]
        entered = tuple(member.student for member in leaving.values())
        return Exported(self._sheet.changed(cells), entered, tuple(withheld), tuple(replaced))

    def folders(self) -> dict[str, ClassMember]:
        """The folder of each member's feedback files. No name of it is of use to Moodle but the number."""
        return {
            _folder(member.name, participant_number(self._rows[number].cell(0))): member
            for number, member in self._whose.items()
        }

    def _is_locked(self, number: int) -> bool:
        """Whether "Grade can be changed" says no: right of the maximum, or of the marking's state."""
        assert self._grade is not None
        row = self._rows[number]
        return any(row.cell(self._grade + right).casefold() in _NO for right in (2, 3))

    def _maximum(self, grade: int) -> str:
        """The maximum grade; 10 where no column has one. Raises UsageError for a scale of words, whose items
        stand in the place of a maximum.
        """
        beside = {row.cell(grade + 1) for row in self._rows.values()}
        found = sorted(beside - {""})
        if len(found) == 1 and is_number(one := found[0]) and float(one.replace(",", ".")) > 0:
            return one
        if len(beside) == 1 and found and grade + 1 != self._feedback and _is_scale(found[0]):
            raise UsageError(f"the worksheet has the scale {found[0]!r}{_NO_POINTS}")
        told = {row.cell(grade) for row in self._rows.values()} - {"", "-"}
        if words := sorted(text for text in told if not is_number(text)):
            raise UsageError(f"a grade of the worksheet is {words[0]!r}: it has a scale of words{_NO_POINTS}")
        return "10"


def _is_scale(text: str) -> bool:
    """Whether a cell lists the items of a scale, and is no date, which has commas in many languages."""
    return sum(bool(item.strip()) for item in text.split(",")) > 1 and not _DATE.search(text)


def feedback(member: ClassMember) -> str:
    """The feedback and the suggestions as HTML on one line, which no spreadsheet takes for a formula."""
    rating = member.result.evaluation if member.result else None
    assert isinstance(rating, Evaluation)
    told = f"<p>{_html(rating.feedback)}</p>"
    suggestions = "".join(f"<li>{_html(text)}</li>" for text in rating.suggestions)
    return told + (f"<ul>{suggestions}</ul>" if suggestions else "")


def archive(pages: Mapping[str, bytes]) -> bytes:
    """A zip of files by their path. The same files give the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for path, content in sorted(pages.items()):
            member = zipfile.ZipInfo(path, _EPOCH)
            member.external_attr, member.compress_type = 0o644 << 16, zipfile.ZIP_DEFLATED
            packed.writestr(member, content)
    return out.getvalue()


def _column(titles: Sequence[str], wanted: Iterable[str]) -> int | None:
    """The one column with one of these titles. Raises UsageError where there are two."""
    names = {title.strip().casefold() for title in wanted}
    found = [column for column, title in enumerate(titles) if title.casefold() in names]
    if len(found) > 1:
        raise UsageError(f"two columns of the worksheet are titled {titles[found[0]]}; rename one")
    return found[0] if found else None


def _html(text: str) -> str:
    return escape(" ".join(text.split()), quote=False)


def _folder(name: str, participant: str) -> str:
    """The name of a folder, of which a person's name is a part: without what splits, hides or ends it."""
    plain = "".join(
        c for c in unicodedata.normalize("NFC", name) if unicodedata.category(c)[0] != "C" or c == " "
    )
    shown = _UNSAFE.sub(" ", plain).strip(" .~")[:_LONGEST_NAME].strip(" .~")
    return f"{shown or 'Participant'}_{participant}_assignsubmission_file_"
