"""The columns of the ledger: the memory that each switch found on the GPU, in MB."""

from typing import Any

_COLUMNS = ("freed_mb", "foreign_mb", "needed_mb", "margin_mb")


def up(migrator: Any, db: Any) -> None:
    """Add the columns."""
    for column in _COLUMNS:
        db.execute_sql(f"ALTER TABLE phases ADD COLUMN {column} REAL")
