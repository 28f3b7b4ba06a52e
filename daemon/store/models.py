"""The tables as peewee models. `migrations/` creates and indexes them.

No model is bound to a database: every query names the one that it runs on, so that a process can have
several stores open.
"""

from typing import Any

from peewee import (
    AutoField,
    BlobField,
    BooleanField,
    FloatField,
    IntegerField,
    Model,
    TextField,
)

from daemon.store.class_models import ClassRow, RosterRow
from daemon.store.fields import InstantField, WideField
from daemon.store.record_models import GpuPointRow, NewsRow, NoticeRow, StretchRow


class UserRow(Model):
    """A student."""

    username = TextField(primary_key=True)
    created_at: Any = InstantField()

    class Meta:
        table_name = "users"


class ClaimRow(Model):
    """A file on its way out of the inbox."""

    id = TextField(primary_key=True)
    path = BlobField()
    filename = TextField()
    student = TextField(null=True)
    device: Any = WideField()
    inode: Any = WideField()
    size_bytes = IntegerField()
    mtime_ns: Any = WideField()
    claimed_at: Any = InstantField()
    reason = TextField(null=True)
    step = TextField()
    owner = IntegerField(default=0)
    account = TextField(null=True)

    class Meta:
        table_name = "claims"


class TaskRow(Model):
    """A task, open or final. Without a claim it was inserted by another program; see `registered`.

    Other tools read the columns up to `last_updated`. `priority` is 0 for a first revision and 1 for a later
    one: lower goes first. `flags` and `provenance` are JSON objects by stage, `set_aside` is an array.
    `mistral_result` and `llama_result` are the JSON text `null` when the stage is done and gave nothing
    valid. `delivered_at` is for the present revision's result. `kept_from` is when the video was archived, in
    witnessed seconds.
    `judged_by` are the terms under which it failed. Without a `class_id` it is of the class of its day.
    `decision` is what a person decided on the present revision, as in the result.
    """

    id = AutoField()
    user_id = TextField()
    filename = TextField()
    file_path = TextField()
    upload_timestamp: Any = InstantField()
    status = TextField()
    phase = TextField()
    batch_id = IntegerField(null=True)
    stt_result = TextField(null=True)
    mistral_result = TextField(null=True)
    llama_result = TextField(null=True)
    error_message = TextField(null=True)
    retry_count = IntegerField(default=0)
    priority = IntegerField(default=0)
    estimated_completion: Any = InstantField(null=True)
    last_updated: Any = InstantField()
    claim_id = TextField(null=True)
    sha256 = TextField()
    size_bytes = IntegerField()
    duration_s = FloatField()
    revision = IntegerField(default=1)
    attempt = IntegerField(default=0)
    suspicion = IntegerField(default=0)
    deaths_alone = IntegerField(default=0)
    daemon_deaths = IntegerField(default=0)
    not_before: Any = InstantField(null=True)
    held = BooleanField(default=False)
    cancel_requested = BooleanField(default=False)
    began_at: Any = InstantField()
    ended_at: Any = InstantField(null=True)
    outcome = TextField(null=True)
    failed_stage = TextField(null=True)
    error_code = TextField(null=True)
    flags = TextField(default="{}")
    provenance = TextField(default="{}")
    delivered_at: Any = InstantField(null=True)
    video = TextField(default="spool")
    archived_at: Any = InstantField(null=True)
    account = TextField(null=True)
    kept_from = FloatField(null=True)
    acknowledged_at: Any = InstantField(null=True)
    acknowledged_by = TextField(null=True)
    judged_by = TextField(null=True)
    reseeded = BooleanField(default=False)
    set_aside = TextField(default="[]")
    class_id = IntegerField(null=True)
    decision = TextField(null=True)
    first_at: Any = InstantField(null=True)

    class Meta:
        table_name = "processing_tasks"


class SystemStateRow(Model):
    """The single row, for other tools, that says which phase runs now."""

    id = IntegerField(primary_key=True)
    current_phase = TextField()
    current_batch_id = IntegerField(null=True)
    phase_start_time: Any = InstantField(null=True)
    total_tasks_in_phase = IntegerField()
    completed_tasks_in_phase = IntegerField()
    last_updated: Any = InstantField()

    class Meta:
        table_name = "system_state"


class DocumentRow(Model):
    """The frozen bytes of one file of the outbox."""

    id = AutoField()
    kind = TextField()
    task_id = IntegerField(null=True)
    revision = IntegerField(null=True)
    name = TextField()
    content = BlobField()
    created_at: Any = InstantField()
    delivered_at: Any = InstantField(null=True)
    acknowledged_at: Any = InstantField(null=True)
    acknowledged_by = TextField(null=True)

    class Meta:
        table_name = "documents"


class EventRow(Model):
    """A line of a task's history. `stage` is the task's stage before the event, `actor` who ordered it."""

    id = AutoField()
    task_id = IntegerField()
    at: Any = InstantField()
    event = TextField()
    from_status = TextField(null=True)
    to_status = TextField()
    stage = TextField(null=True)
    revision = IntegerField()
    attempt = IntegerField()
    seconds = FloatField(null=True)
    detail = TextField(default="{}")
    actor = TextField(null=True)

    class Meta:
        table_name = "task_events"


class BatchRow(Model):
    """The tasks that went through one stt phase together."""

    id = AutoField()
    started_at: Any = InstantField()
    ended_at: Any = InstantField(null=True)
    size = IntegerField()

    class Meta:
        table_name = "batches"


class PhaseRow(Model):
    """A phase of a loaded group. `switch_s` is the duration of its switch; the MB are what that found, and
    `holders` the foreign processes, as JSON. `refused` says why the switch had to wait, or failed.
    """

    id = AutoField()
    group_name = TextField()
    phase = TextField()
    batch_id = IntegerField(null=True)
    started_at: Any = InstantField()
    ready_at: Any = InstantField(null=True)
    ended_at: Any = InstantField(null=True)
    switch_s = FloatField(null=True)
    tasks = IntegerField(default=0)
    freed_mb = FloatField(null=True)
    foreign_mb = FloatField(null=True)
    needed_mb = FloatField(null=True)
    margin_mb = FloatField(null=True)
    holders = TextField(default="[]")
    refused = TextField(null=True)

    class Meta:
        table_name = "phases"


class SettingRow(Model):
    """A setting that survives a restart, as JSON."""

    key = TextField(primary_key=True)
    value = TextField()

    class Meta:
        table_name = "settings"


class KeptFileRow(Model):
    """A file of no task that is kept for a time: its path below the state folder, and since when it is kept,
    in seconds of witnessed time.
    """

    name: Any = BlobField(primary_key=True)
    kept_from = FloatField()

    class Meta:
        table_name = "kept_files"


class AuditRow(Model):
    """An entry of the audit, as `core.keeping.chain` hashes it. `at` is kept as the text that was hashed."""

    number = IntegerField(primary_key=True)
    at = TextField()
    what = TextField()
    actor = TextField(null=True)
    actor_salt = TextField(null=True)
    actor_digest = TextField()
    details = TextField(null=True)
    details_salt = TextField(null=True)
    details_digest = TextField()
    previous = TextField()
    hash = TextField()

    class Meta:
        table_name = "audit"


class CountRow(Model):
    """The number of tasks of a status, undelivered documents of a kind, or of what wants a person. Triggers
    maintain it.
    """

    status = TextField(primary_key=True)
    n = IntegerField()

    class Meta:
        table_name = "status_counts"


MODELS: tuple[type[Model], ...] = (
    UserRow,
    ClaimRow,
    TaskRow,
    ClassRow,
    RosterRow,
    SystemStateRow,
    DocumentRow,
    EventRow,
    BatchRow,
    PhaseRow,
    SettingRow,
    KeptFileRow,
    NewsRow,
    GpuPointRow,
    StretchRow,
    AuditRow,
    NoticeRow,
    CountRow,
)
