"""Readers of what goes to Moodle and Canvas, by the rules of their own importers.

Moodle: `mod/assign/feedback/offline/importgradeslib.php`, `mod/assign/feedback/file/importziplib.php`.
Canvas: `lib/gradebook_importer.rb`. Written anew from their rules. Where one stops, it raises Refused.
"""

import csv
import io
import re
import zipfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any


class Refused(Exception):
    """The importer does not take the file."""


@dataclass(frozen=True)
class MoodleSite:
    """The words of Moodle's language, and its decimal mark."""

    participant: str = "Participant "
    identifier: str = "Identifier"
    grade: str = "Grade"
    modified: str = "Last modified (grade)"
    feedback: str = "Feedback comments"
    decimal: str = "."


ENGLISH = MoodleSite()
GERMAN = MoodleSite(
    "Teilnehmer/in", "ID", "Bewertung", "Zuletzt geändert (Bewertung)", "Feedback als Kommentar", ","
)


def moodle_reads(
    content: bytes,
    enrolled: Collection[int],
    maximum: float,
    site: MoodleSite = ENGLISH,
    encoding: str = "utf-8",
) -> dict[int, tuple[float | None, str]]:
    """The grade (None: unchanged) and the feedback that each participant gets."""
    text = content.decode(encoding).removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    delimiter = ";" if text.partition("\n")[0].count(";") > text.partition("\n")[0].count(",") else ","
    titles, *rows = [
        [cell.strip() for cell in row] for row in csv.reader(io.StringIO(text), delimiter=delimiter) if row
    ]
    try:
        at_id, at_grade, _ = (titles.index(each) for each in (site.identifier, site.grade, site.modified))
    except ValueError as exc:
        raise Refused("invalidgradeimport") from exc
    at_feedback = titles.index(site.feedback) if site.feedback in titles else None
    given = {}
    for row in rows:
        if len(row) != len(titles):
            raise Refused("csvweirdcolumns")
        number = row[at_id].encode()[len(site.participant.encode()) :]
        if not number.strip().isdigit() or int(number) not in enrolled:
            continue
        written = row[at_grade].replace(" ", "").replace(site.decimal, ".")
        grade = float(written) if re.fullmatch(r"\d+(\.\d+)?", written) else None
        if grade is not None and grade > maximum:
            grade = None
        given[int(number)] = grade, "" if at_feedback is None else row[at_feedback]
    return given


def moodle_feedback(packed: bytes, enrolled: Collection[int]) -> dict[int, dict[str, bytes]]:
    """The feedback files that each participant gets, by their names."""
    given: dict[int, dict[str, bytes]] = {}
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        for member in archive.infolist():
            if member.is_dir() or member.filename.rpartition("/")[2].startswith((".", "~")):
                continue
            parts = ["import", *member.filename.split("/")]
            while parts:
                info = parts.pop(0).split("_", 4)
                if len(info) < 4 or not info[1].isdecimal() or int(info[1]) not in enrolled:
                    continue
                if (info[2], info[3]) != ("assignsubmission", "file"):
                    continue
                name = "/".join([*info[4:], *parts]).rpartition("/")[2]
                given.setdefault(int(info[1]), {})[name] = archive.read(member)
                break
    return given


def canvas_reads(
    content: bytes, students: Mapping[int, Collection[str]], assignments: Mapping[int, str]
) -> dict[int, dict[int, str]]:
    """The grade of each student's assignments. `students` are known by their number, with their SIS ids.

    A title that Canvas does not know would make a new assignment, and a student likewise: both are Refused.
    """
    text = content.decode().removeprefix("\ufeff")
    delimiter = _canvas_delimiter(text)
    skipped = re.compile(r"^[;, ]+$")
    lines = [line for line in text.splitlines(keepends=True) if not skipped.match(line.rstrip("\r\n"))]
    titles, *rows = [[_period(cell) for cell in row] for row in csv.reader(lines, delimiter=delimiter) if row]
    if len(titles) <= 3 or "Student" not in titles[0] or "ID" not in titles[1]:
        raise Refused("Invalid header row")
    count = 3
    if re.search(r"SIS\s+Login\s+ID", titles[2]):
        count += 1
    elif re.search(r"SIS\s+User\s+ID", titles[2]) and re.search(r"SIS\s+Login\s+ID", titles[3]):
        count += 2 + bool(re.search(r"Integration\s+ID", titles[4]))
        count += bool(re.search(r"Root\s+Account", titles[count - 1]))
    if "Section" not in titles[count - 1]:
        raise Refused("Invalid header row")
    columns = {at: _assignment(titles[at], assignments) for at in range(count, len(titles))}
    given: dict[int, dict[int, str]] = {}
    for row in rows:
        if "Points Possible" in row[0] or all(
            re.match(r"(?i)^\s*(Muted|Manual Posting.*)?\s*$", c) for c in row
        ):
            continue
        number = _student(row, students)
        if number in given:
            raise Refused(f"two rows of {number}")
        given[number] = {assignment: row[at].strip() for at, assignment in columns.items()}
    return given


def _assignment(title: str, assignments: Mapping[int, str]) -> int:
    found = re.fullmatch(r"(.*)\s\((\d+)\)", title)
    if found and int(found[2]) in assignments:
        return int(found[2])
    for number, known in assignments.items():
        if known == title:
            return number
    raise Refused(f"a new assignment {title!r}")


def _student(row: list[str], students: Mapping[int, Collection[str]]) -> int:
    if row[1].isdecimal() and int(row[1]) in students:
        return int(row[1])
    for number, known in students.items():
        if set(known) & set(row[2:4]):
            return number
    raise Refused(f"a new student {row[0]!r}")


def _canvas_delimiter(text: str) -> str:
    first = list(islice(text.splitlines(), 3))
    widths: dict[str, Any] = {}
    for delimiter in ";,":
        found = {len(next(csv.reader([line], delimiter=delimiter), [])) for line in first}
        widths[delimiter] = found.pop() if len(found) == 1 else 0
    return ";" if widths[";"] > widths[","] else ","


def _period(cell: str) -> str:
    """Canvas takes the last mark of a number for the decimal one."""
    if not re.fullmatch(r"-?[0-9.,]+%?", cell):
        return cell
    *whole, last = re.split(r"[,.]", cell)
    return f"{''.join(whole)}.{last}" if whole else last
