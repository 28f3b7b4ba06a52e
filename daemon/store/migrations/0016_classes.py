"""Classes with their rosters, the class of each task, and what a person decided on its result.

At most one class is open. Tasks without one belong to the class of their day.
"""

from typing import Any

_STATEMENTS = (
    """CREATE TABLE classes (
        id INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL UNIQUE, opened_at TEXT NOT NULL,
        opened_by TEXT, closed_at TEXT, deadline TEXT, rubric TEXT, archive_days REAL)""",
    "CREATE UNIQUE INDEX idx_class_open ON classes(closed_at IS NULL) WHERE closed_at IS NULL",
    """CREATE TABLE roster (
        class_id INTEGER NOT NULL REFERENCES classes(id), place INTEGER NOT NULL, student TEXT NOT NULL,
        name TEXT NOT NULL, group_name TEXT NOT NULL, email TEXT NOT NULL, aliases TEXT NOT NULL,
        PRIMARY KEY (class_id, place)) WITHOUT ROWID""",
    "ALTER TABLE processing_tasks ADD COLUMN class_id INTEGER REFERENCES classes(id)",
    "ALTER TABLE processing_tasks ADD COLUMN decision TEXT",
    "CREATE INDEX idx_class ON processing_tasks(class_id) WHERE class_id IS NOT NULL",
)


def up(migrator: Any, db: Any) -> None:
    """Create the tables, the columns and their indexes."""
    for statement in _STATEMENTS:
        db.execute_sql(statement)
