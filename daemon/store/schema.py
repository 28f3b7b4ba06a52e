"""Bringing a database to the schema of this program, by the numbered files in `migrations/`.

Each migration is one transaction together with its line in `schema_migration`, which is the schema's
version. A database that exists already is copied beside itself before it is changed.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from peewee import SqliteDatabase
from playhouse.migrations import Runner

from daemon.core.errors import StoreError
from daemon.store.database import PUT_BACK
from daemon.system.durable import whole_file

_MIGRATIONS = Path(__file__).parent / "migrations"


def migrate(database: SqliteDatabase, path: Path, migrations: Path = _MIGRATIONS) -> list[str]:
    """Apply what is missing and give the names of it.

    Raises StoreError when the database is of a newer program, and peewee's errors when one fails.
    """
    runner = Runner(database, str(migrations))
    before = _known(runner, path)
    pending = [migration.name for migration in runner.status() if migration.applied is None]
    if pending and before:
        _back_up(database, path.with_name(f"{path.name}.before-{pending[0]}"))
    return list(runner.up())


def check(database: SqliteDatabase, path: Path, migrations: Path = _MIGRATIONS) -> None:
    """See that a database that is only read has the schema of this program. Raises StoreError."""
    runner = Runner(database, str(migrations))
    _known(runner, path)
    if any(migration.applied is None for migration in runner.status()):
        raise StoreError(
            f"the database {path} is of an older IntroEval; start the daemon once, which brings it up"
        )


def _known(runner: Runner, path: Path) -> list[str]:
    """The migrations that were applied. Raises StoreError when one is unknown here."""
    applied = [migration for migration in runner.status() if migration.applied is not None]
    unknown = [migration.name for migration in applied if migration.path is None]
    if unknown:
        raise StoreError(
            f"the database {path} is of a newer IntroEval (schema {unknown[-1]}); "
            f"use that version, or {PUT_BACK}"
        )
    return [migration.name for migration in applied]


def _back_up(database: SqliteDatabase, target: Path) -> None:
    """Copy the database whole, through SQLite, so that what is still in the WAL comes along. Only its owner
    may read the copy, which is durable when this returns.
    """
    with whole_file(target, 0o600) as file, closing(sqlite3.connect(file.name)) as copy:
        database.connection().backup(copy)
