"""Migration of a database to this program's schema, by the numbered files in `migrations/`.

Each migration and its line in `schema_migration`, the schema's version, are one transaction. A database that
exists already is copied beside itself before it is changed.
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
    """Apply the missing migrations. Gives their names.

    Raises StoreError when the database is of a newer program, and peewee's errors when a migration fails.
    """
    runner = Runner(database, str(migrations))
    before = _known(runner, path)
    pending = [migration.name for migration in runner.status() if migration.applied is None]
    if pending and before:
        _back_up(database, path.with_name(f"{path.name}.before-{pending[0]}"))
    return list(runner.up())


def check(database: SqliteDatabase, path: Path, migrations: Path = _MIGRATIONS) -> None:
    """Check that a database that is only read has this program's schema. Raises StoreError."""
    runner = Runner(database, str(migrations))
    _known(runner, path)
    if any(migration.applied is None for migration in runner.status()):
        raise StoreError(
            f"the database {path} is of an older IntroEval; start the daemon once, which migrates it"
        )


def check_not_newer(database: SqliteDatabase, path: Path) -> None:
    """Check that a database is not of a newer program. Raises StoreError."""
    _known(Runner(database, str(_MIGRATIONS)), path)


def _known(runner: Runner, path: Path) -> list[str]:
    """The applied migrations. Raises StoreError when this program does not know one."""
    applied = [migration for migration in runner.status() if migration.applied is not None]
    unknown = [migration.name for migration in applied if migration.path is None]
    if unknown:
        raise StoreError(
            f"the database {path} is of a newer IntroEval (schema {unknown[-1]}); "
            f"use that version, or {PUT_BACK}"
        )
    return [migration.name for migration in applied]


def _back_up(database: SqliteDatabase, target: Path) -> None:
    """Copy the database through SQLite, which includes what is only in the -wal file yet. Only its owner may
    read the copy, which is durable when this returns.
    """
    with whole_file(target, 0o600) as file, closing(sqlite3.connect(file.name)) as copy:
        database.connection().backup(copy)
