"""Backups of a live state: whole, consistent, and a class that goes on from one, with nothing twice."""

import asyncio
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from daemon.contracts.wire.words import Order
from daemon.core.errors import AlreadyRunning, BackupError, NotForgotten, StoreError
from daemon.core.keeping.traces import Traces
from daemon.core.tasks.task import Stage
from daemon.delivery import backup
from daemon.delivery.backup import BackupManifest, back_up, names_student, noted, read_again
from daemon.delivery.restore import restore
from daemon.store import open_store
from daemon.store.forgetting import forget
from daemon.system.state_folder import DATABASE, owned
from tests.integration.test_cli_daemon import run
from tests.support.inprocess import Lab, worked_off
from tests.support.rights import somebody_else
from tests.support.waiting import until

pytestmark = pytest.mark.anyio
STUDENTS = [f"s{number:03}" for number in range(8)]


def made(lab: Lab, file: Path, *, videos: bool = True) -> BackupManifest:
    return back_up(lab.config.paths.state, file, videos=videos, program="introeval", now=0.0)


def rows(state: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(state / DATABASE)) as database:
        return database.execute(query).fetchall()


async def a_day(lab: Lab, *names: str) -> None:
    for name in names:
        lab.hand_in(name)
    async with lab.daemon() as daemon:
        await worked_off(daemon)


async def test_a_class_goes_on_from_a_backup_elsewhere_and_nothing_comes_twice(tmp_path: Path) -> None:
    lab = Lab(tmp_path / "here", seconds={Stage.STT: 0.05, Stage.RATE: 0.05})
    for student in STUDENTS:
        lab.hand_in(f"{student}_me.mp4")
    file = tmp_path / "class.tar"
    async with lab.daemon() as daemon:
        await until(lambda: len(lab.results()) >= 3)
        manifest = await asyncio.to_thread(made, lab, file)
        await worked_off(daemon)
    first = lab.results()
    other = Lab(tmp_path / "there")
    assert not other.config.paths.state.exists()
    assert (await run(other, "restore", str(file))).exit_code == 0
    state = other.config.paths.state
    delivered = rows(state, "SELECT name FROM documents WHERE kind = 'result' AND delivered_at IS NOT NULL")
    assert 0 < len(delivered) < len(STUDENTS), "the backup is of the middle of the class"
    async with other.daemon() as daemon:
        await worked_off(daemon)
        assert not daemon.alarms.all
    then = other.results()
    assert then.keys().isdisjoint(name for (name,) in delivered), "what was delivered is not delivered again"
    assert then.keys() | {name for (name,) in delivered} == first.keys()
    assert rows(state, "SELECT DISTINCT status, video FROM processing_tasks") == [("completed", "archive")]
    paths = [Path(str(path)) for (path,) in rows(state, "SELECT file_path FROM processing_tasks")]
    assert all(path.is_relative_to(state) and path.is_file() for path in paths)
    assert {path.read_text() for path in paths} == {f"{student}_me.mp4" for student in STUDENTS}
    assert len([each for each in manifest.files if each.path.endswith(".mp4")]) == len(STUDENTS)


async def test_without_videos_the_finished_tasks_have_none_and_the_open_ones_keep_theirs(
    tmp_path: Path,
) -> None:
    lab = Lab(tmp_path / "here")
    await a_day(lab, "s001_me.mp4", "s002_notes.txt")
    async with lab.daemon() as daemon:
        await daemon.supervisor.order(Order.PAUSE)
        lab.hand_in("s003_me.mp4")
        await until(lambda: len(daemon.supervisor.tasks) == 1)
        manifest = await asyncio.to_thread(made, lab, tmp_path / "small.tar", videos=False)
    other = tmp_path / "there"
    other.mkdir()
    restore(tmp_path / "small.tar", other)
    assert [each.path.partition("/")[0] for each in manifest.files] == ["spool", DATABASE]
    assert rows(other, "SELECT user_id, video FROM processing_tasks ORDER BY id") == [
        ("s001", "gone"),
        ("s003", "spool"),
    ]


async def test_a_backup_is_refused_over_a_file_and_a_restore_over_a_state(tmp_path: Path) -> None:
    lab = Lab(tmp_path / "here")
    await a_day(lab, "s001_me.mp4")
    file = tmp_path / "class.tar"
    made(lab, file)
    before = file.read_bytes()
    with pytest.raises(BackupError, match="there already"):
        made(lab, file)
    assert file.read_bytes() == before
    with pytest.raises(BackupError, match="never put over it"):
        restore(file, lab.config.paths.state)
    (lab.config.paths.state / DATABASE).unlink()
    with pytest.raises(BackupError, match="never mixed"):
        restore(file, lab.config.paths.state)
    assert (file.stat().st_mode & 0o777) == 0o600


async def test_a_restore_is_refused_where_a_daemon_runs(tmp_path: Path) -> None:
    lab = Lab(tmp_path / "here")
    lab.config.paths.state.mkdir()
    with owned(lab.config.paths.state):
        done = await run(lab, "restore", str(tmp_path / "x.tar"))
    assert isinstance(done.exception, AlreadyRunning)


async def test_a_damaged_backup_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    lab = Lab(tmp_path / "here")
    await a_day(lab, "s001_me.mp4")
    file, other = tmp_path / "class.tar", tmp_path / "there"
    made(lab, file)
    other.mkdir()
    content = bytearray(file.read_bytes())
    content[content.index(b"SQLite format 3") + 4200] ^= 1
    file.write_bytes(content)
    with pytest.raises(BackupError, match="damaged"):
        restore(file, other)
    file.write_bytes(content[: len(content) // 2])
    with pytest.raises(BackupError, match="no whole backup"):
        restore(file, other)
    (tmp_path / "video.tar").write_bytes(b"no tar at all")
    with pytest.raises(BackupError, match="no whole backup"):
        read_again(tmp_path / "video.tar")
    assert list(other.iterdir()) == []


async def test_a_backup_that_names_files_outside_of_the_state_is_refused(tmp_path: Path) -> None:
    lab = Lab(tmp_path / "here")
    await a_day(lab, "s001_me.mp4")
    manifest = made(lab, tmp_path / "class.tar")
    for path in ("../x", "archive/../../x", "/etc/x", "log/x", "archive"):
        evil = tmp_path / "evil.tar"
        wrong = manifest.model_copy(
            update={"files": (manifest.files[0].model_copy(update={"path": path}), *manifest.files[1:])}
        )
        with tarfile.open(evil, "w") as tar:
            note = tmp_path / "backup.json"
            note.write_text(wrong.model_dump_json())
            tar.add(note, "backup.json")
        with pytest.raises(BackupError, match="no file of a state folder"):
            read_again(evil)


async def test_a_restore_that_was_killed_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Lab(tmp_path / "here")
    await a_day(lab, "s001_me.mp4", "s002_me.mp4")
    file, other = tmp_path / "class.tar", tmp_path / "there"
    made(lab, file)
    other.mkdir()
    moves: list[str] = []
    rename = os.rename

    class Killed(BaseException):
        pass

    def killed(source: Path, target: Path) -> None:
        if moves:
            raise Killed
        moves.append(target.name)
        rename(source, target)

    monkeypatch.setattr("os.rename", killed)
    with pytest.raises(Killed):
        restore(file, other)
    monkeypatch.undo()
    assert not (other / DATABASE).exists()
    restore(file, other)
    assert rows(other, "SELECT count(*) FROM processing_tasks") == [(2,)]
    assert sorted(path.name for path in other.iterdir()) == ["archive", DATABASE]


async def test_who_is_forgotten_meanwhile_is_in_no_backup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Lab(tmp_path / "here")
    await a_day(lab, "s001_me.mp4", "s002_me.mp4")
    file = tmp_path / "class.tar"
    added = backup._add_videos

    def forget_then_add(*args: object, **more: object) -> object:
        with open_store(lab.config.paths.state / DATABASE) as db:
            forget(db, "s001", lab.inbox, at=1.0, actor=None)
        return added(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(backup, "_add_videos", forget_then_add)
    with pytest.raises(BackupError, match="forgotten"):
        made(lab, file)
    assert [path.name for path in tmp_path.iterdir()] == ["here"]


async def test_who_is_forgotten_is_found_in_an_earlier_backup_and_not_in_a_later_one(tmp_path: Path) -> None:
    lab = Lab(tmp_path / "here")
    await a_day(lab, "s001_me.mp4", "s002_me.mp4")
    earlier, gone, later = (tmp_path / name for name in ("earlier.tar", "gone.tar", "later.tar"))
    made(lab, earlier)
    made(lab, gone)
    gone.unlink()
    done = await run(lab, "forget", "s001", "--yes", "--json")
    assert isinstance(done.exception, NotForgotten)
    assert json.loads(done.stdout)["left"] == [str(earlier)]
    made(lab, later)
    earlier.unlink()
    assert (await run(lab, "forget", "s001", "--yes", "--json")).exit_code == 12, "nothing is kept of them"


@pytest.mark.parametrize("hidden", [False, True], ids=["unreadable", "in a folder that is closed"])
async def test_a_backup_that_the_daemon_may_not_read_may_have_anybody(hidden: bool) -> None:
    with tempfile.TemporaryDirectory() as name:
        (place := Path(name) / "roots").mkdir()
        lab = Lab(Path(name) / "here")
        await a_day(lab, "s001_me.mp4")
        paths = lab.config.paths
        made(lab, file := place / "class.tar")
        Path(name).chmod(0o755)
        paths.state.parent.chmod(0o755)
        paths.state.chmod(0o777)
        place.chmod(0o700 if hidden else 0o755)
        with somebody_else():
            assert noted(paths.state) == [file]
            assert names_student(file, Traces(student="s001"), paths)


async def test_who_may_not_note_a_backup_is_told_so(tmp_path: Path) -> None:
    lab = Lab(tmp_path / "here")
    await a_day(lab, "s001_me.mp4")
    state = lab.config.paths.state
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o777)
        with somebody_else(), pytest.raises(BackupError, match="you may not note it in "):
            back_up(state, Path(place) / "class.tar", videos=True, program="introeval", now=0.0)
        assert not list(Path(place).iterdir())


async def test_a_backup_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    lab = Lab(tmp_path / "here")
    await a_day(lab, "s001_me.mp4")
    state = lab.config.paths.state
    with closing(sqlite3.connect(state / DATABASE)) as database:
        database.execute("UPDATE schema_migration SET name = '9999_later' WHERE name = '0016_classes'")
        database.commit()
    made(lab, tmp_path / "class.tar")
    other = tmp_path / "there"
    other.mkdir()
    with pytest.raises(StoreError, match="newer IntroEval"):
        restore(tmp_path / "class.tar", other)
    shutil.rmtree(other)


async def test_the_command_says_what_it_has_made(tmp_path: Path) -> None:
    lab = Lab(tmp_path / "here")
    await a_day(lab, "s001_me.mp4")
    done = await run(lab, "backup", str(tmp_path / "class.tar"), "--json")
    said = json.loads(done.stdout)
    assert [each["path"].partition("/")[0] for each in said["files"]] == ["archive", DATABASE]
    other = Lab(tmp_path / "there")
    assert not other.config.paths.state.exists()
    text = await run(other, "restore", str(tmp_path / "class.tar"))
    assert "2 files" in text.stdout
