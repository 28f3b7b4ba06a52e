"""Queries about files that the database may not know, since it was lost or an older copy was restored."""

from collections.abc import Collection

from peewee import chunked

from daemon.store.database import Database, reads, writes
from daemon.store.models import ClaimRow, TaskRow

_AT_ONCE = 400  # SQLite allows at least 999 variables in a statement


@reads
def last_id(db: Database) -> int:
    """The highest id that a task ever had; 0 if there was none."""
    row = db.execute_sql("SELECT seq FROM sqlite_sequence WHERE name = 'processing_tasks'").fetchone()
    return int(row[0]) if row else 0


@writes
def begin_ids_above(db: Database, highest: int) -> None:
    """Make new tasks get ids above `highest`."""
    if last_id(db) >= highest:
        return
    db.execute_sql("DELETE FROM sqlite_sequence WHERE name = 'processing_tasks'")
    db.execute_sql("INSERT INTO sqlite_sequence (name, seq) VALUES ('processing_tasks', ?)", (highest,))


@reads
def known_claims(db: Database, ids: Collection[str]) -> set[str]:
    """The ids among `ids` of claims that the database has."""
    found: set[str] = set()
    for some in chunked(ids, _AT_ONCE):
        query = ClaimRow.select(ClaimRow.id).where(ClaimRow.id.in_(list(some)))
        found |= {row.id for row in query.execute(db)}
    return found


@reads
def claims_with_video(db: Database, ids: Collection[str]) -> set[str]:
    """The ids among `ids` of claims that became a task whose video is kept."""
    found: set[str] = set()
    for some in chunked(ids, _AT_ONCE):
        query = TaskRow.select(TaskRow.claim_id).where(
            TaskRow.claim_id.in_(list(some)), TaskRow.video != "gone"
        )
        found |= {row.claim_id for row in query.execute(db)}
    return found
