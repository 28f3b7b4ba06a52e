"""`introeval report`: a class as one page, and a page for each student."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.classes import ClassArgument
from daemon.cli.common import configuration
from daemon.cli.declare import AsJson
from daemon.cli.exit_codes import ExitCode
from daemon.cli.lines import Line, say
from daemon.cli.outgoing import Force, opened, write

if TYPE_CHECKING:
    from daemon.classes.outgoing import ClassResults
    from daemon.core.exports.members import Note
    from daemon.store import Database


def report(
    name: ClassArgument = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="The page to write.")] = None,
    students: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write a page for each student there instead.")
    ] = None,
    pdf: Annotated[bool, typer.Option("--pdf", help="Print each page as PDF, too, with Chromium.")] = False,
    force: Force = False,
    as_json: AsJson = False,
) -> int:
    """Write the report of a class: one HTML file, to be opened, printed or sent.

    With --students, a page for each student whose result is released, or could not be rated: what was heard,
    the ratings with what they rest on, and what to do next. The others are listed, and the exit code is 3.
    """
    left: list[Note] = []
    with opened(name) as (db, results):
        if students is None:
            out = out or Path(f"{results.name}.html")
            files = {out: _report(db, results)}
        else:
            files, left = _pages(students, results)
    if pdf:
        from daemon.publishing.paper import printed

        files |= {path.with_suffix(".pdf"): printed(page) for path, page in files.items()}
    write(files, force=force)
    where = out if students is None else students
    if as_json:
        told = [{"student": note.student, "name": note.name, "reason": note.reason} for note in left]
        print(json.dumps({"files": list(map(str, files)), "withheld": told}, indent=2, ensure_ascii=False))
    else:
        say(
            [
                Line(
                    f"{'the report is' if students is None else _pages_are(len(files))} in {where}",
                    "green",
                )
            ]
        )
        say(Line(f"  {note.student} {note.name}: {note.reason}", indent=4) for note in left)
    return ExitCode.SOME_FAILED if left else ExitCode.DONE


def _pages_are(count: int) -> str:
    return "1 page is" if count == 1 else f"{count} pages are"


def _report(db: "Database", results: "ClassResults") -> bytes:
    from daemon.classes.outgoing import machine_time
    from daemon.core.timestamps import to_iso
    from daemon.publishing.class_report import class_report

    phases, points = machine_time(db, results.members)
    return class_report(results.name, to_iso(time.time()), results.counts, results.members, phases, points)


def _pages(folder: Path, results: "ClassResults") -> "tuple[dict[Path, bytes], list[Note]]":
    from daemon.core.exports.members import not_leaving
    from daemon.core.intake.naming import outbox_folder
    from daemon.publishing.student_page import has_page, student_page

    contact = configuration().exports.contact
    having = [member for member in results.members if has_page(member)]
    pages = {
        folder / f"{outbox_folder(m.student)}.html": student_page(m, results.name, contact) for m in having
    }
    return pages, not_leaving([member for member in results.members if not has_page(member)], ())
