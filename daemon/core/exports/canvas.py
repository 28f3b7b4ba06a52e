"""Canvas's grade book with the grades of one assignment filled in.

By Canvas's importer: the titles of the students' columns are English in every language, and the last is
`Section`. An assignment is found by `Title (id)`; another title would make a new assignment. A student is
found by `ID`, else by the ids of the SIS. Only what the file has is changed: so it has no other assignment,
and no row of a student without a new grade, whose grade may be another in Canvas since it was exported.
"""

import re
from collections.abc import Sequence

from daemon.core.classes.columns import columns, is_test_student
from daemon.core.classes.sheet import TableFile, TableRow
from daemon.core.content.document import Criterion
from daemon.core.errors import UsageError
from daemon.core.exports.grades import is_number, scaled
from daemon.core.exports.members import ClassMember, Exported, Note, SheetClaim, not_leaving, placed

_LAST = "Section"
_ASSIGNMENT = re.compile(r"(?P<title>.*)\s\((?P<id>\d+)\)", re.DOTALL)
_NOT_GIVEN = {"N/A": "the assignment is not given to this student in Canvas", "EX": "excused in Canvas"}


def graded(
    content: bytes, wanted: str | None, members: Sequence[ClassMember], criterion: Criterion
) -> Exported:
    """An export of a grade book with the grades of one assignment, and nothing else to import.

    `wanted` is `Title (id)`, the title or the id; None where the export has but one assignment. Raises
    SheetUnreadable, UsageError.
    """
    sheet = TableFile(content)
    found = columns(sheet.titles, sheet.body)
    section = _section(sheet.titles)
    column = _assignment(sheet.titles, section, wanted)
    points = _points(sheet, column)
    students = [row for row in sheet.body if _is_student(row)]
    people = [row for row in students if not is_test_student(row, found)]
    whose, notes = placed([SheetClaim.of(row, found) for row in people], members)
    cells: dict[tuple[int, int], str] = {}
    replaced = []
    rows = {row.number: row for row in students}
    entered = {}
    for number, member in whose.items():
        before = rows[number].cell(column)
        if not member.released:
            continue
        entered[number] = member
        if before.upper() in _NOT_GIVEN:
            notes.append(Note(member.student, member.name, f"row {number}: {_NOT_GIVEN[before.upper()]}"))
            continue
        cells[number, column] = new = scaled(member.score(criterion), points)
        if before and before != new:
            replaced.append(Note(member.student, member.name, f"row {number}: the grade was {before}"))
    kept = (*range(section + 1), column)
    there = tuple(member.student for number, member in entered.items() if (number, column) in cells)
    withheld = (*not_leaving(members, entered.values()), *notes)
    others = {row.number for row in students if (row.number, column) not in cells}
    return Exported(sheet.changed(cells, kept, others), there, withheld, tuple(replaced))


def _section(titles: Sequence[str]) -> int:
    if not {"ID", _LAST} <= set(titles):
        raise UsageError(
            "this is no grade book of Canvas: it has no columns ID and Section; export it there again"
        )
    return titles.index(_LAST)


def _assignment(titles: Sequence[str], section: int, wanted: str | None) -> int:
    """The column of an assignment. Raises UsageError that lists those of the export."""
    there = {
        column: found
        for column, title in enumerate(titles)
        if column > section and (found := _ASSIGNMENT.fullmatch(title))
    }
    chosen = [
        column
        for column, found in there.items()
        if wanted is None or wanted.strip() in (found.group(), found["title"], found["id"])
    ]
    if len(chosen) == 1:
        return chosen[0]
    listed = "; ".join(found.group() for found in there.values()) or "none"
    told = "several assignments are in the grade book" if chosen else f"no assignment of it is {wanted!r}"
    if not there:
        raise UsageError("no assignment is in the grade book; create it in Canvas, and export again")
    raise UsageError(f"{told}: {listed}; name one with --assignment")


def _points(sheet: TableFile, column: int) -> str:
    """The points of an assignment. Raises UsageError where they are not told."""
    for row in sheet.body:
        if "Points Possible" in row.cell(0):
            points = row.cell(column)
            if is_number(points) and float(points.replace(",", ".")) > 0:
                return points
            told = f"{sheet.titles[column]} has no points in the grade book"
            raise UsageError(
                f"{told}, so no grade can be entered; set its points in Canvas, and export again"
            )
    raise UsageError("the grade book has no row Points Possible; export it from Canvas again")


def _is_student(row: TableRow) -> bool:
    """Whether a row is a student's: not that of the points, nor that of what is posted by hand."""
    return bool(row.cell(0)) and "Points Possible" not in row.cell(0)
