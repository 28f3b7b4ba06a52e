"""The first schema. Frozen: a change is another migration beside this one.

It is SQL, since peewee has no words for partial indexes, triggers and checks. Triggers maintain
`status_counts`, so that the cost of the dashboard's counts does not grow with history.
"""

from typing import Any

_STATUSES = (
    "uploaded", "stt_pending", "stt_processing", "stt_complete", "eval_pending", "eval_processing",
    "mistral_complete", "llama_processing", "completed", "failed", "cancelled",
)  # fmt: skip
_KINDS = ("result", "receipt", "reason")


def _listed(words: tuple[str, ...]) -> str:
    return ", ".join(f"'{word}'" for word in words)


_STATEMENTS = (
    """CREATE TABLE users (
        username TEXT NOT NULL PRIMARY KEY,
        created_at TEXT NOT NULL
    )""",
    """CREATE TABLE claims (
        id TEXT NOT NULL PRIMARY KEY,
        path BLOB NOT NULL,
        filename TEXT NOT NULL,
        student TEXT,
        device TEXT NOT NULL,
        inode TEXT NOT NULL,
        size_bytes INTEGER NOT NULL,
        mtime_ns TEXT NOT NULL,
        claimed_at TEXT NOT NULL,
        reason TEXT,
        step TEXT NOT NULL CHECK (step IN ('seen', 'spooled', 'done', 'lost'))
    )""",
    "CREATE INDEX idx_claim_step ON claims (step, claimed_at)",
    """CREATE TABLE batches (
        id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
        started_at TEXT NOT NULL,
        ended_at TEXT,
        size INTEGER NOT NULL
    )""",
    # AUTOINCREMENT: the id of a forgotten student's task is never given to another's.
    f"""CREATE TABLE processing_tasks (
        id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
        user_id TEXT NOT NULL REFERENCES users (username),
        filename TEXT NOT NULL,
        file_path TEXT NOT NULL,
        upload_timestamp TEXT NOT NULL,
        status TEXT NOT NULL CHECK (status IN ({_listed(_STATUSES)})),
        phase TEXT NOT NULL CHECK (phase IN ('stt', 'eval')),
        batch_id INTEGER REFERENCES batches (id),
        stt_result TEXT,
        mistral_result TEXT,
        llama_result TEXT,
        error_message TEXT,
        retry_count INTEGER NOT NULL,
        priority INTEGER NOT NULL,
        estimated_completion TEXT,
        last_updated TEXT NOT NULL,
        claim_id TEXT NOT NULL UNIQUE REFERENCES claims (id),
        sha256 TEXT NOT NULL,
        size_bytes INTEGER NOT NULL,
        duration_s REAL NOT NULL,
        revision INTEGER NOT NULL,
        attempt INTEGER NOT NULL,
        suspicion INTEGER NOT NULL,
        deaths_alone INTEGER NOT NULL,
        daemon_deaths INTEGER NOT NULL,
        not_before TEXT,
        held INTEGER NOT NULL,
        cancel_requested INTEGER NOT NULL,
        began_at TEXT NOT NULL,
        ended_at TEXT,
        outcome TEXT,
        failed_stage TEXT,
        error_code TEXT,
        flags TEXT NOT NULL,
        provenance TEXT NOT NULL,
        delivered_at TEXT,
        video TEXT NOT NULL CHECK (video IN ('spool', 'archive', 'gone')),
        archived_at TEXT
    )""",
    "CREATE INDEX idx_status ON processing_tasks (status)",
    "CREATE INDEX idx_phase_batch ON processing_tasks (phase, batch_id)",
    "CREATE INDEX idx_user_status ON processing_tasks (user_id, status)",
    "CREATE INDEX idx_sha256 ON processing_tasks (sha256, user_id)",
    "CREATE INDEX idx_video_delivered ON processing_tasks (video, delivered_at)",
    "CREATE INDEX idx_video_archived ON processing_tasks (video, archived_at)",
    """CREATE TABLE system_state (
        id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
        current_phase TEXT NOT NULL,
        current_batch_id INTEGER,
        phase_start_time TEXT,
        total_tasks_in_phase INTEGER NOT NULL,
        completed_tasks_in_phase INTEGER NOT NULL,
        last_updated TEXT NOT NULL
    )""",
    f"""CREATE TABLE documents (
        id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
        kind TEXT NOT NULL CHECK (kind IN ({_listed(_KINDS)})),
        task_id INTEGER REFERENCES processing_tasks (id) ON DELETE CASCADE,
        revision INTEGER,
        name TEXT NOT NULL UNIQUE,
        content BLOB NOT NULL,
        created_at TEXT NOT NULL,
        delivered_at TEXT
    )""",
    "CREATE UNIQUE INDEX idx_task_kind ON documents (task_id, kind, revision)",
    "CREATE INDEX idx_undelivered ON documents (id) WHERE delivered_at IS NULL",
    """CREATE TABLE task_events (
        id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
        task_id INTEGER NOT NULL REFERENCES processing_tasks (id) ON DELETE CASCADE,
        at TEXT NOT NULL,
        event TEXT NOT NULL,
        from_status TEXT,
        to_status TEXT NOT NULL,
        stage TEXT,
        revision INTEGER NOT NULL,
        attempt INTEGER NOT NULL,
        seconds REAL,
        detail TEXT NOT NULL
    )""",
    "CREATE INDEX idx_task_event ON task_events (task_id, id)",
    "CREATE INDEX idx_event_seconds ON task_events (event, id) WHERE seconds IS NOT NULL",
    """CREATE TABLE phases (
        id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
        group_name TEXT NOT NULL,
        phase TEXT NOT NULL CHECK (phase IN ('stt', 'eval')),
        batch_id INTEGER REFERENCES batches (id),
        started_at TEXT NOT NULL,
        ready_at TEXT,
        ended_at TEXT,
        switch_s REAL,
        tasks INTEGER NOT NULL
    )""",
    "CREATE INDEX idx_group_switch ON phases (group_name, id) WHERE switch_s IS NOT NULL",
    "CREATE TABLE settings (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE TABLE status_counts (status TEXT NOT NULL PRIMARY KEY, n INTEGER NOT NULL)",
    f"""INSERT INTO status_counts (status, n) VALUES {
        ", ".join(f"('{name}', 0)" for name in (*_STATUSES, *(f"undelivered_{kind}" for kind in _KINDS)))
    }""",
    """CREATE TRIGGER count_new_task AFTER INSERT ON processing_tasks BEGIN
        UPDATE status_counts SET n = n + 1 WHERE status = NEW.status;
    END""",
    """CREATE TRIGGER count_gone_task AFTER DELETE ON processing_tasks BEGIN
        UPDATE status_counts SET n = n - 1 WHERE status = OLD.status;
    END""",
    """CREATE TRIGGER count_moved_task AFTER UPDATE OF status ON processing_tasks
    WHEN OLD.status IS NOT NEW.status BEGIN
        UPDATE status_counts SET n = n - 1 WHERE status = OLD.status;
        UPDATE status_counts SET n = n + 1 WHERE status = NEW.status;
    END""",
    """CREATE TRIGGER count_new_document AFTER INSERT ON documents WHEN NEW.delivered_at IS NULL BEGIN
        UPDATE status_counts SET n = n + 1 WHERE status = 'undelivered_' || NEW.kind;
    END""",
    """CREATE TRIGGER count_gone_document AFTER DELETE ON documents WHEN OLD.delivered_at IS NULL BEGIN
        UPDATE status_counts SET n = n - 1 WHERE status = 'undelivered_' || OLD.kind;
    END""",
    """CREATE TRIGGER count_moved_document AFTER UPDATE OF delivered_at ON documents
    WHEN (OLD.delivered_at IS NULL) IS NOT (NEW.delivered_at IS NULL) BEGIN
        UPDATE status_counts SET n = n + CASE WHEN NEW.delivered_at IS NULL THEN 1 ELSE -1 END
        WHERE status = 'undelivered_' || NEW.kind;
    END""",
)


def up(migrator: Any, db: Any) -> None:
    """Create the tables, indexes and triggers."""
    for statement in _STATEMENTS:
        db.execute_sql(statement)
