"""Names: nothing that a student can write into one leaves its folder or reaches a terminal."""

import os
import re
import weakref
from pathlib import Path, PurePath, PurePosixPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from daemon.core.intake import naming
from daemon.core.intake.naming import STUDENT_PATTERN, Named, printable, slug
from daemon.core.intake.students import Names

# Every name that Linux allows, as Python sees it: undecodable bytes are lone surrogates.
names = (
    st.one_of(
        st.binary(min_size=1, max_size=255),
        st.text(min_size=1, max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")),
        st.from_regex(rb"[.~_@ -]{0,3}[a-z_./\x00-\x1f\x7f-\xff]{0,20}\.(mp4|MOV|tmp|json)", fullmatch=True),
    )
    .map(lambda raw: raw.replace(b"/", b"").replace(b"\0", b""))
    .filter(lambda raw: raw not in (b"", b".", b".."))
    .map(os.fsdecode)
)
relatives = st.lists(names, min_size=1, max_size=3).map(lambda parts: PurePath(*parts))
labs = st.sampled_from(
    [Names(pattern) for pattern in (STUDENT_PATTERN, r".*", r"\w+", r"[^x]{1,300}", r"(?s:.+)")]
)


def test_a_file_that_is_gone_is_not_remembered() -> None:
    class Seen(PurePosixPath):
        """One that can be watched."""

    lab, path = Names(), Seen("s001_intro.mp4")
    remembered = weakref.ref(path)
    lab.read(path)
    del path
    lab.begin_look()
    assert remembered() is not None
    lab.begin_look()
    assert remembered() is None


@given(names)
@example("\x1b[2J\x07.mp4")
@example("\u202egpj.mp4")
@example(os.fsdecode(b"\xff\xfe.mp4"))
@example("\ud800")
@example("\t\u0307")
def test_a_printable_name_is_one_line_that_moves_no_cursor(name: str) -> None:
    shown = printable(name)
    assert shown.isprintable()
    shown.encode("utf-8")
    assert printable(shown) == shown


def test_a_printable_name_shows_which_bytes_were_no_text() -> None:
    assert printable(os.fsdecode(b"caf\xe9.mp4")) == r"caf\xe9.mp4"
    assert printable("a\nb") == r"a\nb"
    assert printable("é") == "é"


@given(names)
def test_a_slug_is_short_plain_and_never_empty(name: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,79}", slug(printable(name)))


@pytest.mark.parametrize(
    ("filename", "expected"),
    [
        ("My Intro (final).mp4", "My-Intro-final"),
        ("Übung.mp4", "Ubung"),
        ("自己紹介.mp4", "video"),
        ("x" * 200, "x" * 80),
    ],
)
def test_a_slug_keeps_what_it_can(filename: str, expected: str) -> None:
    assert slug(filename) == expected


@given(relatives, labs, st.integers(1, 10**6), st.integers(1, 30))
@example(PurePath("..", "a.mp4"), Names(".*"), 1, 1)
@example(PurePath("_a.mp4"), Names(".*"), 1, 1)
def test_no_name_that_we_make_leaves_its_folder(
    relative: PurePath, lab: Names, task_id: int, revision: int
) -> None:
    named = lab.read(relative)
    filename = printable(relative.name)
    made = [naming.reason_name("0" * 20, filename), naming.rejected_name("0" * 20, filename)]
    if isinstance(named, Named):
        assert named.student.isprintable()
        assert not named.student.startswith(("_", "."))
        made += [
            naming.result_name(named.student, task_id, named.filename, revision),
            naming.receipt_name(named.student, task_id, named.filename),
            naming.archive_name(named.student, task_id, named.filename),
        ]
    for name in made:
        assert name.isprintable()
        assert all(part not in ("", ".", "..") and len(part.encode()) < 256 for part in name.split("/"))
        assert Path("/outbox", name).resolve().relative_to("/outbox").as_posix() == name
        assert name.count("/") <= 1


@given(relatives)
def test_whoever_is_read_has_an_id_and_every_refusal_is_one_line(relative: PurePath) -> None:
    named = Names().read(relative)
    if isinstance(named, Named):
        assert re.fullmatch(STUDENT_PATTERN, named.student)
        assert naming.is_safe(named.student)
    else:
        assert str(named).isprintable()


@given(names)
def test_a_suffix_is_plain_or_none(name: str) -> None:
    assert re.fullmatch(r"(\.[a-z0-9]{1,10})?", naming.suffix(name))


def test_results_sort_and_are_told_apart_by_their_names() -> None:
    assert naming.result_name("s01", 7, "Intro.mp4") == "s01/0007-Intro.result.json"
    assert naming.result_name("s01", 7, "Intro.mp4", 2) == "s01/0007-Intro.r2.result.json"
    assert naming.receipt_name("s01", 12345, "Intro.mp4") == "s01/12345-Intro.receipt.json"


@pytest.mark.parametrize(
    ("student", "folder"),
    [
        ("s001", "s001"),
        ("aux", "_aux"),
        ("CON", "_CON"),
        ("com1.b", "_com1.b"),
        ("s078.", "s078._"),
        ("a_", "a__"),
    ],
)
def test_a_folder_of_the_outbox_can_be_opened_from_windows(student: str, folder: str) -> None:
    assert naming.result_name(student, 1, "me.mp4") == f"{folder}/0001-me.result.json"
    assert naming.receipt_name(student, 1, "me.mp4").startswith(f"{folder}/")


ids = st.from_regex(STUDENT_PATTERN, fullmatch=True) | st.from_regex(
    r"(con|aux|com1)[._]{0,3}", fullmatch=True
)


@given(ids, ids)
def test_no_two_students_share_a_folder_of_the_outbox(one: str, other: str) -> None:
    assert (naming.outbox_folder(one) == naming.outbox_folder(other)) == (one == other)
