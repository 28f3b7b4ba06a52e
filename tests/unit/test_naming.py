"""Names: nothing that a student can write into one leaves its folder or reaches a terminal."""

import os
import re
import unicodedata
from pathlib import Path, PurePath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from daemon.core.intake import naming
from daemon.core.intake.naming import (
    MEDIA_SUFFIXES,
    Named,
    Refusal,
    Refused,
    ignored,
    printable,
    read_name,
    slug,
)

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
patterns = st.sampled_from([naming.STUDENT_PATTERN, r".*", r"\w+", r"[^x]{1,300}", r"(?s:.+)"])


@pytest.mark.parametrize(
    ("path", "student"),
    [
        ("s01/intro.mp4", "s01"),
        ("s01/deep/below/intro.MP4", "s01"),
        ("s01_intro.mp4", "s01"),
        ("s01_my_own_intro.webm", "s01"),
        ("s01/other_intro.mp4", "s01"),
        ("Ana.Maria-2/a.wav", "Ana.Maria-2"),
        ("x.mp4/a.wav", "x.mp4"),
        ("s01_.mp4", "s01"),
    ],
)
def test_the_student_is_the_folder_or_what_stands_before_the_first_underscore(
    path: str, student: str
) -> None:
    assert read_name(PurePath(path)) == Named(student, PurePath(path).name)


@pytest.mark.parametrize(
    "path",
    [
        "intro.mp4",
        "_intro.mp4",
        "-s01_intro.mp4",
        "s 01_intro.mp4",
        "../x.mp4",
        "müller/a.mp4",
        f"{'x' * 65}/a.mp4",
    ],
)
def test_a_name_without_a_student_is_refused_with_what_to_do(path: str) -> None:
    refusal = read_name(PurePath(path))
    assert isinstance(refusal, Refusal)
    assert refusal.code is Refused.NO_STUDENT
    assert "<student>_" in refusal.message


@pytest.mark.parametrize(
    "path", ["s01/notes.txt", "s01/intro", "s01/intro.mp4.", "s01/intro.mp4 ", "s01_archive.zip"]
)
def test_what_is_no_media_file_is_refused_with_what_is_accepted(path: str) -> None:
    refusal = read_name(PurePath(path))
    assert isinstance(refusal, Refusal)
    assert refusal.code is Refused.NO_MEDIA_TYPE
    assert ".mp4" in refusal.message


def test_the_same_student_written_in_two_unicode_forms_is_one() -> None:
    composed, decomposed = (unicodedata.normalize(form, "müller") for form in ("NFC", "NFD"))
    pattern = r"\w{1,20}"
    assert read_name(PurePath(composed, "a.mp4"), pattern) == read_name(
        PurePath(decomposed, "a.mp4"), pattern
    )


@pytest.mark.parametrize("student", ["..", ".", ".hidden", "_rejected", "-rf"])
def test_a_lax_pattern_makes_no_student_of_a_name_that_means_something_to_us(student: str) -> None:
    assert isinstance(read_name(PurePath(f"{student}_a.mp4"), ".*"), Refusal)


@pytest.mark.parametrize(
    "path",
    [
        ".hidden.mp4",
        "._intro.mp4",
        "~$intro.mp4",
        "s01/intro.mp4.part",
        "s01/intro.TMP",
        "s01/intro.crdownload",
        "s01/intro.mp4.filepart",
        "s01/intro.mp4~",
        "@eaDir/intro.mp4",
        "s01/@eaDir/intro.mp4",
        "#recycle/a.mp4",
        "s01/Thumbs.db",
        ".introeval-0123",
    ],
)
def test_copies_in_progress_and_a_nas_own_files_are_ignored(path: str) -> None:
    assert ignored(PurePath(path))


def test_a_lab_can_add_names_to_ignore() -> None:
    assert not ignored(PurePath("s01/raw/a.mp4"))
    assert ignored(PurePath("s01/raw/a.mp4"), ["raw"])
    assert ignored(PurePath("s01/a.bak"), ["*.old", "*.bak"])
    assert not ignored(PurePath("s01/a.mp4"), ["*.bak"])


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


@given(relatives, patterns, st.integers(1, 10**6), st.integers(1, 30))
@example(PurePath("..", "a.mp4"), ".*", 1, 1)
@example(PurePath("_a.mp4"), ".*", 1, 1)
def test_no_name_that_we_make_leaves_its_folder(
    relative: PurePath, pattern: str, task_id: int, revision: int
) -> None:
    named = read_name(relative, pattern)
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
def test_whoever_has_a_student_has_a_media_suffix(relative: PurePath) -> None:
    named = read_name(relative)
    if isinstance(named, Named):
        assert relative.suffix.lower() in MEDIA_SUFFIXES
        assert re.fullmatch(naming.STUDENT_PATTERN, named.student)
    else:
        assert str(named).isprintable()


@given(names)
def test_a_suffix_is_plain_or_none(name: str) -> None:
    assert re.fullmatch(r"(\.[a-z0-9]{1,10})?", naming.suffix(name))


def test_results_sort_and_are_told_apart_by_their_names() -> None:
    assert naming.result_name("s01", 7, "Intro.mp4") == "s01/0007-Intro.result.json"
    assert naming.result_name("s01", 7, "Intro.mp4", 2) == "s01/0007-Intro.r2.result.json"
    assert naming.receipt_name("s01", 12345, "Intro.mp4") == "s01/12345-Intro.receipt.json"
