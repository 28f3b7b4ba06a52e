"""The account of the operating system that owned a file when it was claimed."""

from typing import Any


def up(migrator: Any, db: Any) -> None:
    """Add the columns: number and name of the account to claims, its name to tasks."""
    db.execute_sql("ALTER TABLE claims ADD COLUMN owner INTEGER NOT NULL DEFAULT 0")
    db.execute_sql("ALTER TABLE claims ADD COLUMN account TEXT")
    db.execute_sql("ALTER TABLE processing_tasks ADD COLUMN account TEXT")
