"""Defaults of the columns that another program does not give, the row that says what runs, and an index of
what was refused.

A default is no part of what is stored, so the text of the table changes and no row does, as in section 7 of
https://sqlite.org/lang_altertable.html. A table made anew would have to be dropped, with all that refers to
it. A task without a claim is one that another program inserted.
"""

from typing import Any

from daemon.core.errors import StoreError
from daemon.store.database import PUT_BACK

_NOW = "(strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z')"
_DEFAULTS = {
    "users": {"created_at TEXT": _NOW},
    "processing_tasks": {
        "upload_timestamp TEXT": _NOW,
        "status TEXT": "'uploaded'",
        "phase TEXT": "'stt'",
        "retry_count INTEGER": "0",
        "priority INTEGER": "0",
        "last_updated TEXT": _NOW,
        "sha256 TEXT": "''",
        "size_bytes INTEGER": "0",
        "duration_s REAL": "0",
        "revision INTEGER": "1",
        "attempt INTEGER": "0",
        "suspicion INTEGER": "0",
        "deaths_alone INTEGER": "0",
        "daemon_deaths INTEGER": "0",
        "held INTEGER": "0",
        "cancel_requested INTEGER": "0",
        "began_at TEXT": _NOW,
        "flags TEXT": "'{}'",
        "provenance TEXT": "'{}'",
        "video TEXT": "'gone'",
    },
    "system_state": {
        "current_phase TEXT": "'stt'",
        "total_tasks_in_phase INTEGER": "0",
        "completed_tasks_in_phase INTEGER": "0",
        "last_updated TEXT": _NOW,
    },
}
_OTHERS = {
    "processing_tasks": ("claim_id TEXT NOT NULL UNIQUE", "claim_id TEXT UNIQUE"),
    # The row is there from now on, and whoever inserts it once more changes nothing.
    "system_state": (
        "id INTEGER NOT NULL PRIMARY KEY CHECK",
        "id INTEGER NOT NULL PRIMARY KEY ON CONFLICT IGNORE CHECK",
    ),
}


def up(migrator: Any, db: Any) -> None:
    """Change the tables' texts, add row and index. Raises StoreError for a table of another text."""
    version = db.execute_sql("PRAGMA schema_version").fetchone()[0]
    db.execute_sql("PRAGMA writable_schema = 1")
    try:
        for table, defaults in _DEFAULTS.items():
            _rewrite(db, table, defaults)
        db.execute_sql(f"PRAGMA schema_version = {version + 1}")
    finally:
        db.execute_sql("PRAGMA writable_schema = RESET")  # and reads the schema anew
    db.execute_sql("INSERT INTO system_state (id) VALUES (1)")
    db.execute_sql("CREATE INDEX idx_refused ON documents (created_at) WHERE kind = 'reason'")


def _rewrite(db: Any, table: str, defaults: dict[str, str]) -> None:
    this = "type = 'table' AND name = ?"
    (text,) = db.execute_sql(f"SELECT sql FROM sqlite_master WHERE {this}", (table,)).fetchone()
    changes = [
        (f" {column} NOT NULL", f" {column} NOT NULL DEFAULT {value}") for column, value in defaults.items()
    ]
    for before, after in (*changes, *([_OTHERS[table]] if table in _OTHERS else [])):
        if text.count(before) != 1:
            raise StoreError(
                f"somebody changed the table {table}, so that it cannot get its defaults; {PUT_BACK}"
            )
        text = text.replace(before, after)
    db.execute_sql(f"UPDATE sqlite_master SET sql = ? WHERE {this}", (text, table))
