"""Which account of the operating system a file belonged to when it was claimed."""

from typing import Any


def up(migrator: Any, db: Any) -> None:
    """Add the columns: the account's number and name of a claim, and its name of a task."""
    db.execute_sql("ALTER TABLE claims ADD COLUMN owner INTEGER NOT NULL DEFAULT 0")
    db.execute_sql("ALTER TABLE claims ADD COLUMN account TEXT")
    db.execute_sql("ALTER TABLE processing_tasks ADD COLUMN account TEXT")
