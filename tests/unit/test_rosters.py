"""Rosters of every system that a lab exports from, and the downloads of those systems: nobody is another."""

import csv
import io
import random
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.classes.roster import Roster, RosterEntry
from daemon.core.classes.roster_file import read_roster
from daemon.core.intake.naming import Named, Refusal
from daemon.core.intake.students import Names

FIRST = "Anna Ana Jörg Zoë José_Luis Siobhán Nguyễn Wei Li Fatima Иван محمد שרה Ayşe Łukasz D'Arcy Mary-Jane"
LAST = (
    "Smith Berg Müller García_López Ó_Briain Trần Li Wang Иванов الحسن כהן Öztürk Nowak Van_der_Berg Ng Jr."
)
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le-bom")


@dataclass(frozen=True)
class Person:
    """One student, as an LMS knows them."""

    number: str  # the institution's
    login: str
    user: str  # of the platform
    first: str
    last: str

    @property
    def email(self) -> str:
        return f"{self.login}@example.org"


def people(count: int, *, colliding: bool = False) -> list[Person]:
    """Synthetic students, many of one name. If `colliding`, the institution gave the platform's numbers to
    others.
    """
    pick = random.Random(count)
    numbers = pick.sample(range(10_000, 10_000 + 4 * count), 2 * count)
    users = pick.sample(numbers[:count], count) if colliding else numbers[count:]
    return [
        Person(
            f"{numbers[at]}",
            f"u{at:05d}",
            f"{users[at]}",
            pick.choice(FIRST.split()),
            pick.choice(LAST.split()),
        )
        for at in range(count)
    ]


def table(rows: list[list[str]], delimiter: str = ",") -> str:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, lineterminator="\r\n").writerows(rows)
    return out.getvalue()


def encoded(text: str, encoding: str) -> bytes:
    return b"\xff\xfe" + text.encode("utf-16-le") if encoding == "utf-16-le-bom" else text.encode(encoding)


def own(some: list[Person]) -> str:
    rows = [[one.number, f"{one.first} {one.last}", "A", one.email] for one in some]
    return table([["student", "name", "group", "email"], *rows])


def worksheet(some: list[Person], titles: str, word: str) -> str:
    rows = [[f"{word} {p.user}", f"{p.first} {p.last}", p.number, p.email, "", "", "", "=1+1"] for p in some]
    return table([titles.split("|"), *rows], ";" if word == "Teilnehmer/in" else ",")


def participants(some: list[Person]) -> str:
    rows = [[one.first, one.last, one.number, one.email] for one in some]
    return table([["First name", "Last name", "ID number", "Email address"], *rows], "\t")


def gradebook(some: list[Person]) -> str:
    rows = [[f"{p.last}, {p.first}", p.user, p.number, p.login, "CS 1", "", ""] for p in some]
    titles = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Intro (991)", "Final Score"]
    points = ["    Points Possible", "", "", "", "", "10", "(read only)"]
    test = ["Student, Test", "999", "", "f" * 40, "CS 1", "", ""]
    return table([titles, points, *rows, test])


ENGLISH = "Identifier|Full name|ID number|Email address|Status|Group|Grade|Feedback comments"
GERMAN = "ID|Vollständiger Name|ID-Nummer|E-Mail-Adresse|Status|Gruppe|Bewertung|Feedback als Kommentar"
UNKNOWN = "Aitheantóir|Ainm iomlán|Uimhir|Seoladh|Stádas|Grúpa|Grád|Aiseolas"
FORMATS: dict[str, Callable[[list[Person]], str]] = {
    "own": own,
    "moodle worksheet": lambda some: worksheet(some, ENGLISH, "Participant"),
    "moodle worksheet, German": lambda some: worksheet(some, GERMAN, "Teilnehmer/in"),
    "moodle worksheet, unknown language": lambda some: worksheet(some, UNKNOWN, "Rannpháirtí"),
    "moodle participants": participants,
    "canvas": gradebook,
}


def moodle_names(one: Person) -> Iterator[str]:
    """As Moodle writes them: an underscore of a name is a space, and what a file system forbids is gone."""
    name = re.sub(r'[\\/:*?"<>|]', "", f"{one.first} {one.last}".replace("_", " "))
    for folder in (f"{name}_{one.user}_assignsubmission_file", f"{name}_{one.user}_assignsubmission_file_"):
        yield f"{folder}/intro.mp4"
        yield f"{unicodedata.normalize('NFD', folder)}/intro.mp4"
    yield f"{name}_{one.user}_assignsubmission_file_my_intro.mp4"


def canvas_names(one: Person) -> Iterator[str]:
    name = "".join(
        c for c in f"{one.last}{one.first}".lower() if c.isalnum() or unicodedata.category(c)[0] == "M"
    )
    for late in ("", "LATE_"):
        yield f"{name}_{late}{one.user}_8{one.user}_my_intro.mp4"


def lab_names(one: Person) -> Iterator[str]:
    yield f"{one.number}/intro.mp4"
    yield f"{one.number}_intro.mp4"
    yield f"{one.login.upper()}_intro.mp4"
    yield f"{one.email}/video.mp4"


def misread(
    some: list[Person], entries: tuple[RosterEntry, ...], names: Callable[[Person], Iterator[str]]
) -> float:
    """The share of files that are nobody's. None may be another's."""
    roster, reader = Roster(entries), Names()
    nobody = total = 0
    for one, entry in zip(some, entries, strict=True):
        for name in names(one):
            found = reader.read(PurePath(name), roster)
            total += 1
            if isinstance(found, Refusal):
                nobody += 1
            else:
                assert roster.find(found.student) in (entry, None), (name, found, entry)
                nobody += found.student != entry.student
    return nobody / total


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_roster_is_read_whole(kind: str, encoding: str) -> None:
    some = people(100)
    found = read_roster(encoded(FORMATS[kind](some), encoding))
    assert found.faults == ()
    assert len(found.entries) == len(some)
    for one, entry in zip(some, found.entries, strict=True):
        assert one.number in (entry.student, *entry.aliases) or kind.endswith("unknown language")
        assert entry.name == unicodedata.normalize("NFC", f"{one.first} {one.last}")
        assert entry.email in (one.email, "")


@pytest.mark.parametrize("kind", FORMATS)
def test_no_file_of_a_thousand_is_anothers(kind: str) -> None:
    some = people(1000)
    entries = read_roster(FORMATS[kind](some).encode()).entries
    unread = {names: misread(some, entries, names) for names in (moodle_names, canvas_names, lab_names)}
    if "worksheet" in kind:
        assert unread[moodle_names] == 0
    if kind == "canvas":
        assert unread[canvas_names] == 0


@pytest.mark.parametrize("kind", FORMATS)
def test_numbers_of_two_systems_that_are_alike_are_told_apart_by_the_name(kind: str) -> None:
    some = people(200, colliding=True)
    entries = read_roster(FORMATS[kind](some).encode()).entries
    for names in (moodle_names, canvas_names):
        misread(some, entries, names)


def test_of_ten_thousand_downloads_each_is_its_students() -> None:
    some = people(10_000)
    found = read_roster(FORMATS["moodle worksheet"](some).encode())
    assert len(found.entries) == 10_000
    assert misread(some, found.entries, moodle_names) == 0


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("student,name\ns1,a\nS1,b\n", "row 3, column student: S1 is in row 2 already; remove one of them"),
        ("student,name\ns1,a\n\uff531,b\n", "row 3, column student: s1 is in row 2 already; remove one"),
        ("Name;Student\na;\n", "row 2, column Student: it is empty; give each student an id"),
        ("student\n1.23457E+11\n", "row 2, column student: a spreadsheet has rounded 1.23457E+11; format"),
        ("student\n../x\n", "row 2, column student: ../x can be no id"),
        ("student,name\ns1," + "x" * 201, "row 2, column name: the text is longer than 200 characters"),
        ("colour,shape\nred,round\n", "row 1: no column tells who a student is (colour, shape)"),
        ("student,name\n", "row 2: there are no students below the titles"),
        ('student\n"s1\n', "the file cannot be read: line 2: it is no CSV"),
        ("", "the file cannot be read: it is empty"),
        ("student\n" + "\n".join(f"s{n}" for n in range(10_001)), "row 10002: a roster has at most 10000"),
    ],
)
def test_each_fault_is_a_line_with_its_row_and_column(content: str, told: str) -> None:
    found = read_roster(content.encode())
    assert found.entries == ()
    assert found.faults[0].startswith(told)
    assert all(line.isprintable() for line in found.faults)


@pytest.mark.parametrize(
    "content", [b"PK\x03\x04\x14\0", b"\xd0\xcf\x11\xe0\xa1", b"student\n\0\0", b"\xff\xfea"]
)
def test_what_is_no_table_says_what_to_do(content: bytes) -> None:
    assert "save it as CSV" in read_roster(content).faults[0]


def test_cells_are_as_a_spreadsheet_means_them() -> None:
    content = 'sep=;\r\n\ufeffstudent;name\r\n"=""00123""";"  Anna\u00a0 Berg\u200e "\r\n\r\n'
    assert read_roster(content.encode()).entries == (RosterEntry(student="00123", name="Anna Berg"),)


@given(st.binary(max_size=300))
def test_any_file_gives_entries_or_faults(content: bytes) -> None:
    found = read_roster(content)
    assert bool(found.entries) != bool(found.faults)


@pytest.mark.parametrize(
    ("name", "student"),
    [
        ("ASMITH_intro.mp4", "m100"),
        ("\uff41smith/intro.mp4", "m100"),
        ("Anna Smith/intro.mp4", "m100"),
        ("Smith_Anna_intro.mp4", "m100"),
        ("group A/m100 (1).mp4", "m100"),
        ("m999/m100_intro.mp4", None),
        ("m100/m200_intro.mp4", None),
        ("17_intro.mp4", None),
        ("IMG_20260101.mp4", None),
        ("x_17_assignsubmission_file_/intro.mp4", None),
        ("Anna Smith_17_assignsubmission_file_/intro.mp4", "m100"),
        ("Anna Smith_18_assignsubmission_file_/intro.mp4", "m100"),
        ("Participant_17_assignsubmission_file_/intro.mp4", "m100"),
        ("New Student_19_assignsubmission_file_/intro.mp4", "19"),
    ],
)
def test_a_roster_says_whose_a_file_is(name: str, student: str | None) -> None:
    roster = Roster(
        [
            RosterEntry(student="m100", name="Anna Smith", aliases=("asmith", "17")),
            RosterEntry(student="m200", name="Ben Cole"),
        ]
    )
    found = Names().read(PurePath(name), roster)
    assert (found.student if isinstance(found, Named) else None) == student


def test_whom_the_roster_knows_needs_no_id_of_the_labs_rule() -> None:
    roster = Roster([RosterEntry(student="s001", name="Anna Smith", aliases=("12345",))])
    names = Names(r"s[0-9]{3}")
    path = PurePath("Anna Smith_12345_assignsubmission_file_/intro.mp4")
    assert names.read(path, roster) == Named("s001", "intro.mp4")
    assert isinstance(names.read(path), Refusal)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("Matrikelnummer;Name;Vorname\n17;Müller;Jörg\n", "17 Jörg Müller"),
        ("Numéro d'étudiant;Prénom;Nom\n17;Zoë;Roux\n", "17 Zoë Roux"),
        ("Matricola;Nome;Cognome\n17;Ada;Rossi\n", "17 Ada Rossi"),
        ("username,First name / Last name\nada,Ada Lund\n", "ada Ada Lund"),
        ("id,name\n17,Ada Lund\n", "17 Ada Lund"),
        ("Course CS101 in autumn\n\nStudent,Name\ns1,Ada Lund\n", "s1 Ada Lund"),
        (
            "Identifier,Status,Grade\nParticipant 17,No submission,\nParticipant 18,No submission,\n",
            "17 |18 ",
        ),
        ("student\ns1\n", "s1 "),
        (
            "Name,Email\nAnn,a@example.org\nAda,A@example.com\nBo,b@example.org\n",
            "a@example.org Ann|A@example.com Ada|b Bo",
        ),
    ],
)
def test_titles_say_what_is_a_name_and_what_is_none(content: str, expected: str) -> None:
    entries = read_roster(content.encode()).entries
    assert "|".join(f"{entry.student} {entry.name}" for entry in entries) == expected


def test_a_student_without_an_id_is_a_fault_and_never_left_out() -> None:
    assert read_roster(b"id,name\n17,Ada\n,Ben\n").faults[0].startswith("row 3, column id: it is empty")
    canvas = "Student,ID,SIS User ID,SIS Login ID,Section\n Points Possible,,,,\nAda,1,m1,a,x\nBen,,,,x\n"
    assert read_roster(canvas.encode()).faults[0].startswith("row 4, column SIS User ID: it is empty")
