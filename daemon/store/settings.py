"""What the operator set and a restart keeps: a small table of JSON values. Called within a transaction."""

import json
from typing import Any

from peewee import SqliteDatabase

from daemon.store.codec import dumps
from daemon.store.models import SettingRow


def get(db: SqliteDatabase, key: str, default: Any = None) -> Any:
    """The value of a setting, or `default` when it was never put."""
    rows = list(SettingRow.select().where(SettingRow.key == key).execute(db))
    return json.loads(rows[0].value) if rows else default


def put(db: SqliteDatabase, key: str, value: Any) -> None:
    """Set or replace a setting; `value` is plain JSON."""
    SettingRow.insert(key=key, value=dumps(value)).on_conflict_replace().execute(db)
