"""Packages of recordings and rosters in the inbox: each member a claim of its own, whatever breaks off."""

import asyncio
import io
import json
import os
import stat
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.api.operators import may_hand_in_rosters
from daemon.core.classes.roster import RosterEntry
from daemon.core.intake.ownership import Ownership
from daemon.core.intake.students import Names
from daemon.intake.intake import Intake
from daemon.intake.limits import Limits
from daemon.store import audit, classes
from tests.integration.test_claim import Outcome, claimer, finish, reason, take_all
from tests.support.intake_lab import Crash, Fuse, IntakeLab, lab

pytestmark = pytest.mark.anyio
MOODLE = "Anna Smith_101_assignsubmission_file_/intro.mp4"
ROSTER = b"student,name,email\ns001,Anna Smith,anna@example.org\ns002,Ben Cole,\n"
Packed = Callable[[zipfile.ZipFile], None]


@pytest.fixture
def here(tmp_path: Path) -> Iterator[IntakeLab]:
    with lab(tmp_path) as opened:
        yield opened


def package(*names: str, content: bytes = b"10 seconds of ") -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, content + name.encode())
    return made.getvalue()


def open_class(here: IntakeLab, entries: list[RosterEntry]) -> None:
    here.database.now(
        classes.open_class,
        "intro",
        deadline=None,
        rubric=None,
        archive_days=None,
        entries=entries or None,
        now=1.0,
        actor="roe",
    )


async def taken_in(here: IntakeLab, **settings: Any) -> Outcome:
    """What there is once the intake has nothing more to claim."""
    settings.setdefault("limits", Limits(max_size_bytes=10_000))
    intake: Intake = here.intake(**settings)
    intake.opened.connect(lambda told, account: here.told.append(told))
    stop = asyncio.Event()
    running = asyncio.create_task(intake.run(stop))
    settling = asyncio.create_task(intake.settle())
    await asyncio.wait({running, settling}, timeout=60, return_when=asyncio.FIRST_COMPLETED)
    assert settling.done() or running.result() is None
    stop.set()
    await running
    return Outcome(here)


def students(found: Outcome) -> list[tuple[str, str]]:
    return sorted((task.student, task.filename) for task in found.tasks)


def reasons(found: Outcome) -> list[str]:
    return sorted(str(reason(document)["reason"]) for document in found.reasons)


async def test_each_recording_of_a_download_is_a_task_of_its_student(here: IntakeLab) -> None:
    open_class(here, [RosterEntry(student="s001", name="Anna Smith", aliases=("101",))])
    here.drop(
        "CS101-Intro-12.zip",
        package(
            MOODLE,
            "Ben Cole_102_assignsubmission_file_intro.mp4",
            "coleben_LATE_20001_812345_intro.mp4",
            "s004/intro.mp4",
            "__MACOSX/._x",
            "Cho Dane_103_assignsubmission_onlinetext_/onlinetext.html",
        ),
    )
    found = await taken_in(here)
    assert [student for student, _ in students(found)] == ["102", "20001", "s001", "s004"]
    (why,) = reasons(found)
    assert why.startswith("no_media_type: onlinetext.html is a document")
    assert str(reason(found.reasons[0])["path"]).startswith("CS101-Intro-12.zip/Cho Dane_103")
    assert (found.open, found.inbox) == ([], [])
    (kept,) = (here.state / "received").iterdir()
    assert kept.read_bytes()[:2] == b"PK"
    assert list((here.state / "unpacked").iterdir()) == []


async def test_a_package_of_one_student_needs_no_names_inside(here: IntakeLab) -> None:
    here.drop("s001/mine.zip", package("video.mp4"))
    here.drop("s002_mine.zip", package("video.mp4"))
    found = await taken_in(here)
    assert [student for student, _ in students(found)] == ["s001", "s002"]


def member(name: str, content: bytes = b"10 seconds", **attributes: int) -> Packed:
    def add(archive: zipfile.ZipFile) -> None:
        info = zipfile.ZipInfo(name)
        for key, value in attributes.items():
            setattr(info, key, value)
        archive.writestr(info, content)

    return add


def bomb(archive: zipfile.ZipFile) -> None:
    archive.writestr("s001/bomb.mp4", bytes(11_000_000), zipfile.ZIP_DEFLATED)


LINK = (stat.S_IFLNK | 0o777) << 16
FIFO = (stat.S_IFIFO | 0o777) << 16


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (member("../s001/x.mp4"), "its name leads out of the archive"),
        (member("/etc/s001_x.mp4"), "its name leads out of the archive"),
        (member("C:\\s001\\x.mp4"), "its name leads out of the archive"),
        (member("s001/a/../../../x.mp4"), "its name leads out of the archive"),
        (member("s001/x.mp4", b"/etc/passwd", external_attr=LINK), "it is a link or a special file"),
        (member("s001/x.mp4", external_attr=FIFO), "it is a link or a special file"),
        (member("s001/\x07.mp4"), "is no name of a file"),
        (member("s001/" + "x" * 300 + ".mp4"), "its name is too long"),
        (member("/".join("abcdefghi") + "/s001_x.mp4"), "folders deep"),
        (member("s001/x.zip"), "is an archive that is not opened"),
        (member("intro.mp4"), "does not name its student"),
        (bomb, "times its size, which no recording does"),
        (member("s001/x.mp4", bytes(13_000_000)), "MB, and 12.0 are allowed"),
    ],
)
async def test_a_member_that_may_not_be_taken_leaves_the_others(
    here: IntakeLab, made: Packed, why: str
) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        made(archive)
        archive.writestr("s009/good.mp4", b"10 seconds of speech")
    here.drop("class.zip", content.getvalue())
    before = sorted(here.inbox.parent.rglob("*"))
    found = await taken_in(here, limits=Limits(max_size_bytes=12_000_000))
    assert students(found) == [("s009", "good.mp4")]
    (told,) = reasons(found)
    assert why in told
    assert told.isprintable()
    new = set(here.inbox.parent.rglob("*")) - set(before)
    assert all(here.state in path.parents for path in new)


def encrypted(content: bytes) -> bytes:
    """The same archive with the flag that its members are encrypted."""
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        begin = content.find(mark)
        while begin >= 0:
            flags = struct.unpack_from("<H", content, begin + at)[0] | 1
            content = content[: begin + at] + struct.pack("<H", flags) + content[begin + at + 2 :]
            begin = content.find(mark, begin + 4)
    return content


async def test_encrypted_members_are_refused_each(here: IntakeLab) -> None:
    here.drop("class.zip", encrypted(package("s001/a.mp4", "s002/b.mp4")))
    told = reasons(await taken_in(here))
    assert len(told) == 2
    assert all("it is encrypted; make the archive without a password" in each for each in told)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"PK\x03\x04 no more of it", "it is damaged, or no zip"),
        (b"", "it is damaged, or no zip"),
        (package(*(f"s{n:05d}/intro.mp4" for n in range(10_000)), content=b""), "more than 2000 files"),
        (package("s001/a.mp4")[:-30], "it is damaged, or no zip"),
    ],
    ids=["nonsense", "empty", "ten thousand", "half"],
)
async def test_a_package_that_cannot_be_opened_is_one_refusal(
    here: IntakeLab, content: bytes, why: str
) -> None:
    here.drop("class.zip", content)
    limits = Limits(max_size_bytes=1_000_000)
    found = await taken_in(here, limits=limits, empty_s=0.05)
    (told,) = reasons(found)
    assert "class.zip is not opened" in told
    assert why in told
    assert len(found.rejected) == 1
    assert list((here.state / "received").iterdir()) == []


async def test_the_same_package_again_is_refused_for_each_recording(here: IntakeLab) -> None:
    here.drop("class.zip", package("s001/a.mp4", "s002/b.mp4"))
    await taken_in(here)
    here.drop("again.zip", package("s001/a.mp4", "s002/b.mp4"))
    found = await taken_in(here)
    assert len(found.tasks) == 2
    assert [told.partition(":")[0] for told in reasons(found)] == ["duplicate", "duplicate"]


async def test_a_member_counts_as_its_packages_account(here: IntakeLab) -> None:
    here.drop("class.zip", package("s001/a.mp4"))
    found = await taken_in(here, limits=Limits(max_size_bytes=10_000, ownership=Ownership("require")))
    assert found.tasks == []
    assert reasons(found)[0].startswith("not_owner")


async def work_off(here: IntakeLab, fuse: Fuse | None = None) -> None:
    """Claim what is in the inbox, after what is left of before."""
    one = claimer(here, fuse=fuse, may_set_roster=lambda owner: True)
    claims = [*await one.open_claims(), *(await take_all(one, here)).claims]
    while claims:
        claims = list((await finish(one, claims)).more)


async def test_an_unpacker_that_breaks_off_takes_no_other_recording_with_it(here: IntakeLab) -> None:
    here.drop("class.zip", package("bomb s001/a.mp4", "s002/b.mp4"))
    await work_off(here)
    assert students(Outcome(here)) == [("s002", "b.mp4")]


@pytest.mark.parametrize("after", [False, True])
async def test_a_kill_at_any_step_loses_no_recording_and_doubles_none(tmp_path: Path, after: bool) -> None:
    at = 0
    while True:
        folder = tmp_path / f"{at}"
        folder.mkdir()
        with lab(folder) as here:
            here.drop("class.zip", package("s001/a.mp4", "s002/b.mp4", "notes.txt"))
            fuse = Fuse(at, after=after)
            try:
                await work_off(here, fuse)
            except Crash:
                await work_off(here)
            found = Outcome(here)
            assert students(found) == [("s001", "a.mp4"), ("s002", "b.mp4")], fuse.steps[-1]
            assert len(found.reasons) == 1, fuse.steps[-1]
            assert (found.open, found.inbox) == ([], []), fuse.steps[-1]
            assert len(list((here.state / "received").iterdir())) == 1
            assert list((here.state / "unpacked").iterdir()) == []
            assert len(found.spool) == 2
        at += 1
        if at >= len(fuse.steps):
            return


async def test_a_roster_in_the_inbox_is_that_of_the_open_class(here: IntakeLab) -> None:
    open_class(here, [RosterEntry(student="old")])
    here.drop("Roster.csv", ROSTER)
    found = await taken_in(here, limits=Limits(may_set_roster=lambda owner: owner == os.getuid()))
    roster = here.database.now(classes.open_roster)
    assert [entry.student for entry in roster.entries] == ["s001", "s002"]
    assert here.told == ["Roster.csv is the roster of the open class, with 2 students"]
    assert (found.open, found.inbox, reasons(found)) == ([], [], [])
    (kept,) = (here.state / "received").iterdir()
    assert kept.read_bytes() == ROSTER


@pytest.mark.parametrize(
    ("content", "may", "is_open", "why"),
    [
        (
            ROSTER,
            True,
            False,
            "no class is open; to open one, run: introeval class open NAME, and send it again",
        ),
        (ROSTER, False, True, "who may not change a class; ask an operator to run: introeval class roster"),
        (b"student\ns1\nS1\n", True, True, "row 3, column student: S1 is in row 2 already"),
    ],
)
async def test_a_roster_that_is_not_taken_changes_nothing(
    here: IntakeLab, content: bytes, may: bool, is_open: bool, why: str
) -> None:
    if is_open:
        open_class(here, [RosterEntry(student="old")])
    here.drop("roster.csv", content)
    found = await taken_in(here, limits=Limits(may_set_roster=lambda owner: may))
    (told,) = reasons(found)
    assert why in told
    assert [entry.student for entry in here.database.now(classes.open_roster).entries] == ["old"] * is_open
    assert (found.open, found.inbox, len(found.rejected)) == ([], [], 1)


def test_on_a_share_that_makes_all_files_the_daemons_own_no_roster_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4321)
    in_a_lab, alone = may_hand_in_rosters("root"), may_hand_in_rosters("")
    assert [in_a_lab(uid) for uid in (0, 4321, 4322)] == [True, False, False]
    assert [alone(uid) for uid in (0, 4321, 4322)] == [True, True, False]


@pytest.mark.parametrize("after", [False, True])
async def test_a_kill_at_any_step_takes_a_roster_once(tmp_path: Path, after: bool) -> None:
    at = 0
    while True:
        folder = tmp_path / f"{at}"
        folder.mkdir()
        with lab(folder) as here:
            open_class(here, [])
            here.drop("roster.csv", ROSTER)
            fuse = Fuse(at, after=after)
            try:
                await work_off(here, fuse)
            except Crash:
                await work_off(here)
            whats = [entry.what for entry in here.database.now(audit.entries)]
            assert whats.count("class roster") == 1, fuse.steps[-1]
            assert len(list((here.state / "received").iterdir())) == 1
            assert Outcome(here).inbox == []
        at += 1
        if at >= len(fuse.steps):
            return


def overlapping(count: int) -> bytes:
    """An archive whose entries all are of the same bytes."""
    one = package("s001/a.mp4", content=os.urandom(5000))
    directory = one.rindex(b"PK\x01\x02")
    end = one.rindex(b"PK\x05\x06")
    entry = one[directory:end]
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, count * len(entry), directory, 0)
    return one[:directory] + entry * count + tail


async def test_files_that_overlap_are_refused_whole(here: IntakeLab) -> None:
    here.drop("class.zip", overlapping(50))
    (told,) = reasons(await taken_in(here, limits=Limits(max_size_bytes=1_000_000)))
    assert "its files overlap" in told


async def test_a_package_without_files_says_so(here: IntakeLab) -> None:
    here.drop("class.zip", package("__MACOSX/._x"))
    (told,) = reasons(await taken_in(here))
    assert "there is no file in it" in told


async def test_a_wrong_checksum_refuses_one_recording_and_the_rest_goes_on(here: IntakeLab) -> None:
    packed = bytearray(package("s001/a.mp4", "s002/b.mp4"))
    at = packed.index(b"PK\x03\x04") + 14
    packed[at] ^= 1  # of the first member; the directory has it, too
    packed[packed.index(b"PK\x01\x02") + 16] ^= 1
    here.drop("class.zip", bytes(packed))
    found = await taken_in(here)
    assert students(found) == [("s002", "b.mp4")]
    assert "Bad CRC-32" in reasons(found)[0]


async def test_the_groups_of_a_labs_pattern_stand_in_the_history(here: IntakeLab) -> None:
    here.drop("lab 3/B2/class.zip", package("7-anna.mp4"))
    here.drop("lab 4/8-ben.mp4")
    pattern = r"(?P<lab>[^/]+)/((?P<group>[^/]+)/)?[0-9]+-(?P<student>[a-z]+)[.].*"
    found = await taken_in(here, limits=Limits(max_size_bytes=10_000, names=Names(patterns=[pattern])))
    assert students(found) == [("anna", "7-anna.mp4"), ("ben", "8-ben.mp4")]
    details = here.database.now(lambda db: db.execute_sql("SELECT detail FROM task_events").fetchall())
    said = [json.loads(detail) for (detail,) in details]
    assert sorted((each["lab"], each.get("group")) for each in said) == [("lab 3", "B2"), ("lab 4", None)]
