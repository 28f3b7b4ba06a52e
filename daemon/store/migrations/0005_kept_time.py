"""Since when videos and files are kept, in seconds of witnessed time and not by the clock."""

from typing import Any

_STATEMENTS = (
    "ALTER TABLE processing_tasks ADD COLUMN kept_from REAL",
    "DROP INDEX idx_video_archived",
    "CREATE INDEX idx_video_kept ON processing_tasks (video, kept_from)",
    """CREATE TABLE kept_files (
        name BLOB NOT NULL PRIMARY KEY,
        kept_from REAL NOT NULL
    )""",
)


def up(migrator: Any, db: Any) -> None:
    """Add the column with its index, and the table of kept files that belong to no task."""
    for statement in _STATEMENTS:
        db.execute_sql(statement)
