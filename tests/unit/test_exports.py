"""What goes into grade books, held against readers that follow the importers' own rules."""

import csv
import io
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.core.classes.cells import cell, text_of
from daemon.core.classes.roster import Roster, RosterEntry
from daemon.core.classes.sheet import TableFile
from daemon.core.classes.standing import ClassTask, standings
from daemon.core.content.document import CRITERIA, Result, Source, Timings
from daemon.core.errors import UsageError
from daemon.core.exports import canvas, moodle, table
from daemon.core.exports.grades import scaled
from daemon.core.exports.members import ClassMember
from daemon.core.tasks.task import Outcome
from tests.support.grade_books import ENGLISH, GERMAN, canvas_reads, moodle_feedback, moodle_reads
from tests.support.scripted import EVALUATION

TITLES = moodle.Titles(("Grade", "Bewertung"), ("Feedback comments", "Feedback als Kommentar"))
TRICKY = (
    *("Ana_Maria Berg", "José Núñez", "José Núñez", "ليلى حداد", "=cmd|'/c calc'!A1", "@SUM(1)"),
    *(
        'O\'Brien, "Pat"',
        "  -lead",
        "~tilde",
        ".dot",
        "a/b\\c:d",
        "李小龙",
        "x" * 199,
        "_",
        "12_34_assignsubmission_file_",
    ),
)
NAME = st.one_of(
    st.sampled_from(TRICKY),
    st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1, max_size=30),
)


def member(
    at: int, name: str, score: int | None, *, decided: bool = False, flags: tuple[str, ...] = ()
) -> ClassMember:
    """The student number `at`, with this overall rating; None for one who is missing."""
    entry = RosterEntry(
        student=f"s{at:05}", name=name, email=f"s{at}@example.org", aliases=(str(70_000 + at),)
    )
    tasks = []
    if score is not None:
        tasks = [
            ClassTask(
                at, entry.student, "me.mp4", 0.0, Outcome.EVALUATED, flags, score, "R" if decided else None, 1
            )
        ]
    (standing,) = standings(Roster([entry]), tasks, "flagged", "newest", None)
    return ClassMember(standing, None if score is None else result(at, entry.student, score))


def result(at: int, student: str, score: int) -> Result:
    return Result(
        task_id=at,
        student_id=student,
        revision=1,
        generated_at="2026-11-27T10:00:00.000000Z",
        outcome=Outcome.EVALUATED,
        source=Source(
            filename="me.mp4", sha256=None, size_bytes=1, duration_s=3.0, uploaded_at="2026-11-27T09:00:00Z"
        ),
        evaluation=EVALUATION.model_copy(
            update={"overall_rating": score, "feedback": f"Told to {student}; =1+1 <b>"}
        ),
        timings=Timings(total_s=1.0, worked_s=1.0, waited_s=0.0),
    )


@st.composite
def classes(draw: st.DrawFn) -> list[ClassMember]:
    people = draw(st.lists(st.tuples(NAME, st.one_of(st.none(), st.integers(1, 10))), min_size=1, max_size=8))
    return [member(at, name, score) for at, (name, score) in enumerate(people)]


def worksheet(
    members: list[ClassMember],
    maximum: str = "10.00",
    *,
    german: bool = False,
    end: str = "\r\n",
    grade: str = "",
) -> bytes:
    site = GERMAN if german else ENGLISH
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator=end)
    head = (site.identifier, "Full name", "Email address", "Status", site.grade, "Maximum grade")
    writer.writerow((*head, "Grade can be changed", site.modified, site.feedback))
    for one in members:
        entry = one.standing.entry
        assert entry
        who = (f"{site.participant}{entry.aliases[0]}", entry.name, entry.email)
        writer.writerow((*who, "Submitted for grading", grade, maximum, "Yes", "-", ""))
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def numbers(members: list[ClassMember]) -> dict[int, ClassMember]:
    return {int(one.standing.entry.aliases[0]): one for one in members if one.standing.entry}


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(classes(), st.sampled_from(["10.00", "100.00", "15", "7,50", "20,0"]), st.booleans())
def test_moodle_takes_each_grade_for_its_student(
    members: list[ClassMember], maximum: str, german: bool
) -> None:
    if german is ("." in maximum):
        maximum = maximum.translate(str.maketrans(".,", ",."))
    sheet = worksheet(members, maximum, german=german)
    exported = moodle.Worksheet(sheet, TITLES, members).filled("overall_rating")
    site = GERMAN if german else ENGLISH
    most = float(maximum.replace(",", "."))
    given = moodle_reads(exported.content, numbers(members), most, site)
    assert given.keys() == numbers(members).keys()
    for number, one in numbers(members).items():
        grade, feedback = given[number]
        if one.released:
            assert grade == pytest.approx(one.score("overall_rating") * most / 10, abs=0.005)
            assert f"Told to {one.student};" in feedback
            assert "&lt;b&gt;" in feedback
        else:
            assert (grade, feedback) == (None, "")
    assert {note.student for note in exported.withheld} == {
        one.student for one in members if not one.released
    }


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(classes(), st.sampled_from(["\n", "\r\n"]))
def test_all_of_a_worksheet_but_grade_and_feedback_is_as_it_was(members: list[ClassMember], end: str) -> None:
    sheet = worksheet(members, end=end)
    filled = moodle.Worksheet(sheet, TITLES, members).filled("overall_rating").content
    emptied = TableFile(filled)
    assert emptied.changed({(row.number, at): "" for row in emptied.body for at in (4, 8)}) == sheet


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(classes())
def test_moodle_gives_each_feedback_file_to_its_student(members: list[ClassMember]) -> None:
    folders = moodle.Worksheet(worksheet(members), TITLES, members).folders()
    packed = moodle.archive(
        {f"{folder}/feedback.html": one.student.encode() for folder, one in folders.items()}
    )
    assert moodle_feedback(packed, numbers(members)) == {
        number: {"feedback.html": one.student.encode()} for number, one in numbers(members).items()
    }
    assert not any(re.match(r"[.~]", folder) for folder in folders)


def grade_book(
    members: list[ClassMember], delimiter: str = ",", points: str = "20", grade: str = ""
) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter)
    head = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
    writer.writerow((*head, "Essay (11)", "Introduction (12)", "Current Score"))
    writer.writerow(("",) * 5 + ("Manual Posting", "", ""))
    writer.writerow(("    Points Possible", "", "", "", "", "50", points, "(read only)"))
    for one in members:
        entry = one.standing.entry
        assert entry
        first, _, last = entry.name.partition(" ")
        who = (
            f"{last}, {first}",
            entry.aliases[0],
            entry.student,
            entry.email.partition("@")[0],
            "Section 1",
        )
        writer.writerow((*who, "31", grade, "62"))
    return out.getvalue().encode()


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(classes(), st.sampled_from([(",", "20"), (";", "12,5"), (";", "10,00"), (",", "100.00")]))
def test_canvas_takes_each_grade_for_its_student(members: list[ClassMember], kind: tuple[str, str]) -> None:
    delimiter, points = kind
    exported = canvas.graded(
        grade_book(members, delimiter, points), "Introduction", members, "overall_rating"
    )
    students = {number: (one.student,) for number, one in numbers(members).items()}
    given = canvas_reads(exported.content, students, {11: "Essay", 12: "Introduction"})
    assert given.keys() == {number for number, one in numbers(members).items() if one.released}
    for number, grades in given.items():
        wanted = numbers(members)[number].score("overall_rating") * float(points.replace(",", ".")) / 10
        assert grades.keys() == {12}
        assert float(grades[12]) == pytest.approx(wanted, abs=0.005)


def test_what_canvas_gets_is_as_it_was_but_for_the_grade() -> None:
    members = [member(at, name, 7) for at, name in enumerate(TRICKY)]
    before = grade_book(members, ";")
    kept = canvas.graded(before, "12", members, "overall_rating").content
    grades = {(number, 6): "14" for number in range(4, len(TRICKY) + 4)}
    assert kept == TableFile(before).changed(grades, (0, 1, 2, 3, 4, 6))
    assert kept.splitlines()[0] == b"Student;ID;SIS User ID;SIS Login ID;Section;Introduction (12)"


def test_a_grade_of_one_who_gets_none_now_is_not_put_back_in_canvas() -> None:
    held, missing, mine = member(1, "Ana", 7, flags=("quiet",)), member(2, "Bo", None), member(3, "Cem", 7)
    exported = canvas.graded(
        grade_book([held, missing, mine], grade="5"), "12", [held, mine], "overall_rating"
    )
    given = canvas_reads(exported.content, dict.fromkeys((70_001, 70_002, 70_003), ()), {12: ""})
    assert given == {70_003: {12: "14"}}


@pytest.mark.parametrize("wanted", [None, "Introduktion", "13"])
def test_an_assignment_that_the_grade_book_lacks_is_refused_with_those_there(wanted: str | None) -> None:
    with pytest.raises(UsageError, match=re.escape("Essay (11); Introduction (12)")):
        canvas.graded(grade_book([]), wanted, [], "overall_rating")


@pytest.mark.parametrize("mark", ["EX", "N/A"])
def test_who_is_excused_in_canvas_keeps_that(mark: str) -> None:
    one = member(1, "Ana Berg", 7)
    exported = canvas.graded(grade_book([one], grade=mark), "12", [one], "overall_rating")
    assert mark.encode() not in exported.content
    assert [note.student for note in exported.withheld] == [one.student]
    assert exported.entered == ()


def test_the_student_for_trying_things_in_canvas_is_nobody_to_look_for() -> None:
    one, trial = member(1, "Ana Berg", 7), member(2, "Test Student", None)
    sheet = grade_book([one, trial]).replace(b",s00002,", b",,")
    exported = canvas.graded(sheet, "12", [one], "overall_rating")
    assert (exported.entered, exported.withheld) == ((one.student,), ())
    assert b"Student, Test" not in exported.content


@pytest.mark.parametrize(("word", "state"), [("No", ""), ("Nein", ""), ("No", "In review,"), ("NO", "")])
def test_a_grade_that_is_locked_in_moodle_is_held_back(word: str, state: str) -> None:
    ana, ben = member(1, "Ana Berg", 7), member(2, "Ben Cole", 4)
    sheet = worksheet([ana, ben]).decode().replace("Grade can be", f"{state}Grade can be")
    first, ben_row = sheet.replace("10.00,Yes", f"10.00,{state}Yes").rsplit("s2@", 1)
    content = f"{first}s2@{ben_row.replace('Yes', word)}".encode()
    exported = moodle.Worksheet(content, TITLES, [ana, ben]).filled("overall_rating")
    assert exported.entered == (ana.student,)
    assert [(note.student, "locked in Moodle" in note.reason) for note in exported.withheld] == [
        (ben.student, True)
    ]
    assert exported.content.splitlines()[2] == content.splitlines()[2]


def test_ten_thousand_students_each_get_their_own() -> None:
    first = ("Ana", "José", "李", "Ömer", "Li_Wei", "Siân", "=Max", "ليلى")
    members = [member(at, f"{first[at % 8]} Student{at // 4}", at % 10 + 1) for at in range(10_000)]
    known = numbers(members)
    sheet = moodle.Worksheet(worksheet(members), TITLES, members)
    given = moodle_reads(sheet.filled("overall_rating").content, known, 10)
    assert {number: grade for number, (grade, _) in given.items()} == {
        number: one.score("overall_rating") for number, one in known.items()
    }
    assert all(f"Told to {known[number].student};" in feedback for number, (_, feedback) in given.items())
    packed = moodle.archive(
        {f"{at}/feedback.html": one.student.encode() for at, one in sheet.folders().items()}
    )
    assert moodle_feedback(packed, known) == {
        number: {"feedback.html": one.student.encode()} for number, one in known.items()
    }
    exported = canvas.graded(grade_book(members, points="10"), "12", members, "overall_rating")
    got = canvas_reads(exported.content, dict.fromkeys(known, ()), {11: "", 12: ""})
    assert {number: int(grades[12]) for number, grades in got.items()} == {
        number: one.score("overall_rating") for number, one in known.items()
    }


def test_a_row_that_says_two_things_of_whom_it_is_gets_nothing() -> None:
    ana, ben = member(1, "Ana Berg", 7), member(2, "Ben Cole", 4)
    mixed = worksheet([ana, ben]).replace(b"s2@example.org", b"s1@example.org")
    exported = moodle.Worksheet(mixed, TITLES, [ana, ben]).filled("overall_rating")
    assert exported.entered == (ana.student,)
    assert [note.reason for note in exported.withheld if not note.student] == [
        f"row 3: its id, number, e-mail and name are of different students: {ana.student}, {ben.student}"
    ]


def test_two_rows_of_one_student_get_nothing() -> None:
    ana = member(1, "Ana Berg", 7)
    exported = moodle.Worksheet(worksheet([ana, ana]), TITLES, [ana]).filled("overall_rating")
    assert exported.entered == ()
    assert exported.content == worksheet([ana, ana])


def test_who_is_in_the_sheet_or_in_the_class_alone_is_named() -> None:
    ana, ben = member(1, "Ana Berg", 7), member(2, "Ben Cole", 4)
    exported = moodle.Worksheet(worksheet([ana]), TITLES, [ben]).filled("overall_rating")
    assert {(note.student, note.name) for note in exported.withheld} == {
        (ben.student, ben.name),
        ("", "Ana Berg"),
    }


def test_what_a_person_must_look_at_is_held_back_until_they_have() -> None:
    held = member(1, "Ana Berg", 7, flags=("low_confidence",))
    exported = moodle.Worksheet(worksheet([held]), TITLES, [held]).filled("overall_rating")
    assert exported.entered == ()
    assert "not heard with certainty" in exported.withheld[0].reason
    decided = member(1, "Ana Berg", 7, flags=("low_confidence",), decided=True)
    assert moodle.Worksheet(worksheet([decided]), TITLES, [decided]).filled("overall_rating").entered


def test_a_grade_that_was_there_is_replaced_and_told() -> None:
    ana = member(1, "Ana Berg", 7)
    exported = moodle.Worksheet(worksheet([ana], grade="3.00"), TITLES, [ana]).filled("overall_rating")
    assert ["Grade was '3.00'" in note.reason for note in exported.replaced] == [True]
    again = moodle.Worksheet(exported.content, TITLES, [ana]).filled("overall_rating")
    assert (again.content, again.replaced) == (exported.content, ())


@pytest.mark.parametrize(
    ("beside", "grade", "told"),
    [
        ("Poor, Good", "", "the worksheet has the scale 'Poor, Good'"),
        ("", "Good", "scale of words"),
        ("Level 1, Level 2", "-", "set the assignment to points"),
    ],
)
def test_a_worksheet_with_a_scale_of_words_is_refused(beside: str, grade: str, told: str) -> None:
    ana = member(1, "A", 7)
    with pytest.raises(UsageError, match=told):
        moodle.Worksheet(worksheet([ana], beside, grade=grade), TITLES, [ana]).filled("overall_rating")


def test_a_date_beside_the_grade_is_no_scale() -> None:
    ana = member(1, "A", 7)
    told = worksheet([ana], "Thursday, 26 November 2026, 10:22 AM")
    assert moodle.Worksheet(told, TITLES, [ana]).filled("overall_rating").entered == (ana.student,)


def test_a_worksheet_whose_titles_are_not_known_names_those_there() -> None:
    with pytest.raises(UsageError, match="Bewertung, Maximum grade"):
        moodle.Worksheet(worksheet([], german=True), moodle.Titles(("Grade",), ()), [])


@pytest.mark.parametrize(
    ("score", "maximum", "written"),
    [
        (7, "10", "7"),
        (7, "10.00", "7.00"),
        (7, "100,00", "70,00"),
        (7, "15", "10.5"),
        (3, "7,5", "2,25"),
        (10, "1", "1"),
    ],
)
def test_a_grade_is_written_as_the_maximum_is(score: int, maximum: str, written: str) -> None:
    assert scaled(score, maximum) == written


@given(st.text() | st.text("a;'=-+@ \t\n"))
def test_a_cell_is_read_back_as_the_text_that_it_was(text: str) -> None:
    assert text_of(cell(text)) == text


@pytest.mark.parametrize(
    "text",
    ["=1", "+1", "-1", "@a", "\t1", "\r1", "\n1", "＝1", "＋1", "－1", "＠a", " =1", "\xa0=1", "　＝1"],
)
def test_no_text_is_taken_for_a_formula(text: str) -> None:
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("s001_a;=1+1;.mp4", "s001_a;'=1+1;.mp4"),
        ("a; \xa0-1", "a;' \xa0-1"),
        ("two\n=lines", "two\n'=lines"),
        ("good; a 'word'; more", "good; a 'word'; more"),
    ],
)
def test_no_part_of_a_text_is_a_formula_where_a_semicolon_separates(text: str, written: str) -> None:
    assert cell(text) == written


def test_the_table_has_every_field_of_the_released_results() -> None:
    members = [member(1, "=Ana", 7), member(2, "Ben", None)]
    exported = table.every_field(members)
    (row,) = csv.DictReader(io.StringIO(exported.content.decode("utf-8-sig")))
    assert (row["name"], row["student"], row["evaluation.overall_rating"]) == ("'=Ana", "s00001", "7")
    leaves = {path.split(".")[0] for path in row}
    assert leaves >= Result.model_fields.keys() - {"student_id"}
    assert all(row[f"evaluation.scores.{each}.expected"] for each in CRITERIA)
    assert [note.student for note in exported.withheld] == ["s00002"]
