"""Migrations: from nothing, from an older version with a backup, and never from a newer one."""

import shutil
import sqlite3
import stat
from pathlib import Path

import pytest

from daemon.core.errors import StoreError
from daemon.store import open_reader, open_store, schema
from daemon.store.models import MODELS
from daemon.store.opening import connect
from tests.integration.stores import birth, born

SHIPPED = Path(schema.__file__).parent / "migrations"
NEXT = """
def up(migrator, db):
    db.execute_sql("ALTER TABLE users ADD COLUMN class TEXT")
    db.execute_sql("UPDATE users SET class = '4b'")
    {more}
"""


def with_next(folder: Path, more: str = "") -> Path:
    migrations = folder / "migrations"
    shutil.copytree(SHIPPED, migrations, ignore=shutil.ignore_patterns("__pycache__"))
    (migrations / "9999_next.py").write_text(NEXT.format(more=more))
    return migrations


def classes(path: Path) -> list[tuple[str, ...]]:
    with sqlite3.connect(path) as db:
        rows = db.execute("SELECT * FROM users").fetchall()
    db.close()
    return [tuple(row[2:]) for row in rows]


def test_the_models_are_the_tables_that_the_migrations_make(path: Path) -> None:
    with open_store(path), sqlite3.connect(path) as db:
        for model in MODELS:
            made = [row[1] for row in db.execute(f"PRAGMA table_info({model._meta.table_name})")]
            assert [field.column_name for field in model._meta.sorted_fields] == made
    db.close()


def test_a_new_database_needs_no_backup_and_a_second_start_does_nothing(path: Path) -> None:
    for _ in range(2):
        open_store(path).close()
    assert [child.name for child in path.parent.iterdir()] == [path.name]


def test_an_older_database_is_copied_and_brought_up(path: Path, tmp_path: Path) -> None:
    with open_store(path) as store:
        born(store, birth("a"))
        database = connect(path)
        assert schema.migrate(database, path, with_next(tmp_path)) == ["9999_next"]
        database.close()
    assert classes(path) == [("4b",)]
    copy = path.with_name("introeval.db.before-9999_next")
    assert classes(copy) == [()]
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600


def test_a_migration_that_fails_changes_nothing(path: Path, tmp_path: Path) -> None:
    with open_store(path) as store:
        born(store, birth("a"))
    database = connect(path)
    with pytest.raises(ZeroDivisionError):
        schema.migrate(database, path, with_next(tmp_path, more="1 / 0"))
    database.close()
    assert classes(path) == [()]
    open_store(path).close()


def test_a_newer_database_is_refused_and_left_alone(path: Path, tmp_path: Path) -> None:
    open_store(path).close()
    database = connect(path)
    schema.migrate(database, path, with_next(tmp_path))
    database.close()
    before = path.read_bytes()
    for opener in (open_store, open_reader):
        with pytest.raises(StoreError, match=r"newer IntroEval \(schema 9999_next\).* away together"):
            opener(path)
    assert path.read_bytes() == before


def test_an_older_database_cannot_be_read_without_being_brought_up(path: Path, tmp_path: Path) -> None:
    open_store(path).close()
    database = connect(path, read_only=True)
    with pytest.raises(StoreError, match="start the daemon once"):
        schema.check(database, path, with_next(tmp_path))
    database.close()
