"""Rows that other programs insert, with the columns that they know: on a new database and on an older one."""

import os
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from daemon.core.errors import StoreError
from daemon.core.timestamps import from_iso
from daemon.store import open_store, schema
from daemon.store.opening import connect
from tests.integration.stores import assert_consistent

SHIPPED = Path(schema.__file__).parent / "migrations"
THIS = "0006_defaults"
OTHERS = """
    INSERT INTO users (username) VALUES ('s001');
    INSERT INTO processing_tasks (user_id, filename, file_path) VALUES ('s001', 'me.mp4', '/srv/me.mp4');
    INSERT INTO system_state (id, current_phase) VALUES (1, 'stt');
"""
# A class of a thousand as an older version stored it.
CLASS = """
    INSERT INTO users VALUES ('anna', '2023-11-14T22:13:20.000000Z');
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
    INSERT INTO claims SELECT 'c' || i, x'ff', 'a.mp4', 'anna', '1', '1', 1, '1',
        '2023-11-14T22:13:20.000000Z', NULL, 'done', 0, NULL FROM n;
    INSERT INTO processing_tasks SELECT NULL, 'anna', 'a.mp4', '/spool/' || id, claimed_at, 'completed',
        'eval', NULL, '{}', '{}', '{}', NULL, 0, 0, NULL, claimed_at, id, 'sha' || id, 1, 1.5, 1, 1, 0, 0, 0,
        NULL, 0, 0, claimed_at, claimed_at, 'evaluated', NULL, NULL, '{}', '{}', NULL, 'spool', NULL, NULL,
        NULL FROM claims;
    INSERT INTO documents SELECT NULL, 'result', id, 1, 'anna/' || id, x'00ff', last_updated, NULL
        FROM processing_tasks;
    INSERT INTO task_events SELECT NULL, id, last_updated, 'rated', NULL, 'completed', NULL, 1, 1, 2.5, '{}'
        FROM processing_tasks;
"""


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("PRAGMA foreign_keys = 1")
        yield db


def older(path: Path, folder: Path) -> Path:
    """A database of the version before, with a class in it."""
    until = folder / "until"
    shutil.copytree(SHIPPED, until, ignore=shutil.ignore_patterns("__pycache__"))
    for migration in until.glob("*.py"):
        if migration.stem >= THIS:
            migration.unlink()
    database = connect(path)
    schema.migrate(database, path, until)
    database.connection().executescript(CLASS)
    database.close()
    return path


def content(path: Path) -> dict[str, Any]:
    """All rows of all tables but two, and the names of all tables, indexes and triggers."""
    with opened(path) as db:
        names = db.execute("SELECT type, name, tbl_name FROM sqlite_master ORDER BY 1, 2").fetchall()
        tables = [
            n for kind, n, _ in names if kind == "table" and n not in ("system_state", "schema_migration")
        ]
        return {"names": names} | {table: db.execute(f"SELECT * FROM {table}").fetchall() for table in tables}


def insert_as_others_do(path: Path) -> None:
    with opened(path) as db:
        db.executescript(OTHERS)
        task = db.execute("SELECT status, phase, retry_count, priority, upload_timestamp, last_updated "
                          "FROM processing_tasks WHERE user_id = 's001'").fetchone()  # fmt: skip
        (state,) = db.execute("SELECT id, current_phase, total_tasks_in_phase FROM system_state").fetchall()
    assert task[:4] == ("uploaded", "stt", 0, 0)
    assert from_iso(task[4]) == from_iso(task[5])
    assert state == (1, "stt", 0)
    assert_consistent(path)


def test_the_row_that_says_what_runs_is_there_from_the_first_moment(path: Path) -> None:
    open_store(path).close()
    with opened(path) as db:
        assert db.execute("SELECT id, current_phase, current_batch_id FROM system_state").fetchall() == [
            (1, "stt", None)
        ]


def test_other_programs_insert_what_they_know_into_a_new_database(path: Path) -> None:
    open_store(path).close()
    insert_as_others_do(path)


def test_an_older_database_keeps_every_row_index_and_trigger_and_takes_such_rows(
    path: Path, tmp_path: Path
) -> None:
    before = content(older(path, tmp_path))
    assert len(before["documents"]) == 1000
    database = connect(path)
    assert schema.migrate(database, path, only_this(tmp_path)) == [THIS]
    database.close()
    now = content(path)
    assert [name for name in now.pop("names") if "idx_refused" not in name] == before.pop("names")
    assert now == before
    insert_as_others_do(path)
    with opened(path) as db, pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        db.execute("INSERT INTO processing_tasks (user_id, filename, file_path) VALUES ('nobody', 'a', 'b')")


def only_this(folder: Path) -> Path:
    shutil.copy(SHIPPED / f"{THIS}.py", folder / "until")
    return folder / "until"


def test_a_table_that_somebody_changed_is_left_as_it_is(path: Path, tmp_path: Path) -> None:
    older(path, tmp_path)
    with opened(path) as db:
        db.execute("ALTER TABLE processing_tasks RENAME COLUMN held TO kept_back")
    before = content(path)
    with pytest.raises(
        StoreError, match=r"somebody changed the table processing_tasks.* put the newest copy"
    ):
        open_store(path)
    assert content(path) == before


def test_killed_at_any_statement_it_is_done_whole_or_not_at_all(path: Path, tmp_path: Path) -> None:
    rows = content(older(path, tmp_path))
    del rows["names"]
    migrations = only_this(tmp_path)
    kept = path.read_bytes()
    killed = 0
    while _killed_at(killed, path, migrations):
        killed += 1
        now = content(path)
        assert {key: now[key] for key in now if key != "names"} == rows
        with opened(path) as db:
            applied = db.execute("SELECT name FROM schema_migration WHERE name = ?", (THIS,)).fetchall()
            sql = db.execute("SELECT group_concat(sql) FROM sqlite_master").fetchone()[0]
            assert ("DEFAULT 'uploaded'" in sql) == ("idx_refused" in sql) == bool(applied)
        open_store(path).close()
        insert_as_others_do(path)
        path.write_bytes(kept)
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
    assert killed > 20, "every statement of the migration was tried"


def _killed_at(number: int, path: Path, migrations: Path) -> bool:
    """Migrate in a child that is killed before its statement of this number; whether it came so far."""
    child = os.fork()
    if child == 0:
        database = connect(path)
        left = iter(range(number))

        def count(statement: str) -> None:
            if next(left, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)

        database.connection().set_trace_callback(count)
        schema.migrate(database, path, migrations)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
