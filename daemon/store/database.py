"""The open database, and the one border at which its errors become ours.

Every connection is checked after it was made: WAL, foreign keys on and `synchronous=FULL`. A pragma that
SQLite does not know or cannot follow (WAL on a network share) is silent otherwise.

A call of the store is a function whose first argument is the open database, marked `reads` or `writes`.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from peewee import PeeweeException, SqliteDatabase

from daemon.contracts.values import Provenance
from daemon.core.errors import StoreError
from daemon.core.intake.naming import Resubmission
from daemon.core.intake.ownership import Ownership
from daemon.core.tasks.task import Task

P = ParamSpec("P")
R = TypeVar("R")

Estimate = Callable[[Sequence[Task]], Mapping[int, float]]
"""Given a group of new tasks: when each is expected to be completed, in epoch seconds by id, if known."""

BUSY_TIMEOUT_S = 15.0
PUT_BACK = (
    "stop the daemon, move introeval.db, introeval.db-wal and introeval.db-shm away together, and put the "
    "newest copy (introeval.db.before-...) back as introeval.db"
)
"""A copy beside the newer log would be filled from it, and be damaged."""
_ERRORS = (PeeweeException, sqlite3.Error)
_CHECKPOINT_TIMEOUT_MS = 500
_HURRIED_TIMEOUT_MS = 1000


class Database(SqliteDatabase):
    """A database each of whose connections proves its pragmas as it is made, with what births and results
    depend on. Used and closed on the one thread that opened it.
    """

    estimate: Estimate | None = None
    provenance: Provenance
    resubmission: Resubmission = "all"
    ownership: Ownership

    def __init__(self, name: str, pragmas: Mapping[str, str | int], **options: Any) -> None:
        super().__init__(name, pragmas=dict(pragmas), **options)
        self._expected = pragmas
        self.provenance, self.ownership = {}, Ownership()

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

    def close(self) -> bool:
        """Close the connection; a second time does nothing. Raises StoreError."""
        with border(self, "closed"):
            return super().close()

    def __enter__(self) -> Self:
        """Close it at the end of the block, as a file. Peewee would make a transaction of the whole block."""
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def reads(function: Callable[Concatenate[Database, P], R]) -> Callable[Concatenate[Database, P], R]:
    """Make a function one read transaction: all its queries see the same moment.

    It then raises StoreError when the database can't be read.
    """
    return _in_transaction(function, "read", "DEFERRED")


def writes(function: Callable[Concatenate[Database, P], R]) -> Callable[Concatenate[Database, P], R]:
    """Make a function one write transaction, which is durable when it returns.

    It then raises StoreError when the database can't be written; whatever it raises, nothing was changed.
    The transaction is begun IMMEDIATE: a read that turns into a write would fail at once when another writes,
    whatever the busy timeout.
    """
    return _in_transaction(function, "written", "IMMEDIATE")


def _in_transaction(
    function: Callable[Concatenate[Database, P], R], done: str, lock: str
) -> Callable[Concatenate[Database, P], R]:
    @wraps(function)
    def call(db: Database, /, *args: P.args, **kwargs: P.kwargs) -> R:
        if db.in_transaction():  # the caller's: all that it calls is one transaction, and one fsync
            return function(db, *args, **kwargs)
        with border(db, done), db.atomic(lock):
            return function(db, *args, **kwargs)

    return call


@contextmanager
def border(database: SqliteDatabase, done: str) -> Iterator[None]:
    """Turn the errors of peewee and SQLite into StoreError. `done` says what could not be."""
    try:
        yield
    except _ERRORS as exc:
        cause = _cause(exc)
        name = str(database.database).removeprefix("file://").partition("?")[0]
        raise StoreError(f"the database {name} cannot be {done}: {cause}; {_advice(cause)}") from exc


def hurry(db: Database) -> None:
    """Wait no longer than a second for another program that has the database locked. Raises StoreError."""
    with border(db, "used"):
        db.pragma("busy_timeout", _HURRIED_TIMEOUT_MS)


def overwrite(db: Database) -> None:
    """Write all that was changed into the database file, and empty the log beside it.

    Raises StoreError, also when another program reads what was there before.
    """
    with border(db, "written"):
        db.pragma("busy_timeout", _CHECKPOINT_TIMEOUT_MS)
        try:
            (busy, *_) = db.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            db.pragma("busy_timeout", int(BUSY_TIMEOUT_S * 1000))
    if busy:
        raise StoreError(
            f"it is deleted, but the files of {db.database} still hold it while another program reads "
            "them; end that program and restart the daemon"
        )


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
