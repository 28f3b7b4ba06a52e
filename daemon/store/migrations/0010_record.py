"""The record of a day: the daemon's events, readings of the GPU, and what the dashboard showed.

Also who held the GPU's memory at a switch, and why a switch had to wait.
"""

from typing import Any

_TABLES = (
    """CREATE TABLE events (
        id INTEGER NOT NULL PRIMARY KEY, at TEXT NOT NULL, kind TEXT NOT NULL, message TEXT NOT NULL,
        task_id INTEGER, student TEXT, status TEXT, actor TEXT, kept_from REAL)""",
    """CREATE TABLE gpu_points (
        at TEXT NOT NULL PRIMARY KEY, utilisation REAL, used_mb REAL, temperature_c REAL, power_w REAL,
        group_name TEXT NOT NULL, kept_from REAL) WITHOUT ROWID""",
    """CREATE TABLE recordings (
        id INTEGER NOT NULL PRIMARY KEY, began_at TEXT NOT NULL UNIQUE, ended_at TEXT NOT NULL,
        frames BLOB NOT NULL, kept_from REAL)""",
    "CREATE INDEX idx_events_at ON events (at)",
    "CREATE INDEX idx_events_kept ON events (kept_from)",
    "CREATE INDEX idx_gpu_points_kept ON gpu_points (kept_from)",
    "CREATE INDEX idx_recordings_kept ON recordings (kept_from)",
    "ALTER TABLE phases ADD COLUMN holders TEXT NOT NULL DEFAULT '[]'",
    "ALTER TABLE phases ADD COLUMN refused TEXT",
)


def up(migrator: Any, db: Any) -> None:
    """Create the tables and columns."""
    for statement in _TABLES:
        db.execute_sql(statement)
