"""Notices for the lab's own programs, written with the event that they tell of, and tasks that are put first.

A notice is deleted once its receiver has answered. All of one task and receiver have the same `not_before`,
so that the first by the index is always the oldest of its task.
"""

from typing import Any

_STATEMENTS = (
    """
    CREATE TABLE notices (
        id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
        key TEXT NOT NULL,
        receiver TEXT NOT NULL CHECK (receiver IN ('command', 'webhook')),
        kind TEXT NOT NULL,
        task_id INTEGER NOT NULL REFERENCES processing_tasks (id) ON DELETE CASCADE,
        revision INTEGER NOT NULL,
        at TEXT NOT NULL,
        said TEXT NOT NULL,
        tries INTEGER NOT NULL DEFAULT 0,
        not_before REAL NOT NULL DEFAULT 0,
        kept_from REAL
    )
    """,
    "CREATE INDEX idx_notices_task ON notices (task_id, receiver)",
    "CREATE INDEX idx_notices_next ON notices (receiver, not_before, id)",
    "ALTER TABLE processing_tasks ADD COLUMN first_at TEXT",
)


def up(migrator: Any, db: Any) -> None:
    """Add the table and the column."""
    for statement in _STATEMENTS:
        db.execute_sql(statement)
