"""Opening the SQLite file, and the one border at which its errors become ours.

Every connection is checked after it was made: WAL, foreign keys on and `synchronous=FULL`. A pragma that
SQLite does not know or cannot follow (WAL on a network share) is silent otherwise.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from peewee import PeeweeException, SqliteDatabase

from daemon.core.errors import StoreError

BUSY_TIMEOUT_S = 15.0
PUT_BACK = (
    "stop the daemon, move introeval.db, introeval.db-wal and introeval.db-shm away together, and put the "
    "newest copy (introeval.db.before-...) back as introeval.db"
)
"""A copy beside the newer log would be filled from it, and be damaged."""
_ERRORS = (PeeweeException, sqlite3.Error)
_CHECKPOINT_TIMEOUT_MS = 500
# Always with `secure_delete`: what an update leaves behind is not there any more when a student is forgotten.
_PRAGMAS: dict[str, str | int] = {
    "journal_mode": "wal",
    "foreign_keys": 1,
    "synchronous": 2,
    "secure_delete": 1,
}


class CheckedDatabase(SqliteDatabase):
    """A database each of whose connections proves its pragmas as it is made."""

    def __init__(self, name: str, pragmas: Mapping[str, str | int], **options: Any) -> None:
        super().__init__(name, pragmas=dict(pragmas), **options)
        self._expected = pragmas

    def connect(self, reuse_if_open: bool = False) -> bool:
        """Open the calling thread's connection. Raises StoreError when it is not as it must be."""
        opened = super().connect(reuse_if_open=reuse_if_open)
        for pragma, expected in self._expected.items() if opened else ():
            found = self.pragma(pragma)
            if found != expected:
                self.close()
                raise StoreError(
                    f"the database {self.database} has {pragma} {found}, not {expected}; "
                    "put the state folder on a local disk"
                )
        return opened


def connect(path: Path, *, read_only: bool = False) -> CheckedDatabase:
    """A connected database. `read_only` never writes, and asks for no right to.

    Raises StoreError when there is no such file or it is no database.
    """
    if not read_only:
        database = CheckedDatabase(str(path), pragmas=_PRAGMAS, timeout=BUSY_TIMEOUT_S)
    elif path.is_file():
        database = CheckedDatabase(
            _read_only_uri(path), pragmas={"foreign_keys": 1}, timeout=BUSY_TIMEOUT_S, uri=True
        )
    else:
        raise StoreError(f"there is no database {path}; start the daemon once, or name its state folder")
    with border(database, "opened"):
        database.connect()
        database.pragma("schema_version")  # reads the file: one that is no database shows here
    return database


@contextmanager
def border(database: SqliteDatabase, done: str) -> Iterator[None]:
    """Turn the errors of peewee and SQLite into StoreError. `done` says what could not be."""
    try:
        yield
    except _ERRORS as exc:
        cause = _cause(exc)
        name = str(database.database).removeprefix("file://").partition("?")[0]
        raise StoreError(f"the database {name} cannot be {done}: {cause}; {_advice(cause)}") from exc


@contextmanager
def writing(database: SqliteDatabase) -> Iterator[None]:
    """One write transaction, begun IMMEDIATE: a read that turns into a write would fail at once when
    another writes, whatever the busy timeout.

    Raises StoreError; then nothing was changed.
    """
    with border(database, "written"), database.atomic("IMMEDIATE"):
        yield


@contextmanager
def reading(database: SqliteDatabase) -> Iterator[None]:
    """One read transaction: all its queries see the same moment. Raises StoreError."""
    with border(database, "read"), database.atomic():
        yield


def overwrite(database: SqliteDatabase) -> None:
    """Write all that was changed into the database file, and empty the log beside it.

    Raises StoreError when another program reads what was there before.
    """
    database.pragma("busy_timeout", _CHECKPOINT_TIMEOUT_MS)
    try:
        (busy, *_) = database.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        database.pragma("busy_timeout", int(BUSY_TIMEOUT_S * 1000))
    if busy:
        raise StoreError(
            f"it is deleted, but the files of {database.database} still hold it while another program reads "
            "them; end that program and restart the daemon"
        )


def _read_only_uri(path: Path) -> str:
    """Where there is no `-wal`, nobody has the database open, and it is read as immutable: SQLite would else
    make `-wal` and `-shm`, which fails in a folder that we may not write, and elsewhere leaves files behind
    that the daemon may not open.
    """
    in_use = path.with_name(path.name + "-wal").exists()
    return path.absolute().as_uri() + ("?mode=ro" if in_use else "?mode=ro&immutable=1")


def _cause(exc: BaseException) -> BaseException:
    """The error behind the error: on a full disk SQLite rolls back by itself, and peewee's own rollback then
    fails and hides why.
    """
    while isinstance(exc.__context__, _ERRORS):
        exc = exc.__context__
    return exc


def _advice(exc: BaseException) -> str:
    text = str(exc)
    if "full" in text:
        return "make room on its disk"
    if "locked" in text:
        return f"another program kept it locked for {BUSY_TIMEOUT_S:.0f} s"
    if "readonly" in text or "unable to open" in text:
        return "see that its folder exists and that this user may write there"
    if "malformed" in text or "not a database" in text:
        return PUT_BACK
    return "see the log"
