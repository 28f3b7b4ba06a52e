"""An index of when tasks ended, for the figures of the last hour that the dashboard asks for all the time."""

from typing import Any


def up(migrator: Any, db: Any) -> None:
    """Create the index."""
    db.execute_sql("CREATE INDEX idx_ended ON processing_tasks (ended_at) WHERE ended_at IS NOT NULL")
