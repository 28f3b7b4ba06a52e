"""The names that devices, programs, platforms and people really write: each to its student, or refused."""

import json
import os
import re
import time
import unicodedata
from collections.abc import Iterator
from pathlib import Path, PurePath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.config.patterns import checked
from daemon.core.intake.kinds import ignored, is_package
from daemon.core.intake.naming import LONGEST_PATH, Named, Refusal, Refused
from daemon.core.intake.platforms import SHIPPED
from daemon.core.intake.students import Names

ROOT = Path(__file__).resolve().parents[2]
WORLD = json.loads((ROOT / "tests" / "data" / "names.json").read_text())
"""By kind: paths below the inbox, each with its student, the code of its refusal, or `ignored`."""
PAGE = ROOT / "docs" / "names.md"
SLOWEST_S = 0.2
"""Some 10 ms are the most that a name of these costs; a search that goes back and forth costs seconds."""

LAB = Names(r"s[0-9]{3}")
WIDE = Names(r"[\w. ,'-]{1,64}")


def outcome(path: str, names: Names | None = None) -> str:
    relative = PurePath(path)
    if ignored(relative):
        return "ignored"
    read = (names or Names()).read(relative)
    return read.student if isinstance(read, Named) else read.code


def refusal(path: str, names: Names | None = None) -> Refusal:
    read = (names or Names()).read(PurePath(path))
    assert isinstance(read, Refusal)
    return read


def world() -> Iterator[tuple[str, str]]:
    for rows in WORLD.values():
        yield from rows.items()


def test_the_world_is_large_enough() -> None:
    assert len(list(world())) >= 150


@pytest.mark.parametrize("kind", WORLD)
def test_each_name_of_the_world_is_of_its_student_or_refused(kind: str) -> None:
    assert {path: outcome(path) for path in WORLD[kind]} == WORLD[kind]


def test_no_two_spellings_of_unicode_differ() -> None:
    assert {path: outcome(unicodedata.normalize("NFD", path)) for path, _ in world()} == dict(world())


def test_two_people_of_one_name_are_two() -> None:
    first, second = "smithjohn_20001_812345_intro.mp4", "smithjohn_20002_812346_intro.mp4"
    assert outcome(first) != outcome(second)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("Anna Maria/intro.mp4", ["'Anna Maria'", "the space", "Anna-Maria"]),
        ("josé_video.mp4", ["'josé'", "'é'", "example jose"]),
        ("自己紹介_x.mp4", ["'自'", "example s060"]),
        ("IMG_2041.MOV", ["'IMG'", "<student>_IMG_2041.MOV"]),
        ("s060/s061/video.mp4", ["'s060' or of 's061'"]),
        ("Anna_Smith_intro.mp4", ["'Anna' or of 'Anna_Smith'"]),
        ("Essay_anna_b_attempt_2026-11-26-10-22-01_v.mp4", ["'b' or of 'anna_b'"]),
        (f"{'x' * 65}/a.mp4", ["matches"]),
        ("CS101-Introduction-778.zip", ["is an archive", "unpack it"]),
        ("s060/cv.pdf", ["is a document"]),
    ],
)
def test_a_refusal_tells_what_was_read_and_what_to_do(path: str, told: list[str]) -> None:
    message = refusal(path).message
    assert [part for part in told if part not in message] == []


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("Robotics/s080/anna/x.mp4", "s080"),
        ("CS101/s080_intro.mp4", "s080"),
        ("s080 intro.mp4", "s080"),
        ("s080.mp4", "s080"),
        ("anna/x.mp4", "no_student"),
        ("s080/s081_x.mp4", "no_student"),
        ("s0801_x.mp4", "no_student"),
        ("Anna Smith_12345_assignsubmission_file_/s080.mp4", "no_student"),
    ],
)
def test_a_labs_narrow_rule_decides_what_in_a_path_is_the_id(path: str, expected: str) -> None:
    assert outcome(path, LAB) == expected


def test_a_labs_rule_may_make_of_courses_and_dates_what_it_wants() -> None:
    assert outcome("CS101_intro.mp4", Names(r"CS[0-9]{3}")) == "CS101"
    assert outcome("20210123_intro.mp4", Names(r"[0-9]{8}")) == "20210123"
    assert outcome("21_CS_049_intro.mp4", Names(r"[0-9]{2}_[A-Z]{2}_[0-9]{3}")) == "21_CS_049"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("Anna Smith - intro.mp4", "Anna Smith"),
        ("Submitted files/Smith, Anna/Introduction/Version 1/v.mp4", "Smith, Anna"),
        ("josé_video.mp4", "josé"),
        ("IMG_2041.MOV", "no_student"),
    ],
)
def test_a_lab_that_allows_more_characters_has_no_camera_for_a_student(path: str, expected: str) -> None:
    assert outcome(path, WIDE) == expected


@pytest.mark.parametrize("student", ["..", ".", ".hidden", "_rejected", "-rf"])
def test_a_lax_pattern_makes_no_student_of_a_name_that_means_something_to_us(student: str) -> None:
    assert outcome(f"{student}/a.mp4", Names(".*")) in ("no_student", "ignored")
    assert outcome(f"{student}_a.mp4", Names(".*", ["(?P<student>.*)_a.mp4"])) in ("no_student", "ignored")


def test_a_labs_own_patterns_come_first_and_replace_nothing() -> None:
    own = Names(
        patterns=[r"(?P<lab>[^/]+)/[0-9]+-(?P<student>[a-z]+)[.].*", r"video of (?P<student>\w+)[.].*"]
    )
    assert outcome("CS101/12-anna.mp4", own) == "anna"
    assert outcome("video of s060.mov", own) == "s060"
    assert outcome("s061_intro.mp4", own) == "s061"
    assert refusal("video of é.mp4", own).code is Refused.NO_STUDENT
    assert str(LONGEST_PATH) in refusal(f"{'a' * 200}/{'b' * 200}.mp4", own).message


@pytest.mark.parametrize(
    "pattern",
    [
        "(",
        "s[0-9]+",
        "(?P<id>s[0-9]+)",
        "(?P<student>(a+)+)x",
        "(?P<student>([0-9_]*)*)y",
        "(?P<student>(a|aa)+)-",
        ".*.*.*.*.*(?P<student>z)",
    ],
)
def test_a_pattern_that_can_not_be_used_is_told_at_the_start(pattern: str) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(pattern))):
        checked(pattern, group="student")


@pytest.mark.parametrize("pattern", [r"(?P<lab>[^/]+)/(?P<group>[^/]+)/(?P<student>[^/_]+)_[^/]*[.].*"])
def test_an_honest_pattern_is_quick_enough(pattern: str) -> None:
    assert checked(pattern, group="student") == pattern


UNITS = [*"a0_-(", " - ", ", ", ". ", "_1", "a_", "_12_345", "2026-11-26", "1_attempt_", "my", "é "]


@pytest.mark.parametrize("unit", UNITS)
def test_no_name_takes_long_to_read(unit: str) -> None:
    hostile = (unit * 255)[:255]
    for path in (
        hostile,
        f"{hostile}_assignsubmission_",
        f"{hostile}/" * 8 + hostile,
        f"{hostile}_attempt_2026",
    ):
        began = time.thread_time()
        Names().read(PurePath(path))
        assert time.thread_time() - began < SLOWEST_S


pieces = st.sampled_from(
    [*"_ /.é", "s060", "IMG", "2041", " - ", "my", "intro", "CS101", "20261126", "(1)", "..", "Anna"]
)


@settings(max_examples=300)
@given(st.lists(pieces, min_size=1, max_size=9).map("".join), st.sampled_from([Names(), LAB, WIDE]))
def test_what_is_read_stands_in_the_path(path: str, names: Names) -> None:
    read = names.read(PurePath(f"{path}.mp4"))
    if isinstance(read, Named):
        assert read.student in unicodedata.normalize("NFC", path)


def test_the_page_shows_every_shipped_pattern_and_a_name_for_each_kind() -> None:
    page = rendered()
    if os.environ.get("INTROEVAL_WRITE_DOCS"):
        PAGE.write_text(page)
    assert PAGE.read_text() == page, "write it anew with INTROEVAL_WRITE_DOCS=1"


def test_the_example_of_each_shipped_pattern_is_read_by_it() -> None:
    for shipped in SHIPPED:
        match = shipped.pattern.search(shipped.example)
        assert match is not None
        assert shipped.student.startswith(match["student"])


def rendered() -> str:
    """The page of names, from the data and the code."""
    shipped = [f"| {each.platform} | `{each.example}` | {each.student} |" for each in SHIPPED]
    world = [row for kind, rows in WORLD.items() for row in _examples(kind, rows)]
    return "\n".join([HEAD, *shipped, TABLE, *world, ""])


def _examples(kind: str, rows: dict[str, str]) -> Iterator[str]:
    by_outcome: dict[str, list[str]] = {}
    for path, expected in rows.items():
        refused = expected in {*Refused, "ignored"}
        told = "a [package](#packages), which is opened" if is_package(path) else expected
        by_outcome.setdefault(told if refused else "of its student", []).append(
            f"`{path}`" if refused else f"`{path}`: {expected}"
        )
    for expected, paths in by_outcome.items():
        yield f"| {kind} | {', '.join(paths[:SHOWN])} | {expected} |"


SHOWN = 5
HEAD = """# Whose file it is

Written by `INTROEVAL_WRITE_DOCS=1 pytest tests/unit/test_names_of_the_world.py`. Do not edit it.

The student of a file is read from its path below the inbox: `<student>/<any name>` or `<student>_<any name>`.
A name that can be read in two ways, or that is of nobody, is refused. The reason in the outbox tells what was
read. In this order:

1. Your own regular expressions, `[intake] patterns`. One must match the whole path and have a group
   `student`; what its groups `group` and `lab` match stands in the task's history. At the start each is timed
   on long names; one that takes more than 10 ms is an error.
2. The names of learning platforms, below.
3. Folders. Words, dates, courses (`CS101`), sections and groups are passed over. The only folder left is the
   student's, or the only one with a number of two digits or more. Deeper folders are the student's own.
4. Without such a folder, the beginning of the file's name, up to the first `_` or ` - `. A name without
   either must be an id with letters and two digits or more, or a number of five to twelve digits.

An id must match `[intake] student_pattern`. If none of the usual words matches it, for example `s[0-9]{3}`,
the pattern decides in steps 3 and 4: the part of the path that matches is the student, and nothing else is
looked for. Use one if your students' ids look like courses (`CS101`) or dates (`20210123`).

`S060` and `s060` are one student, by the spelling that came first; so are full-width letters and digits.

A new name under which three or more different videos come within a minute raises the alarm
`intake_many_at_once`. If it has no number, as `Robotics` has none, no such video replaces another, whatever
`[intake] resubmission` says, and each result has the flag `shared_name` and needs review.

The suffix decides only for what is certainly no recording: archives but zips, documents, pictures, links,
programs and projects of editors are refused. Anything else of a student is claimed, and the decoder reads it.
Half-done downloads, names that begin with a dot, and what cameras, meeting tools, systems and sync clients
put beside a video are ignored.

## With a roster

While a class with a roster is open, whom the roster knows has the id that it gives, whatever
`student_pattern` says, and however case and width are written. It knows a student by id, login, number,
address, what stands before the `@`, and the whole name where one student alone has it: `Anna Smith/`,
`Smith_Anna_intro.mp4`.

In the name of a download the number and the name must be of the same student, since numbers of two systems
can be alike; else the file is refused. Without a roster, or for somebody who is not on it, the number is
the id.

The id of a student in a roster file is:

- Our own: the column `student` is the id, beside it optionally `name`, `group`, `email`.
- Moodle's participants, grading worksheet or grades, by titles in 16 languages, and by "Participant 12345"
  in the first column in any: the first that each row has of ID number, username, participant's number and
  what stands before the `@`.
- Canvas's grade book (`Student`, `ID`, `SIS User ID`, `SIS Login ID`, `Section`), without the rows of
  points and the test student: the first that each row has of SIS user id, SIS login id and Canvas's number.

Comma, semicolon or tab; UTF-8, UTF-16 with its mark, Windows-1252 or Latin-1; at most 10,000 students. Each
fault is a line with its row and column, and a file with one is not taken. The other names of a student are
aliases: downloads with Canvas's number find the student whose id is the matriculation number.

Give it by `introeval class open NAME --roster FILE`, `introeval class roster FILE`, or drop it into the
inbox as `roster.csv`. There it counts only if its owner's account may change a class by command: root, a
member of `[api] operators`, and where that is empty the daemon's own account. Neither the daemon's account
in a lab with operators nor one of `[intake] shared_accounts` counts: a share can give either the files of
all students. There, give it by command.

## Packages

A zip is opened: the download of a platform, or a recording in a zip of its own. Each recording in it is
claimed by itself, with its path in the zip as if that lay in the zip's folder; a single one may also be
named by the zip (`s001_intro.zip`). The account of the zip counts for `[intake] owner`. The zip itself is
kept in the state folder's `received/` for `[retention] archive_days`, and so is a roster.

It is read by a child process that can open no file and reach no network. What may not be taken has a reason
each in the outbox, and the rest of the zip goes on: names that lead out of it, links, encrypted files,
archives in it, files above `[intake] max_size_mb`, or of more than 10 MB that unpack to more than a hundred
times their size, more than seven folders. Refused whole is a
zip that is damaged, whose files overlap, that has more than 2000 files, or more than 16 times `[intake]
max_size_mb`.

## Learning platforms

| platform | example | student |
| --- | --- | --- |"""
TABLE = """
## Examples

From `tests/data/names.json`, which has more of each kind.

| kind | names | outcome |
| --- | --- | --- |"""
