"""What ended lately is asked all the time: an index of when tasks ended."""

from typing import Any


def up(migrator: Any, db: Any) -> None:
    """Make the index."""
    db.execute_sql("CREATE INDEX idx_ended ON processing_tasks (ended_at) WHERE ended_at IS NOT NULL")
