"""The kinds of columns that peewee lacks."""

from peewee import Field

from daemon.core.timestamps import from_iso, from_text, to_iso


class InstantField(Field):
    """A point in time: seconds since the epoch in Python, UTC in ISO 8601 in the database.

    Other programs write `CURRENT_TIMESTAMP`, which is read, too.
    """

    field_type = "TEXT"

    def db_value(self, value: float | None) -> str | None:
        """The text of the column."""
        return None if value is None else to_iso(value)

    def python_value(self, value: str | None) -> float | None:
        """Seconds since the epoch."""
        if value is None:
            return None
        try:
            return from_iso(value)
        except ValueError:
            return from_text(f"{value}+00:00")


class WideField(Field):
    """An integer stored as text, since it may have more than 63 bits: SMB servers give such inodes."""

    field_type = "TEXT"

    def db_value(self, value: int) -> str:
        """The text of the column."""
        return str(value)

    def python_value(self, value: str) -> int:
        """The number."""
        return int(value)
