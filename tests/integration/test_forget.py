"""Forgetting a student: all that the program wrote of one goes, nothing of another, and it is proved."""

import asyncio
import io
import json
import logging
import os
import re
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.api import client
from daemon.cli.run import log_to_file
from daemon.contracts.values import Probe
from daemon.contracts.wire.base import Forgotten
from daemon.core.alarms import trouble
from daemon.core.classes.roster import RosterEntry
from daemon.core.errors import Blame, Fault, IllegalTransition, NotForgotten, UnknownStudent
from daemon.core.keeping.traces import Traces
from daemon.delivery import forget_proof
from daemon.store import audit, classes, forgetting, open_store, recording
from daemon.system.state_folder import DATABASE
from tests.integration.test_cli_daemon import run
from tests.support.inprocess import Lab, worked_off
from tests.support.scripted import ScriptedMedia
from tests.support.waiting import until

pytestmark = pytest.mark.anyio


async def forgotten(lab: Lab, student: str) -> Forgotten:
    answer = await asyncio.to_thread(client.post, lab.config.paths.socket, f"/forget/{student}")
    return Forgotten.model_validate(answer)


class TellsTexts(ScriptedMedia):
    """Takes a file for a video, unless it is a text."""

    async def probe(self, path: Path, account: str | None = None) -> Probe | Fault:
        text = Fault(Blame.PERMANENT, "not_media", "it is a text")
        return text if path.read_bytes() == b"text" else await super().probe(path, account)


def names(*folders: Path) -> list[str]:
    return sorted(str(path.relative_to(f)) for f in folders for path in f.rglob("*") if not path.is_dir())


async def test_refused_files_are_a_students_by_their_folder_and_by_their_name(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    for name in ("s020/notes.txt", "s020_slides.pdf", "s0201_slides.pdf", "other/s02.txt"):
        lab.hand_in(name)
    async with lab.daemon() as daemon:
        await until(lambda: daemon.intake.refused == 4)
        await worked_off(daemon)
        gone = await forgotten(lab, "s020")
        with pytest.raises(UnknownStudent):
            await forgotten(lab, "s020")
    assert (gone.tasks, gone.files, gone.left) == (0, 4, [])
    rejected = names(lab.config.paths.state / "rejected", lab.outbox / "_rejected")
    assert sorted(re.sub("^[0-9a-f]{20}-", "", name) for name in rejected) == [
        "s02.reason.json", "s02.txt", "s0201_slides.pdf", "s0201_slides.reason.json",
    ]  # fmt: skip
    with closing(sqlite3.connect(lab.config.paths.state / DATABASE)) as database:
        assert database.execute("SELECT count(*) FROM claims").fetchone() == (2,)
        assert database.execute("SELECT count(*) FROM documents").fetchone() == (2,)


async def test_a_student_whose_folder_has_another_name_is_forgotten_with_it(tmp_path: Path) -> None:
    lab = Lab(tmp_path, settings={"intake.student_pattern": "com[0-9]"})
    lab.hand_in("com1/me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        assert {path.name for path in lab.outbox.iterdir()} >= {"_com1"}
        gone = await forgotten(lab, "com1")
    assert (gone.tasks, gone.left) == (1, [])
    assert not (lab.outbox / "_com1").exists()


async def test_what_is_anothers_stays_though_its_name_looks_alike(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    for name in ("ada/notes.txt", "ben/notes.txt", "ada/ben_me.mp4", "ben/ada_me.mp4"):
        lab.hand_in(name)
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        lab.hand_in("ben/ada_me.mp4")  # the same again: refused
        await worked_off(daemon)
        gone = await forgotten(lab, "ada")
    assert (gone.tasks, gone.files, gone.left) == (1, 5, [])
    assert [result["student_id"] for result in lab.results().values()] == ["ben"]
    why = [json.loads(path.read_text())["filename"] for path in (lab.outbox / "_rejected").iterdir()]
    assert sorted(why) == ["ada_me.mp4", "notes.txt"]
    assert len(names(lab.config.paths.state / "rejected")) == 2


async def test_a_student_of_a_roster_is_forgotten_with_address_and_notices_also_without_a_video(
    tmp_path: Path,
) -> None:
    hooks = {"hooks.command": ["/bin/false"]}
    lab = Lab(tmp_path, settings=hooks)
    entries = [
        RosterEntry(student="s001", name="Ana Silva", email="ana@example.org", aliases=("asilva",)),
        RosterEntry(student="s0010", name="Bea Roth", email="bea@example.org"),
        RosterEntry(student="s002", name="Cem Aydin", email="cem@example.org"),
    ]
    lab.hand_in("s001_me.mp4")
    async with lab.daemon() as daemon:
        await daemon.session(
            classes.open_class, "day", deadline=None, rubric=None, archive_days=None, entries=entries,
            now=1.0, actor="s001",
        )  # fmt: skip
        await worked_off(daemon)
        assert (await forgotten(lab, "s001")).left == []
        assert (await forgotten(lab, "s002")).tasks == 0
        left = (await daemon.session(classes.roster, 1)).entries
        assert [entry.student for entry in left] == ["s0010"]
    with closing(sqlite3.connect(lab.config.paths.state / DATABASE)) as database:
        assert database.execute("SELECT count(*) FROM notices").fetchone() == (0,)
        assert database.execute("SELECT opened_by FROM classes").fetchone() == (None,)
    for file in lab.config.paths.state.glob(f"{DATABASE}*"):
        assert not any(word in file.read_bytes() for word in (b"Ana Silva", b"ana@example.org", b"Cem Aydin"))


@pytest.mark.parametrize("given", ["s060", "S060", "asmith"])
async def test_a_student_is_forgotten_by_any_spelling_and_by_a_name_on_the_roster(
    tmp_path: Path, given: str
) -> None:
    lab = Lab(tmp_path)
    for name in ("S060_me.mp4", "s060/cv.pdf", "s001_me.mp4"):
        lab.hand_in(name)
    entries = [RosterEntry(student="s060", aliases=("asmith",)), RosterEntry(student="s001")]
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        await daemon.session(
            classes.open_class, "day", deadline=None, rubric=None, archive_days=None, entries=entries,
            now=1.0, actor=None,
        )  # fmt: skip
        gone = await forgotten(lab, given)
    assert (gone.student, gone.tasks, gone.left) == ("S060", 1, [])
    assert [result["student_id"] for result in lab.results().values()] == ["s001"]
    assert not names(lab.outbox / "_rejected", lab.config.paths.state / "rejected")


async def test_forgetting_strikes_nobody_else_off_the_roster_and_the_daemon_knows_it(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    entries = [
        RosterEntry(student="10001", name="Carl Weber"),
        RosterEntry(student="20002", name="Bo Lind", aliases=("10001",)),
    ]
    async with lab.daemon() as daemon:
        await daemon.session(
            classes.open_class, "day", deadline=None, rubric=None, archive_days=None, entries=entries,
            now=1.0, actor=None,
        )  # fmt: skip
        assert (await daemon.session(classes.open_roster)).find("10001") is not None
        await forgotten(lab, "10001")
        left = (await daemon.session(classes.open_roster)).entries
    assert [entry.student for entry in left] == ["20002"]


async def test_a_name_of_several_on_the_rosters_forgets_nobody(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    weeks = (
        RosterEntry(student="10001", email="anna@a.org"),
        RosterEntry(student="20002", email="anna@b.org"),
    )
    async with lab.daemon() as daemon:
        for entry in weeks:
            await daemon.session(
                classes.open_class, entry.email, deadline=None, rubric=None, archive_days=None,
                entries=[entry], now=1.0, actor=None,
            )  # fmt: skip
            await daemon.session(classes.close_class, 2.0, None)
        with pytest.raises(IllegalTransition, match="several students of the name anna: 10001, 20002"):
            await forgotten(lab, "anna")
        await forgotten(lab, "10001")
        assert [row.students for row in await daemon.session(classes.every)] == [1, 0]


async def test_a_refused_file_of_another_spelling_goes_too_and_a_reason_whose_row_has_gone(
    tmp_path: Path,
) -> None:
    lab = Lab(tmp_path, media=TellsTexts())
    lab.hand_in("s060_intro.xyz", "text")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        lab.hand_in("S060_b.mp4")
        lab.hand_in("s061_notes.txt")
        await worked_off(daemon)
        for row in ("s060/old.txt", "s061/old.txt"):
            named = "s060" if row == "s060/old.txt" else None
            said = {"claim_id": "0" * 20, "filename": "old.txt", "path": row, "student_id": named}
            (lab.outbox / "_rejected" / f"{row[:4]}-old.reason.json").write_text(json.dumps(said))
        (lab.outbox / "_rejected" / "other.reason.json").write_text("[]")
        (lab.outbox / "_rejected" / "linked.reason.json").symlink_to("other.reason.json")
        gone = await forgotten(lab, "s060")
    assert (gone.student, gone.left) == ("S060", [])
    left = [re.sub("^[0-9a-f]{20}-", "", name) for name in names(lab.outbox / "_rejected")]
    assert sorted(left) == [
        *("linked.reason.json", "other.reason.json"),
        *("s061-old.reason.json", "s061_notes.reason.json"),
    ]
    assert [re.sub("^[0-9a-f]{20}-", "", name) for name in names(lab.config.paths.state / "rejected")] == [
        "s061_notes.txt"
    ]


async def test_copies_of_the_database_and_files_without_a_row_go_and_no_link_is_followed(
    tmp_path: Path,
) -> None:
    lab = Lab(tmp_path)
    state, elsewhere = lab.config.paths.state, tmp_path / "elsewhere"
    lab.hand_in("s001_me.mp4")
    elsewhere.mkdir()
    (elsewhere / "theirs.json").write_text("s001")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        (state / "rejected" / "inner").mkdir()
        (state / f"{DATABASE}.before-0004_x").write_bytes(b"everything")
        (state / "archive" / "s001" / "0000-older.mp4").write_bytes(b"video")
        (lab.outbox / "s001" / "inner").mkdir()
        (lab.outbox / "s001" / "inner" / "0000-older.result.json").write_text("{}")
        (lab.outbox / "s001" / "link").symlink_to(elsewhere)
        gone = await forgotten(lab, "s001")
        (lab.outbox / "s001").symlink_to(elsewhere)
        again = await forgotten(lab, "s001")
    assert (gone.files, gone.copies, gone.left) == (6, 1, [])
    assert (again.tasks, again.files, again.left) == (0, 1, [])
    assert names(elsewhere) == ["theirs.json"]
    assert not os.path.lexists(lab.outbox / "s001")
    assert not (state / "archive" / "s001").exists()


async def test_a_link_in_place_of_the_students_folder_is_removed_and_not_followed(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    lab.hand_in("s001_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        (lab.outbox / "s001").rename(elsewhere)
        (lab.outbox / "s001").symlink_to(elsewhere)
        gone = await forgotten(lab, "s001")
    assert (gone.tasks, gone.files, gone.left) == (1, 2, []), "the video and the link"
    assert len(names(elsewhere)) == 2
    assert not os.path.lexists(lab.outbox / "s001")


async def test_a_refused_file_whose_stem_is_the_student_is_forgotten(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.hand_in("s1.mp4")
    lab.hand_in("s1b.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        gone = await forgotten(lab, "s1")
    assert gone.left == []
    left = [*names(lab.outbox), *(path.name for path in (tmp_path / "var" / "rejected").iterdir())]
    assert len([name for name in left if name.endswith(("-s1b.mp4", "-s1b.reason.json"))]) == 2
    assert not [name for name in left if "-s1." in name]


@pytest.mark.parametrize("student", ["_rejected", "..", ".", "a/b"])
async def test_what_is_no_students_id_deletes_nothing(tmp_path: Path, student: str) -> None:
    lab = Lab(tmp_path)
    lab.hand_in("nobody.txt")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
    done = await run(lab, "forget", student, "--yes")
    assert isinstance(done.exception, UnknownStudent)
    assert len([name for name in names(lab.outbox) if name.startswith("_rejected")]) == 1


async def test_what_still_names_the_student_is_said_with_an_exit_code_of_its_own(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    state = lab.config.paths.state
    for name in ("s1_me.mp4", "s10_you.mp4"):
        lab.hand_in(name)
    async with lab.daemon() as daemon:
        await worked_off(daemon)
    with (
        closing(sqlite3.connect(state / DATABASE)) as database,
        closing(sqlite3.connect(state / "my.db")) as own,
    ):
        database.backup(own)
        (claim,) = database.execute("SELECT claim_id FROM processing_tasks WHERE user_id = 's1'").fetchone()
    (state / "log").mkdir(exist_ok=True)
    (state / "log" / "old.log").write_text("x" * 200_000 + "\ntook s1_me.mp4\n")
    (state / "log" / "other.log").write_text("took s10_you.mp4 of s10, s1x and s1.5\n")
    (lab.outbox / "done").mkdir()
    (lab.outbox / "done" / "a.json").write_text('{"student_id": "s1"}')
    (lab.outbox / "done" / "b.json").write_text('{"said": "s1", "student_id": "s10"}')
    (lab.outbox / "done" / f"{claim}.csv").write_text("")
    done = await run(lab, "forget", "s1", "--yes", "--json")
    assert isinstance(done.exception, NotForgotten)
    assert done.exception.exit_code == 15
    left = json.loads(done.stdout)["left"]
    expected = [state / "my.db", state / "log" / "old.log", lab.outbox / "done" / "a.json"]
    assert sorted(left) == sorted(map(str, [*expected, lab.outbox / "done" / f"{claim}.csv"]))
    assert "\n" not in str(done.exception)
    assert str(state / "my.db") in str(done.exception)
    assert [result["student_id"] for result in lab.results().values()] == ["s10"]
    for path in expected:
        path.unlink()
    again = await run(lab, "forget", "s1", "--yes")
    assert isinstance(again.exception, UnknownStudent), "now nothing is left"


async def test_what_was_deleted_is_looked_for_in_the_bytes_of_the_database(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    database = lab.config.paths.state / DATABASE
    for name in ("s001_me.mp4", "s002_me.mp4"):
        lab.hand_in(name)
    async with lab.daemon() as daemon:
        await worked_off(daemon)
    with open_store(database) as store:
        kept = forgetting.kept_of(store, "s001", lab.inbox)
        with closing(sqlite3.connect(database)) as careless:  # as a program that does not overwrite
            careless.execute("PRAGMA foreign_keys = 1")
            careless.execute("PRAGMA secure_delete = 0")
            careless.execute("DELETE FROM processing_tasks WHERE user_id = 's001'")
            careless.execute("DELETE FROM users WHERE username = 's001'")
            careless.execute("DELETE FROM claims WHERE student = 's001'")
            careless.commit()
    for folder in (lab.outbox / "s001", lab.config.paths.state / "archive" / "s001"):
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
    with open_store(database) as store:
        recording.forget_frames(store, kept.traces, 0, -1)
        recording.forget_events(store, kept.traces)
        audit.forget(store, kept.traces, kept.tasks, at=0.0, actor=None)
    assert forget_proof.find(kept.traces, lab.config.paths) == [f"{database}: deleted rows"]


async def test_a_short_id_in_a_deleted_row_is_told_from_numbers(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    database = lab.config.paths.state / DATABASE
    lab.outbox.mkdir(parents=True)
    database.parent.mkdir()
    open_store(database).close()
    assert forget_proof.find(Traces("s020"), lab.config.paths) == []
    assert not Traces("s020").in_pages().found(b"\x11s02023-11-14T22:13:20.000000Zadmitted")
    assert not Traces("s1").in_pages().found(b"Cxs12023-11-14T22:13:20.000000Z")
    with closing(sqlite3.connect(database)) as careless:
        careless.execute("PRAGMA secure_delete = 0")
        careless.execute("INSERT INTO users VALUES ('s020', '2023-11-14T22:13:20.000000Z')")
        careless.execute("DELETE FROM users")
        careless.commit()
    assert forget_proof.find(Traces("s020"), lab.config.paths) == [f"{database}: deleted rows"]


async def test_a_file_that_is_being_taken_in_is_waited_for(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.hand_in("s020_notes.txt")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
    with open_store(lab.config.paths.state / DATABASE) as store:
        with closing(sqlite3.connect(lab.config.paths.state / DATABASE)) as database, database:
            database.execute("UPDATE claims SET step = 'seen'")
        with pytest.raises(IllegalTransition, match="being claimed"):
            forgetting.kept_of(store, "s020", lab.inbox)


async def test_no_log_names_a_student_or_a_file(tmp_path: Path) -> None:
    lab = Lab(tmp_path, settings={"intake.max_size_mb": 1})
    handlers = logging.getLogger().handlers[:]
    log_to_file(lab.config)
    lab.hand_in("s001_secret.mp4", b"x" * 2_000_000)
    lab.hand_in("s002_secret.mp4")
    lab.hand_in("s003_secret.txt")
    async with lab.daemon() as daemon:
        daemon.alarms.set(trouble("intake_no_right /inbox/s004_secret.mp4", "s004_secret.mp4 is denied"))
        daemon.alarms.set(trouble("outbox", "/outbox/s005/0001-secret.result.json cannot be written"))
        await worked_off(daemon)
        daemon.alarms.clear("intake_no_right /inbox/s004_secret.mp4")
        assert any("secret" in event.message for event in daemon.observer.events.recent(1000))
        assert (await forgotten(lab, "s001")).left == []
    structlog.reset_defaults()
    logging.basicConfig(handlers=handlers, force=True)
    log = (lab.config.paths.state / "log" / "daemon.log").read_text()
    assert "intake_no_right" in log
    assert not re.search("secret|s00[1-5]", log)


def test_a_short_number_is_a_trace_only_where_it_stands_as_an_id() -> None:
    traces = Traces("7", names=frozenset({"me.mp4"}))
    for text in (b"task 7 is done", b"\0 7 \0", b"7\n", b"17/7.5"):
        assert not traces.in_files().found(text), text
    for text in (b'{"student": "7"}', b"'7'", b"archive/7/0001-me.mp4", b"took me.mp4"):
        assert traces.in_files().found(text), text
    assert Traces("4711").in_files().found(b"task of 4711")


async def test_an_unknown_short_id_is_found_in_nothing_that_the_daemon_keeps(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    state = lab.config.paths.state
    lab.hand_in("s001_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        (state / "stt.probe.pcm").write_bytes(b"\0\x017\0 abc \0")
        (state / "log").mkdir(exist_ok=True)
        (state / "log" / "old.log").write_text("task 7 was tried 7 times\n")
        for student in ("7", "abc"):
            done = await run(lab, "forget", student, "--yes")
            assert isinstance(done.exception, UnknownStudent), done.exception


def test_the_index_of_the_database_is_no_place_to_look_into(tmp_path: Path) -> None:
    config = Lab(tmp_path).config
    state = config.paths.state
    for folder in (state, config.paths.outbox):
        folder.mkdir(exist_ok=True)
    (state / f"{DATABASE}-shm").write_bytes(b"\0 abc \0")
    found = [*forget_proof._files(Traces("abc"), config.paths)]
    assert found == []


PIECES = st.sampled_from([b"s1", b"s10", b" ", b"x", b"-", b"id" * 8, b"\n", b"s", b"1"])


@settings(deadline=None)
@given(st.lists(PIECES, max_size=60), st.integers(1, 40))
def test_a_search_in_chunks_finds_what_a_search_of_the_whole_finds(pieces: list[bytes], chunk: int) -> None:
    text = b"".join(pieces)
    traces = Traces("s1", unique=frozenset({"id" * 8}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forget_proof, "_CHUNK", chunk)
        found = forget_proof._reads(io.BytesIO(text), traces.in_text(), traces.longest(), None)
    assert found is traces.in_text().found(text)


async def test_a_package_goes_with_the_student_of_whom_all_in_it_was_refused(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    for name, student in (("first.zip", "s021"), ("second.zip", "s022")):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr(f"{student}/essay.txt", student)
        lab.hand_in(name, packed.getvalue())
    received = lab.config.paths.state / "received"
    async with lab.daemon() as daemon:
        await until(lambda: len(list(lab.config.paths.outbox.rglob("*.reason.json"))) == 2)
        await worked_off(daemon)
        assert len(names(received)) == 2
        assert (await forgotten(lab, "s021")).left == []
    (kept,) = names(received)
    assert kept.endswith("-second.zip")


async def test_a_package_goes_with_each_student_who_is_in_it(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    for name, students in (("first.zip", ("s021", "s022")), ("second.zip", ("s023",))):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for student in students:
                archive.writestr(f"{student}/video.mp4", student)
        lab.hand_in(name, packed.getvalue())
    async with lab.daemon() as daemon:
        await until(lambda: daemon.born == 3)
        await worked_off(daemon)
        assert (await forgotten(lab, "s021")).left == []
    (kept,) = names(lab.config.paths.state / "received")
    assert kept.endswith("-second.zip")
    assert len(names(lab.config.paths.state / "archive")) == 2
