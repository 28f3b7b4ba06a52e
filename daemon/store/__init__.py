"""The database: SQLite through peewee. `open_store` is the one way in; `open_reader` reads beside it."""

from daemon.store.database import Database
from daemon.store.opening import open_reader, open_store

__all__ = ["Database", "open_reader", "open_store"]
