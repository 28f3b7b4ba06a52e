"""Who gave an order: the account, in the line of history that the order made."""

from typing import Any


def up(migrator: Any, db: Any) -> None:
    """Add the column."""
    db.execute_sql("ALTER TABLE task_events ADD COLUMN actor TEXT")
