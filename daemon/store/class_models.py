"""The tables of classes as peewee models."""

from typing import Any

from peewee import AutoField, CompositeKey, FloatField, IntegerField, Model, TextField

from daemon.store.fields import InstantField


class ClassRow(Model):
    """A class that was opened. `deadline` and the times are in UTC; `archive_days` None: as configured.
    `kept_from` is since when it is closed, in witnessed seconds.
    """

    id = AutoField()
    name = TextField()
    opened_at: Any = InstantField()
    opened_by = TextField(null=True)
    closed_at: Any = InstantField(null=True)
    deadline: Any = InstantField(null=True)
    rubric = TextField(null=True)
    archive_days = FloatField(null=True)
    kept_from = FloatField(null=True)

    class Meta:
        table_name = "classes"


class RosterRow(Model):
    """A student of a class, at a place of its roster. `aliases` is a JSON array."""

    class_id = IntegerField()
    place = IntegerField()
    student = TextField()
    name = TextField()
    group_name = TextField()
    email = TextField()
    aliases = TextField()

    class Meta:
        table_name = "roster"
        primary_key = CompositeKey("class_id", "place")
