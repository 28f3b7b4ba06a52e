"""Who has seen what wants a person: columns, an index of what nobody has seen, and its counts.

Counts are kept by triggers, as in `0001_initial.py`: the status is asked for all the time. `judged_by` are
the terms under which a file failed, and `reseeded` says that the models are asked with other seeds.
"""

from typing import Any

_WANTING = "acknowledged_at IS NULL AND outcome IN ('failed', 'unscorable', 'needs_review')"
_REFUSED = "kind = 'reason' AND acknowledged_at IS NULL"


def _count(change: str, row: str) -> str:
    """Count a task's outcome, and whether it wants a person: there is such a count of three outcomes only."""
    count = f"UPDATE status_counts SET n = n {change} 1 WHERE status ="
    return f"""{count} 'outcome_' || {row}.outcome;
        {count} 'wanting_' || {row}.outcome AND {row}.acknowledged_at IS NULL;"""


_STATEMENTS = (
    "ALTER TABLE processing_tasks ADD COLUMN acknowledged_at TEXT",
    "ALTER TABLE processing_tasks ADD COLUMN acknowledged_by TEXT",
    "ALTER TABLE processing_tasks ADD COLUMN judged_by TEXT",
    "ALTER TABLE processing_tasks ADD COLUMN reseeded INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE documents ADD COLUMN acknowledged_at TEXT",
    "ALTER TABLE documents ADD COLUMN acknowledged_by TEXT",
    f"CREATE INDEX idx_wanting ON processing_tasks (outcome, ended_at) WHERE {_WANTING}",
    f"CREATE INDEX idx_wanting_refused ON documents (created_at) WHERE {_REFUSED}",
    "CREATE INDEX idx_outcome ON processing_tasks (outcome, id) WHERE outcome IS NOT NULL",
    *(
        f"""INSERT INTO status_counts (status, n)
            SELECT 'outcome_{outcome}', COUNT(*) FROM processing_tasks WHERE outcome = '{outcome}'"""
        for outcome in ("evaluated", "needs_review", "unscorable", "failed", "cancelled")
    ),
    *(
        f"""INSERT INTO status_counts (status, n)
            SELECT 'wanting_{outcome}', n FROM status_counts WHERE status = 'outcome_{outcome}'"""
        for outcome in ("needs_review", "unscorable", "failed")
    ),
    f"""INSERT INTO status_counts (status, n)
        SELECT 'wanting_refused', COUNT(*) FROM documents WHERE {_REFUSED}""",
    f"""CREATE TRIGGER count_new_outcome AFTER INSERT ON processing_tasks WHEN NEW.outcome IS NOT NULL BEGIN
        {_count("+", "NEW")}
    END""",
    f"""CREATE TRIGGER count_gone_outcome AFTER DELETE ON processing_tasks WHEN OLD.outcome IS NOT NULL BEGIN
        {_count("-", "OLD")}
    END""",
    f"""CREATE TRIGGER count_moved_outcome AFTER UPDATE OF outcome, acknowledged_at ON processing_tasks
    WHEN OLD.outcome IS NOT NULL OR NEW.outcome IS NOT NULL BEGIN
        {_count("-", "OLD")}
        {_count("+", "NEW")}
    END""",
    """CREATE TRIGGER count_new_refused AFTER INSERT ON documents
    WHEN NEW.kind = 'reason' AND NEW.acknowledged_at IS NULL BEGIN
        UPDATE status_counts SET n = n + 1 WHERE status = 'wanting_refused';
    END""",
    """CREATE TRIGGER count_gone_refused AFTER DELETE ON documents
    WHEN OLD.kind = 'reason' AND OLD.acknowledged_at IS NULL BEGIN
        UPDATE status_counts SET n = n - 1 WHERE status = 'wanting_refused';
    END""",
    """CREATE TRIGGER count_seen_refused AFTER UPDATE OF acknowledged_at ON documents
    WHEN NEW.kind = 'reason' AND (OLD.acknowledged_at IS NULL) IS NOT (NEW.acknowledged_at IS NULL) BEGIN
        UPDATE status_counts SET n = n + CASE WHEN NEW.acknowledged_at IS NULL THEN 1 ELSE -1 END
        WHERE status = 'wanting_refused';
    END""",
)


def up(migrator: Any, db: Any) -> None:
    """Add columns, indexes, counts and triggers."""
    for statement in _STATEMENTS:
        db.execute_sql(statement)
