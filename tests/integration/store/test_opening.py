"""Opening the file: its pragmas and tables, readers beside it, writers at once."""

import errno
import os
import shutil
import sqlite3
import tempfile
import threading
from pathlib import Path

import pytest

from daemon.core.errors import StoreError
from daemon.core.tasks.task import Status
from daemon.store import Database, open_reader, open_store, recovery, reports, settings
from tests.integration.stores import (
    WAY,
    assert_consistent,
    birth,
    born,
    walk,
)
from tests.support.rights import somebody_else


def test_the_file_is_in_wal_mode_and_has_the_tables_that_other_tools_read(
    store: Database, path: Path
) -> None:
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        columns = [row[1] for row in db.execute("PRAGMA table_info(processing_tasks)")]
        assert columns[:16] == (
            "id user_id filename file_path upload_timestamp status phase batch_id stt_result mistral_result "
            "llama_result error_message retry_count priority estimated_completion last_updated".split()
        )
        indexes = {row[1] for row in db.execute("PRAGMA index_list(processing_tasks)")}
        assert indexes >= {"idx_status", "idx_phase_batch", "idx_user_status"}
    db.close()


def test_a_folder_that_is_missing_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="check that its folder exists"):
        open_store(tmp_path / "nowhere" / "introeval.db")


def test_a_folder_that_may_not_be_read_is_an_error_that_says_who_may(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as name:  # those of pytest are root's alone
        Path(name).chmod(0o755)
        (state := Path(name) / "var").mkdir()
        state.chmod(0)
        told = r"introeval.db cannot be read: Permission denied; run this as the daemon's account"
        with somebody_else(), pytest.raises(StoreError, match=told):
            open_reader(state / "introeval.db")


def test_a_file_that_is_no_database_is_a_clear_error(path: Path) -> None:
    path.write_bytes(b"this is no database" * 100)
    with pytest.raises(StoreError, match=r"move .*-wal and .*-shm away together"):
        open_store(path)


def test_a_reader_sees_a_closed_database_and_leaves_nothing_behind(path: Path) -> None:
    with open_store(path) as store:
        born(store, birth("a"))
    with open_reader(path) as reader:
        assert reports.counts(reader)[Status.UPLOADED] == 1
        assert [task.filename for task in recovery.open_tasks(reader)] == ["intro.mp4"]
    assert [child.name for child in path.parent.iterdir()] == [path.name]


def test_what_an_earlier_life_left_in_the_log_is_written_into_the_database(
    path: Path, tmp_path: Path
) -> None:
    with open_store(path) as store:
        born(store, birth("a"))
        killed = tmp_path / "killed" / path.name
        killed.parent.mkdir()
        for file in path.parent.glob(f"{path.name}*"):
            shutil.copy(file, killed.parent)
    with open_store(killed):
        alone = sqlite3.connect(f"{killed.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
        assert alone.execute("SELECT count(*) FROM processing_tasks").fetchone() == (1,)
        alone.close()


def test_a_file_that_can_only_be_read_is_told_at_the_start(path: Path) -> None:
    open_store(path).close()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        path = Path(shutil.copy(path, folder))
        path.chmod(0o444)
        with (
            somebody_else(),
            pytest.raises(StoreError, match="check that its folder exists and that this user may write"),
        ):
            open_store(path)


def test_a_reader_reads_beside_the_store(store: Database, path: Path) -> None:
    with open_reader(path) as reader:
        born(store, birth("a"))
        assert reports.counts(reader)[Status.UPLOADED] == 1


def test_a_reader_of_no_database_says_so(path: Path) -> None:
    with pytest.raises(StoreError, match="there is no database"):
        open_reader(path)
    assert not path.exists()


def test_two_writers_wait_for_each_other(path: Path) -> None:
    with open_store(path) as store:
        settings.put(store, "n", 0)
    failures: list[BaseException] = []

    def write(mine: str) -> None:
        try:
            with open_store(path) as store:
                for number in range(40):
                    (task,) = born(store, birth(f"{mine}{number}", mine))
                    walk(store, task, *WAY[:3])
        except StoreError as exc:
            failures.append(exc)

    threads = [threading.Thread(target=write, args=(name,)) for name in ("anna", "ben", "cleo")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with open_store(path) as store:
        assert reports.counts(store)[Status.STT_COMPLETE] == 120
    assert_consistent(path)


def test_a_database_whose_name_may_not_be_durable_is_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync

    def failing(fd: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{fd}"):
            raise OSError(errno.EIO, "Input/output error")
        fsync(fd)

    monkeypatch.setattr(os, "fsync", failing)  # SQLite's own is not seen here, and it says nothing
    with pytest.raises(StoreError, match="check its disk"):
        open_store(tmp_path / "introeval.db")
