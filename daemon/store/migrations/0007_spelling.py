"""An index of the students without regard to case: each birth asks whether `S060` is known as `s060`."""

from typing import Any


def up(migrator: Any, db: Any) -> None:
    """Create the index."""
    db.execute_sql("CREATE INDEX idx_user_lower ON users (lower(username))")
