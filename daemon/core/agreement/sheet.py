"""The sheet that people score in: CSV, as spreadsheets write and read it."""

import csv
import io
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from daemon.core.agreement.anchors import ASKED
from daemon.core.classes.cells import cell
from daemon.core.content.document import CRITERIA, Criterion

ID = "task"
_SCORE = re.compile(r"(10|[1-9])([.,]0+)?")
_DELIMITERS = ",;\t"


@dataclass(frozen=True, slots=True)
class ScoredSheet:
    """The scores that a sheet has, by task, and what is wrong with it, one line each."""

    scores: dict[int, dict[Criterion, int]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def write_sheet(rows: Iterable[Mapping[str, str]], scores: Mapping[int, Mapping[Criterion, int]]) -> str:
    """The CSV of tasks to score: the columns of each row, and one for each criterion.

    A text that a spreadsheet would take for a formula gets an apostrophe in front.
    """
    listed = list(rows)
    out = io.StringIO()
    writer = csv.DictWriter(out, [*(listed[0] if listed else (ID,)), *ASKED])
    writer.writeheader()
    for row in listed:
        writer.writerow(
            {key: cell(" ".join(text.split())) for key, text in row.items()}
            | dict(scores.get(int(row[ID]), {}))
        )
    return out.getvalue()


def read_sheet(text: str, tasks: Collection[int]) -> ScoredSheet:
    """Read the scores of a sheet about these tasks. Rows are counted as a spreadsheet does, from 1."""
    head = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=head.count)
    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text), delimiter=delimiter)]
    except csv.Error as exc:
        return ScoredSheet(faults=[f"this is no CSV ({exc}); save it as CSV"])
    names = rows[0] if rows else []
    if missing := [name for name in (ID, *CRITERIA) if names.count(name) != 1]:
        return ScoredSheet(faults=[f"row 1: the column {name} must be there once" for name in missing])
    sheet = ScoredSheet()
    for number, row in enumerate(rows[1:], 2):
        cells = dict(zip(names, row, strict=False))
        if any(row):
            sheet.faults.extend(_read_row(number, cells, tasks, sheet.scores))
    return sheet


def _read_row(
    number: int,
    cells: Mapping[str, str],
    tasks: Collection[int],
    scores: dict[int, dict[Criterion, int]],
) -> Iterator[str]:
    """Add the scores of a row to `scores`. Gives its faults."""
    named = cells.get(ID, "")
    task_id = int(named) if re.fullmatch("[0-9]{1,18}", named) else None
    if task_id is None or task_id not in tasks:
        yield f"row {number}, column {ID}: {named[:20]!r} is no task of this class; give its number"
        return
    if task_id in scores:
        yield f"row {number}, column {ID}: task {task_id} is there twice; delete one row"
        return
    found = scores[task_id] = {}
    for criterion in CRITERIA:
        said = cells.get(criterion, "")
        if match := _SCORE.fullmatch(said):
            found[criterion] = int(match[1])
        elif said:
            told = f"{said[:20]!r} is no score; give a whole number from 1 to 10, or nothing"
            yield f"row {number}, column {criterion}: {told}"
