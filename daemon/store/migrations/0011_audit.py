"""The audit table: orders and deliveries, each chained to the one before by hashes.

Nothing is deleted from it or changed in it. The account and the details of an entry can be emptied, which
`introeval forget` needs; the chain has only their salted digests, so that it can still be verified.
"""

from typing import Any

_CHAINED = ("number", "at", "what", "actor_digest", "details_digest", "previous", "hash")
_SEALED = ("actor", "details")
_SAME = " AND ".join(f"NEW.{name} IS OLD.{name}" for name in _CHAINED)
_EMPTIED = " AND ".join(
    f"""((NEW.{name} IS OLD.{name} AND NEW.{name}_salt IS OLD.{name}_salt)
        OR (NEW.{name} IS NULL AND NEW.{name}_salt IS NULL))"""
    for name in _SEALED
)
_REFUSED = "BEGIN SELECT RAISE(ABORT, 'the audit table is append-only'); END"

_STATEMENTS = (
    """CREATE TABLE audit (
        number INTEGER NOT NULL PRIMARY KEY, at TEXT NOT NULL, what TEXT NOT NULL,
        actor TEXT, actor_salt TEXT, actor_digest TEXT NOT NULL,
        details TEXT, details_salt TEXT, details_digest TEXT NOT NULL,
        previous TEXT NOT NULL, hash TEXT NOT NULL)""",
    f"CREATE TRIGGER audit_deleted BEFORE DELETE ON audit {_REFUSED}",
    f"CREATE TRIGGER audit_changed BEFORE UPDATE ON audit WHEN NOT ({_SAME} AND {_EMPTIED}) {_REFUSED}",
    # REPLACE deletes a row without the trigger above
    f"""CREATE TRIGGER audit_replaced BEFORE INSERT ON audit
    WHEN NEW.number IS NOT (SELECT coalesce(max(number), 0) + 1 FROM audit) {_REFUSED}""",
)


def up(migrator: Any, db: Any) -> None:
    """Create the table and its triggers."""
    for statement in _STATEMENTS:
        db.execute_sql(statement)
