"""The database: SQLite through peewee. The daemon calls `open_store`; others read through `open_reader`."""

from daemon.store.database import Database
from daemon.store.opening import open_reader, open_store

__all__ = ["Database", "open_reader", "open_store"]
