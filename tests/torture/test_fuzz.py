"""Damaged zips, rosters and worksheets: each is read, or refused in words."""

import csv
import io
import zipfile
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.core.classes.roster import Roster, RosterEntry
from daemon.core.classes.roster_file import read_roster
from daemon.core.classes.sheet import SheetUnreadable, TableFile
from daemon.core.classes.standing import ClassTask, standings
from daemon.core.content.document import Result, Source, Timings
from daemon.core.errors import UsageError
from daemon.core.exports import canvas, moodle
from daemon.core.exports.members import ClassMember, Exported
from daemon.core.intake.package import Member, ignored, path_or_refusal, refused_whole
from daemon.core.tasks.task import Outcome
from daemon.stt.unpacker import Unpacker
from tests.support.scripted import EVALUATION

FUZZED = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
MOST = 50
TITLES = moodle.Titles(("Grade",), ("Feedback comments",))
SCORES = {f"s{at:03d}": at % 10 + 1 for at in range(6)}


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """Bytes of a file with some of them changed, left out, doubled, or put elsewhere."""
    content = bytearray(whole)
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, max(0, len(content) - 1)))
        long = draw(st.integers(1, 40))
        match draw(st.sampled_from(("flip", "cut", "double", "put", "end"))):
            case "flip":
                content[at : at + 1] = bytes([draw(st.integers(0, 255))])
            case "cut":
                del content[at : at + long]
            case "double":
                content[at:at] = content[at : at + long]
            case "put":
                content[at:at] = draw(st.binary(max_size=12))
            case "end":
                del content[at:]
    return bytes(content)


def a_zip() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        methods = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
        for at, method in enumerate(methods):
            archive.writestr(f"s{at:03d}/intró {at}.mp4", b"some words " * 40, method)
    return made.getvalue()


def a_roster(delimiter: str) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter)
    writer.writerow(["student", "name", "group", "email"])
    writer.writerows([s, f"Ana {s}, Ms", "A", f"{s}@example.org"] for s in SCORES)
    return out.getvalue().encode()


@FUZZED
@given(damaged(a_zip()))
def test_a_damaged_zip_is_answered_member_by_member(content: bytes) -> None:
    unpacker = Unpacker(MOST)
    listed = unpacker.answer({}, io.BytesIO(content))
    assert listed.keys() <= {"members", "fault"}
    for each in listed.get("members", ()):
        target = io.BytesIO()
        answer = unpacker.answer({"at": each["at"]}, Kept(target))
        assert answer.keys() <= {"written", "fault"}
        if "written" in answer:
            assert answer["written"] == len(target.getvalue())
        member = Member(**each)
        path, why = path_or_refusal(member, 10_000)
        assert why or is_below(path)
        assert ignored(member) in (True, False)


class Kept(io.BytesIO):
    """A file that is closed by who fills it, and read afterwards."""

    def __init__(self, target: io.BytesIO) -> None:
        super().__init__()
        self._target = target

    def close(self) -> None:
        self._target.write(self.getvalue())
        super().close()


def is_below(path: PurePosixPath) -> bool:
    return not path.is_absolute() and ".." not in path.parts and "\0" not in str(path)


@FUZZED
@given(
    st.lists(
        st.builds(
            Member,
            st.integers(0, 10),
            st.one_of(
                st.text(max_size=40), st.sampled_from(("../x.mp4", "/etc/x.mp4", "c:x.mp4", "a/../../b"))
            ),
            st.integers(0, 1 << 70),
            st.integers(0, 1 << 70),
            st.sampled_from(("file", "link", "special")),
            st.booleans(),
        ),
        max_size=5,
    )
)
def test_whatever_a_package_says_of_its_files_none_leads_out_of_it(members: list[Member]) -> None:
    assert isinstance(refused_whole(members, 1000, 10_000), str)
    for member in members:
        path, why = path_or_refusal(member, 10_000)
        assert why or is_below(path), member


@FUZZED
@given(st.sampled_from(",;\t").flatmap(lambda delimiter: damaged(a_roster(delimiter))))
def test_a_damaged_roster_has_entries_or_faults_and_never_both(content: bytes) -> None:
    read = read_roster(content)
    assert bool(read.entries) is not bool(read.faults)
    ids = [entry.student.casefold() for entry in read.entries]
    assert len(ids) == len(set(ids))
    Roster(read.entries).find("s001")


def members() -> list[ClassMember]:
    entries = [
        RosterEntry(student=s, name=f"Ana {s}", email=f"{s}@example.org", aliases=(str(70_000 + at),))
        for at, s in enumerate(SCORES)
    ]
    tasks = [
        ClassTask(at, s, "me.mp4", 0.0, Outcome.EVALUATED, (), score, None, 1)
        for at, (s, score) in enumerate(SCORES.items(), 1)
    ]
    whose = standings(Roster(entries), tasks, "flagged", "newest", None)
    return [ClassMember(one, result(at, one.student)) for at, one in enumerate(whose, 1)]


def result(at: int, student: str) -> Result:
    return Result(
        task_id=at,
        student_id=student,
        revision=1,
        generated_at="2026-11-27T10:00:00.000000Z",
        outcome=Outcome.EVALUATED,
        source=Source(
            filename="me.mp4", sha256=None, size_bytes=1, duration_s=3.0, uploaded_at="2026-11-27T09:00:00Z"
        ),
        evaluation=EVALUATION.model_copy(update={"overall_rating": SCORES[student]}),
        timings=Timings(total_s=1.0, worked_s=1.0, waited_s=0.0),
    )


def a_worksheet() -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(
        ("Identifier", "Full name", "Email address", "Status", "Grade", "Maximum grade", "Feedback comments")
    )
    for at, s in enumerate(SCORES):
        writer.writerow((f"Participant {70_000 + at}", f"Ana {s}", f"{s}@example.org", "", "", "10.00", ""))
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def a_grade_book() -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(("Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Intro (77)"))
    writer.writerow(("    Points Possible", "", "", "", "", "10"))
    for at, s in enumerate(SCORES):
        writer.writerow((f"Ana {s}", str(70_000 + at), s, f"{s}@example.org", "A", ""))
    return out.getvalue().encode()


def to_moodle(content: bytes) -> Exported:
    return moodle.Worksheet(content, TITLES, members()).filled("overall_rating")


def to_canvas(content: bytes) -> Exported:
    return canvas.graded(content, None, members(), "overall_rating")


@pytest.mark.parametrize(("whole", "fill"), [(a_worksheet(), to_moodle), (a_grade_book(), to_canvas)])
@FUZZED
@given(data=st.data())
def test_a_damaged_grade_book_is_refused_in_words_or_filled_for_its_own_students(
    whole: bytes, fill: Callable[[bytes], Exported], data: Any
) -> None:
    content = data.draw(damaged(whole))
    try:
        filled = fill(content)
    except (UsageError, SheetUnreadable):
        return
    assert len(set(filled.entered)) == len(filled.entered)
    assert set(filled.entered) <= SCORES.keys()
    if filled.entered:
        TableFile(filled.content)  # and it can be read again
