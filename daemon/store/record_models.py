"""The tables of what is recorded by day and told to hooks, as peewee models; see `daemon.store.models`."""

from typing import Any

from peewee import AutoField, BlobField, FloatField, IntegerField, Model, TextField

from daemon.store.fields import InstantField


class NewsRow(Model):
    """An event of the daemon, as `introeval events` shows it."""

    id = IntegerField(primary_key=True)
    at: Any = InstantField()
    kind = TextField()
    message = TextField()
    task_id = IntegerField(null=True)
    student = TextField(null=True)
    status = TextField(null=True)
    actor = TextField(null=True)
    kept_from = FloatField(null=True)

    class Meta:
        table_name = "events"


class GpuPointRow(Model):
    """A reading of the GPU, with the group that was loaded."""

    at: Any = InstantField(primary_key=True)
    utilisation = FloatField(null=True)
    used_mb = FloatField(null=True)
    temperature_c = FloatField(null=True)
    power_w = FloatField(null=True)
    group_name = TextField()
    kept_from = FloatField(null=True)

    class Meta:
        table_name = "gpu_points"


class StretchRow(Model):
    """Some minutes of what the dashboard shows, packed by `daemon.store.recording`."""

    id = AutoField()
    began_at: Any = InstantField()
    ended_at: Any = InstantField()
    frames: Any = BlobField()
    kept_from = FloatField(null=True)

    class Meta:
        table_name = "recordings"


class NoticeRow(Model):
    """A notice that its receiver has not answered yet; see `notices`. `kept_from` is in witnessed seconds."""

    id = AutoField()
    key = TextField()
    receiver = TextField()
    kind = TextField()
    task_id = IntegerField()
    revision = IntegerField()
    at: Any = InstantField()
    said = TextField()
    tries = IntegerField(default=0)
    not_before = FloatField(default=0.0)
    kept_from = FloatField(null=True)

    class Meta:
        table_name = "notices"
