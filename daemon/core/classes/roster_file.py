"""Roster files: our own columns, or what Moodle and Canvas export."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import dropwhile

from pydantic import ValidationError

from daemon.core.classes.columns import RosterColumn, columns, is_test_student, participant_number
from daemon.core.classes.roster import MOST_ENTRIES, RosterEntry
from daemon.core.classes.sheet import SheetUnreadable, TableFile, TableRow
from daemon.core.intake.naming import is_safe, printable
from daemon.core.spelling import UNSEEN, folded

MOST_BYTES = 20_000_000
_MOST_FAULTS = 20
_ROUNDED = re.compile(r"\d([.,]\d+)?E\+\d+", re.IGNORECASE)
_AS_TEXT = re.compile(r'="(.*)"')  # keeps the zeros that a number begins with
_OTHER_KEYS = (RosterColumn.NUMBER, RosterColumn.LOGIN, RosterColumn.PARTICIPANT, RosterColumn.USER)
"""What a platform knows a person by. The first that each row has is the id, the others are aliases: people
name recordings by what they know of themselves, and downloads are named by any of these.
"""
_ARCHIVES = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")  # Excel's own files


@dataclass(frozen=True, slots=True)
class RosterFile:
    """The content of a roster file, and what of it could not be read: a line each, with row and column."""

    entries: tuple[RosterEntry, ...]
    faults: tuple[str, ...] = ()


def read_roster(content: bytes) -> RosterFile:
    """Read a roster file. One with faults has no entries: nobody may be missing without being noticed."""
    try:
        return _read(content)
    except SheetUnreadable as exc:
        return RosterFile((), (f"the file cannot be read: {exc}",))


def _read(content: bytes) -> RosterFile:
    if content.startswith(_ARCHIVES) or len(content) > MOST_BYTES:
        raise SheetUnreadable("it is no CSV; open it in a spreadsheet, and save it as CSV (UTF-8)")
    sheet = TableFile(content)
    titles, body, found = _below_headings(sheet.rows)
    rows = _people(titles, body, found)
    id_column = _id_column(rows, found)
    if id_column is None:
        told = ", ".join(map(printable, titles[:8]))
        return RosterFile((), (f"row 1: no column tells who a student is ({told}); name one: student",))
    if len(rows) > MOST_ENTRIES:
        return RosterFile((), (f"row {MOST_ENTRIES + 2}: a roster has at most {MOST_ENTRIES} students",))
    reader = _Reader(titles, found, id_column)
    students = _students(rows, id_column, found)
    entries = [
        entry for row, student in zip(rows, students, strict=True) for entry in reader.read(row, student)
    ]
    if not rows:
        reader.faults.append("row 2: there are no students below the titles")
    if reader.faults:
        more = len(reader.faults) - _MOST_FAULTS
        return RosterFile((), (*reader.faults[:_MOST_FAULTS], *([f"and {more} more"] if more > 0 else [])))
    return RosterFile(tuple(entries))


def _below_headings(
    rows: Sequence[TableRow],
) -> tuple[list[str], Sequence[TableRow], dict[RosterColumn, int]]:
    """The titles, the rows below and the columns, without a heading above, or a line for Excel."""
    for at, row in enumerate(rows):
        titles, body = [cell.strip() for cell in row.cells], rows[at + 1 :]
        found = columns(titles, body)
        is_heading = sum(map(bool, titles)) <= 1 or folded(titles[0]).startswith("sep=")
        if not is_heading or _ids(found):
            return titles, body, found
    raise SheetUnreadable("it has no titles of columns, as in: student,name,group,email")


class _Reader:
    """Reads rows into entries, and collects the faults."""

    def __init__(
        self, titles: Sequence[str], found: Mapping[RosterColumn, int], id_column: RosterColumn
    ) -> None:
        self._titles, self._found, self._id = titles, found, id_column
        self._rows: dict[str, int] = {}
        self.faults: list[str] = []

    def read(self, row: TableRow, student: str) -> Iterator[RosterEntry]:
        """The entry of a row with this id; none for one with a fault."""
        fault = _wrong_id(student)
        first = self._rows.setdefault(folded(student), row.number)
        if not fault and first != row.number:
            fault = f"{printable(student)} is in row {first} already; remove one of them"
        if fault:
            self._complain(row, self._id, fault)
            return
        others = (_key(row, column, self._found) for column in _OTHER_KEYS if column in self._found)
        try:
            yield RosterEntry(
                student=student,
                name=_name(row, self._found),
                group=_text(row, RosterColumn.GROUP, self._found),
                email=_text(row, RosterColumn.EMAIL, self._found),
                aliases=tuple(dict.fromkeys(key for key in others if key and key != student)),
            )
        except ValidationError as exc:
            column = RosterColumn(str(exc.errors()[0]["loc"][0]).replace("aliases", RosterColumn.NUMBER))
            self._complain(row, column, "the text is longer than 200 characters; shorten it")

    def _complain(self, row: TableRow, column: RosterColumn, fault: str) -> None:
        title = printable(self._titles[self._found[column]]) if column in self._found else column
        self.faults.append(f"row {row.number}, column {title}: {fault}")


def _id_column(rows: Sequence[TableRow], found: Mapping[RosterColumn, int]) -> RosterColumn | None:
    """The column of the ids: the lab's own, else the first that each row has."""
    if RosterColumn.STUDENT in found:
        return RosterColumn.STUDENT
    there = _ids(found)
    filled = [column for column in there if all(_key(row, column, found) for row in rows)]
    some = [column for column in there if any(_key(row, column, found) for row in rows)]
    return next(iter((*filled, *some, *there)), None)


def _students(rows: Sequence[TableRow], column: RosterColumn, found: Mapping[RosterColumn, int]) -> list[str]:
    """The id of each row. Where two addresses have the same before the `@`, each is an id whole."""
    short = [_key(row, column, found) for row in rows]
    if column is not RosterColumn.EMAIL:
        return short
    whole = [unicodedata.normalize("NFKC", _text(row, column, found)) for row in rows]
    addresses = defaultdict(set)
    for local, address in zip(short, whole, strict=True):
        addresses[folded(local)].add(folded(address))
    return [
        local if len(addresses[folded(local)]) == 1 else address
        for local, address in zip(short, whole, strict=True)
    ]


def _ids(found: Mapping[RosterColumn, int]) -> list[RosterColumn]:
    """The columns that can tell who somebody is, the best first."""
    return [each for each in (RosterColumn.STUDENT, *_OTHER_KEYS, RosterColumn.EMAIL) if each in found]


def _people(
    titles: Sequence[str], body: Sequence[TableRow], found: Mapping[RosterColumn, int]
) -> list[TableRow]:
    """The rows of somebody. Canvas has rows of points above them, without a number, and a test student."""
    rows = [row for row in body if any(cell.strip() for cell in row.cells)]
    if RosterColumn.STUDENT in found or "student" not in map(folded, titles):
        return rows

    def has_number(row: TableRow) -> bool:
        return any(_key(row, column, found) for column in _OTHER_KEYS)

    students = dropwhile(lambda row: not has_number(row), rows)
    return [row for row in students if not is_test_student(row, found)]


def _key(row: TableRow, column: RosterColumn, found: Mapping[RosterColumn, int]) -> str:
    """What a row says in a column of ids; of an address what stands before the `@`."""
    text = unicodedata.normalize("NFKC", _text(row, column, found))
    if column is RosterColumn.PARTICIPANT:
        return participant_number(text)
    return text.partition("@")[0] if column is RosterColumn.EMAIL else text


def _name(row: TableRow, found: Mapping[RosterColumn, int]) -> str:
    if RosterColumn.NAME in found:
        last, comma, first = _text(row, RosterColumn.NAME, found).partition(",")
        return f"{first.strip()} {last.strip()}" if comma and first.strip() else last
    return f"{_text(row, RosterColumn.FIRST, found)} {_text(row, RosterColumn.LAST, found)}".strip()


def _text(row: TableRow, column: RosterColumn, found: Mapping[RosterColumn, int]) -> str:
    """A cell on one line in NFC, without what cannot be seen at its ends."""
    if column not in found:
        return ""
    cell = row.cell(found[column])
    wrapped = _AS_TEXT.fullmatch(cell)
    text = " ".join((wrapped[1] if wrapped else cell).split())
    return unicodedata.normalize("NFC", text.strip(UNSEEN))


def _wrong_id(student: str) -> str:
    """Why a text cannot be an id; empty if it can."""
    if not student:
        return "it is empty; give each student an id"
    if _ROUNDED.fullmatch(student):
        return f"a spreadsheet has rounded {student}; format the column as text, and export it again"
    if len(student) > 64 or not is_safe(student):
        told = "it begins with a letter or a digit, has no '/', and at most 64 characters"
        return f"{printable(student[:80])} can be no id; {told}"
    return ""
