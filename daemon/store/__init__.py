"""The database: SQLite through peewee. `SqliteStore` is the one way in; `Reader` reads beside it."""

from daemon.store.reader import Reader
from daemon.store.store import SqliteStore

__all__ = ["Reader", "SqliteStore"]
