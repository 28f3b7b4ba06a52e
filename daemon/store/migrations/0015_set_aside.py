"""What a transcript says to the grader: the words that rules or the model found, for the reviewer."""

from typing import Any


def up(migrator: Any, db: Any) -> None:
    """Add the column."""
    db.execute_sql("ALTER TABLE processing_tasks ADD COLUMN set_aside TEXT NOT NULL DEFAULT '[]'")
