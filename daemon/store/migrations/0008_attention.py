"""Who has seen what wants a person: columns, an index of what nobody has seen, and its counts.

Counts are kept by triggers, as in `0001_initial.py`: the status is asked for all the time. `judged_by` are
the terms under which a file failed, and `reseeded` says that the models are asked with other seeds.
"""

from typing import Any

WANTING = "acknowledged_at IS NULL AND outcome IN ('failed', 'unscorable', 'needs_review')"
_OLD, _NEW = (
    WANTING.replace("ack", f"{row}.ack").replace("outcome", f"{row}.outcome") for row in ("OLD", "NEW")
)
_REFUSED = "kind = 'reason' AND acknowledged_at IS NULL"
_ADDED = "UPDATE status_counts SET n = n + 1 WHERE status = 'wanting_'"
_TAKEN = "UPDATE status_counts SET n = n - 1 WHERE status = 'wanting_'"
_STATEMENTS = (
    "ALTER TABLE processing_tasks ADD COLUMN acknowledged_at TEXT",
    "ALTER TABLE processing_tasks ADD COLUMN acknowledged_by TEXT",
    "ALTER TABLE processing_tasks ADD COLUMN judged_by TEXT",
    "ALTER TABLE processing_tasks ADD COLUMN reseeded INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE documents ADD COLUMN acknowledged_at TEXT",
    "ALTER TABLE documents ADD COLUMN acknowledged_by TEXT",
    f"CREATE INDEX idx_wanting ON processing_tasks (outcome, ended_at) WHERE {WANTING}",
    f"CREATE INDEX idx_wanting_refused ON documents (created_at) WHERE {_REFUSED}",
    "CREATE INDEX idx_outcome ON processing_tasks (outcome, id) WHERE outcome IS NOT NULL",
    """INSERT INTO status_counts (status, n) SELECT 'wanting_' || wanted.outcome, COUNT(id)
        FROM (SELECT 'failed' AS outcome UNION SELECT 'unscorable' UNION SELECT 'needs_review') AS wanted
        LEFT JOIN processing_tasks AS task ON task.outcome = wanted.outcome AND task.acknowledged_at IS NULL
        GROUP BY wanted.outcome""",
    f"""INSERT INTO status_counts (status, n)
        SELECT 'wanting_refused', COUNT(*) FROM documents WHERE {_REFUSED}""",
    f"""CREATE TRIGGER count_wanting_task AFTER UPDATE OF outcome, acknowledged_at ON processing_tasks BEGIN
        {_TAKEN} || OLD.outcome AND {_OLD};
        {_ADDED} || NEW.outcome AND {_NEW};
    END""",
    f"""CREATE TRIGGER count_new_wanting_task AFTER INSERT ON processing_tasks WHEN {_NEW} BEGIN
        {_ADDED} || NEW.outcome;
    END""",
    f"""CREATE TRIGGER count_gone_wanting_task AFTER DELETE ON processing_tasks WHEN {_OLD} BEGIN
        {_TAKEN} || OLD.outcome;
    END""",
    f"""CREATE TRIGGER count_refused AFTER INSERT ON documents
    WHEN NEW.kind = 'reason' AND NEW.acknowledged_at IS NULL BEGIN
        {_ADDED} || 'refused';
    END""",
    f"""CREATE TRIGGER count_gone_refused AFTER DELETE ON documents
    WHEN OLD.kind = 'reason' AND OLD.acknowledged_at IS NULL BEGIN
        {_TAKEN} || 'refused';
    END""",
    f"""CREATE TRIGGER count_seen_refused AFTER UPDATE OF acknowledged_at ON documents
    WHEN NEW.kind = 'reason' AND OLD.acknowledged_at IS NULL AND NEW.acknowledged_at IS NOT NULL BEGIN
        {_TAKEN} || 'refused';
    END""",
)


def up(migrator: Any, db: Any) -> None:
    """Add columns, indexes, counts and triggers."""
    for statement in _STATEMENTS:
        db.execute_sql(statement)
