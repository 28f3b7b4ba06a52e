"""The open database, and the one place where errors of SQLite and peewee become StoreError.

The pragmas of every new connection are verified (WAL, foreign keys, `synchronous=FULL`), since SQLite ignores
one that it does not know or cannot follow (WAL on a network share) without an error.

The store's functions take the open database as their first argument and are decorated by `reads` or `writes`.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self, TypeVar

from peewee import PeeweeException, SqliteDatabase

from daemon.core.classes.roster import Roster
from daemon.core.content.release import ReleaseRule
from daemon.core.errors import StoreError
from daemon.core.intake.naming import Resubmission
from daemon.core.intake.ownership import Ownership
from daemon.core.notices import NoticeFilter
from daemon.core.tasks.offers import Terms
from daemon.core.tasks.task import Task

if TYPE_CHECKING:
    from daemon.contracts.values import Provenance

P = ParamSpec("P")
R = TypeVar("R")

Estimate = Callable[[Sequence[Task]], Mapping[int, float]]
"""Called with new tasks. Gives when each is expected to be completed, in epoch seconds by id, if known."""

BUSY_TIMEOUT_S = 15.0
PUT_BACK = (
    "stop the daemon, move introeval.db, introeval.db-wal and introeval.db-shm away together, and put the "
    "newest copy (introeval.db.before-...) back as introeval.db"
)
"""All three files: SQLite would apply a newer -wal to the copy beside it, and damage it."""
_ERRORS = (PeeweeException, sqlite3.Error)
_IMPATIENT_MS = 500
_HURRIED_TIMEOUT_MS = 1000


class Database(SqliteDatabase):
    """An open database with verified pragmas, and the settings that births and results depend on. It is used
    and closed on the one thread that opened it; `hurried` may be set on any, and then each transaction that
    begins waits one second at most for another program's lock. `rosters` are those in use, by class.
    """

    hurried = False
    estimate: Estimate | None = None
    provenance: "Provenance"
    resubmission: Resubmission = "all"
    ownership: Ownership
    terms = Terms()
    release: ReleaseRule = "flagged"
    notices = NoticeFilter()
    on_notice: Callable[[], object]
    """Called on this thread, before the notice is durable."""

    def __init__(self, name: str, pragmas: Mapping[str, str | int], **options: Any) -> None:
        super().__init__(name, pragmas=dict(pragmas), **options)
        self._expected = pragmas
        self.provenance, self.ownership = {}, Ownership()
        self.on_notice = lambda: None
        self.rosters: dict[int, Roster] = {}

    def connect(self, reuse_if_open: bool = False) -> bool:
        """Open the calling thread's connection. Raises StoreError when a pragma has another value."""
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
        """Close it at the end of the block, like a file. Peewee's own makes the block a transaction."""
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def reads(function: Callable[Concatenate[Database, P], R]) -> Callable[Concatenate[Database, P], R]:
    """Make a function one read transaction, so that its queries see the same state.

    The function then raises StoreError when the database can't be read.
    """
    return _in_transaction(function, "read", "DEFERRED")


def writes(function: Callable[Concatenate[Database, P], R]) -> Callable[Concatenate[Database, P], R]:
    """Make a function one write transaction, which is durable when it returns.

    The function then raises StoreError when the database can't be written. If it raises, nothing was changed.
    The transaction begins IMMEDIATE: one that reads first and then writes fails at once, in spite of the busy
    timeout, when another program has written in between.
    """
    return _in_transaction(function, "written", "IMMEDIATE")


def _in_transaction(
    function: Callable[Concatenate[Database, P], R], done: str, lock: str
) -> Callable[Concatenate[Database, P], R]:
    @wraps(function)
    def call(db: Database, /, *args: P.args, **kwargs: P.kwargs) -> R:
        if db.in_transaction():  # the caller's: one transaction and one fsync for all that it calls
            return function(db, *args, **kwargs)
        with border(db, done):
            if db.hurried:
                db.pragma("busy_timeout", _HURRIED_TIMEOUT_MS)
            with db.atomic(lock):
                return function(db, *args, **kwargs)

    return call


@contextmanager
def border(database: SqliteDatabase, done: str) -> Iterator[None]:
    """Turn the errors of peewee and SQLite into StoreError; `done` completes "cannot be ..."."""
    try:
        yield
    except _ERRORS as exc:
        cause = _cause(exc)
        name = str(database.database).removeprefix("file://").partition("?")[0]
        raise StoreError(f"the database {name} cannot be {done}: {cause}; {_advice(cause)}") from exc


def overwrite(db: Database) -> None:
    """Write all changes into the database file, and empty the -wal file, which still has what was deleted.

    Raises StoreError, also when another program still reads the older state.
    """
    with border(db, "written"), impatient(db):
        (busy, *_) = db.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise StoreError(
            f"the rows are deleted, but the files of {db.database} still hold them while another program "
            "reads it; end that program and restart the daemon"
        )


@contextmanager
def impatient(db: Database) -> Iterator[None]:
    """Wait half a second at most for another program's lock, for what is not the work itself."""
    db.pragma("busy_timeout", _IMPATIENT_MS)
    try:
        yield
    finally:
        db.pragma("busy_timeout", int(BUSY_TIMEOUT_S * 1000))


def _cause(exc: BaseException) -> BaseException:
    """The first error of a chain: on a full disk SQLite rolls back by itself, and peewee's own rollback then
    fails and hides the cause.
    """
    while isinstance(exc.__context__, _ERRORS):
        exc = exc.__context__
    return exc


def _advice(exc: BaseException) -> str:
    text = str(exc)
    if "full" in text:
        return "free space on its disk"
    if "locked" in text:
        return f"end the program that has kept it locked for {BUSY_TIMEOUT_S:.0f} s"
    if "readonly" in text or "unable to open" in text:
        return "check that its folder exists and that this user may write there"
    if "malformed" in text or "not a database" in text:
        return PUT_BACK
    return "run: introeval logs daemon"
