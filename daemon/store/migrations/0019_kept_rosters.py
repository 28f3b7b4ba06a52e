"""Since when a class is closed, in seconds of witnessed time: its roster is kept for a time only."""

from typing import Any


def up(migrator: Any, db: Any) -> None:
    """Add the column."""
    db.execute_sql("ALTER TABLE classes ADD COLUMN kept_from REAL")
