"""`introeval export`: the released results of a class for Moodle, for Canvas, and as a table."""

import json
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.classes import ClassArgument
from daemon.cli.common import configuration
from daemon.cli.declare import AsJson
from daemon.cli.exit_codes import ExitCode
from daemon.cli.lines import Line, say
from daemon.cli.outgoing import Force, opened, read, write
from daemon.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daemon.classes.outgoing import ClassResults
    from daemon.core.content.document import Criterion
    from daemon.core.exports.members import ClassMember, Exported, Note


class ExportTarget(StrEnum):
    """What a class is exported to."""

    MOODLE = "moodle"
    CANVAS = "canvas"
    CSV = "csv"


def export(
    to: Annotated[ExportTarget, typer.Option(help="Moodle's worksheet, Canvas's grade book, or a table.")],
    name: ClassArgument = None,
    sheet: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The worksheet or the grade book, as downloaded.")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="The file to write.")] = None,
    feedback: Annotated[
        Path | None, typer.Option(metavar="PLACE", help="Of Moodle, feedback files: a .zip, or a folder.")
    ] = None,
    assignment: Annotated[
        str | None, typer.Option(metavar="TITLE", help="Of Canvas: 'Title (id)', the title or the id.")
    ] = None,
    criterion: Annotated[str, typer.Option(help="The score that is the grade.")] = "overall_rating",
    force: Force = False,
    as_json: AsJson = False,
) -> int:
    """Write the released results of a class for a grade book.

    For Moodle and Canvas give the worksheet or the grade book as you downloaded it: the grades are filled in,
    on its own scale, and every other byte stays. The new file is beside it, as NAME-graded.csv. What is held
    back, and who could not be matched, is said at the end, and the exit code is 3.
    """
    if (sheet is None) is not (to is ExportTarget.CSV):
        raise UsageError(
            "--sheet FILE goes with --to moodle and --to canvas, which need it, and not with csv"
        )
    if (feedback and to is not ExportTarget.MOODLE) or (assignment and to is not ExportTarget.CANVAS):
        raise UsageError("--feedback goes with --to moodle, and --assignment with --to canvas")
    with opened(name) as (_, results):
        exported, more = _made(to, results, sheet, assignment, feedback, _criterion(criterion))
    if out is None:
        out = Path(f"{results.name}.csv") if sheet is None else sheet.with_stem(f"{sheet.stem}-graded")
    files = {out: exported.content, **more}
    write(files, force=force)
    _tell(exported, out, feedback, as_json=as_json)
    return ExitCode.SOME_FAILED if exported.withheld else ExitCode.DONE


def _made(
    to: ExportTarget,
    results: "ClassResults",
    sheet: Path | None,
    assignment: str | None,
    feedback: Path | None,
    criterion: "Criterion",
) -> "tuple[Exported, dict[Path, bytes]]":
    """The table for a target, and the files of the feedback."""
    from daemon.core.classes.sheet import SheetUnreadable
    from daemon.core.exports import canvas, moodle, table

    if sheet is None:
        return table.every_field(results.members), {}
    content = read(sheet, "the file that you downloaded")
    try:
        if to is ExportTarget.CANVAS:
            return canvas.graded(content, assignment, results.members, criterion), {}
        settings = configuration().exports
        titles = moodle.Titles(settings.grade_titles, settings.feedback_titles)
        worksheet = moodle.Worksheet(content, titles, results.members)
        files = {} if feedback is None else _feedback(feedback, results.name, worksheet.folders())
        return worksheet.filled(criterion), files
    except SheetUnreadable as exc:
        raise UsageError(f"{sheet} cannot be used: {exc}") from exc


def _feedback(place: Path, name: str, folders: "Mapping[str, ClassMember]") -> dict[Path, bytes]:
    """A page for each student who gets one: as files in a folder, or as one zip."""
    from daemon.core.exports.moodle import FEEDBACK_FILE, archive
    from daemon.publishing.student_page import has_page, student_page

    contact = configuration().exports.contact
    pages = {
        f"{folder}/{FEEDBACK_FILE}": student_page(member, name, contact)
        for folder, member in folders.items()
        if has_page(member)
    }
    if place.suffix == ".zip":
        return {place: archive(pages)}
    return {place / path: content for path, content in pages.items()}


def _criterion(named: str) -> "Criterion":
    from daemon.core.content.document import CRITERIA

    for criterion in CRITERIA:
        if criterion == named:
            return criterion
    raise UsageError(f"{named!r} is no criterion; use one of: {', '.join(CRITERIA)}")


def _tell(exported: "Exported", out: Path, feedback: Path | None, *, as_json: bool) -> None:
    if as_json:
        said = {
            "file": str(out),
            "feedback": feedback and str(feedback),
            "entered": exported.entered,
            "replaced": [_fields(note) for note in exported.replaced],
            "withheld": [_fields(note) for note in exported.withheld],
        }
        print(json.dumps(said, indent=2, ensure_ascii=False))
        return
    say([Line(f"{len(exported.entered)} results are in {out}", "green")])
    if feedback is not None:
        say([f"the feedback files are in {feedback}"])
    say(_noted("replaced", exported.replaced))
    say(_noted("held back, or not matched", exported.withheld))


def _fields(note: "Note") -> dict[str, str]:
    return {"student": note.student, "name": note.name, "reason": note.reason}


def _noted(what: str, notes: "tuple[Note, ...]") -> Iterator[Line]:
    if notes:
        yield Line(f"{len(notes)} {what}:", "yellow")
    for note in notes:
        who = " ".join(filter(None, (note.student, note.name))) or "(no name)"
        yield Line(f"  {who}: {note.reason}", indent=4)
