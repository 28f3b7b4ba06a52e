"""Settings that survive a restart: a small table of JSON values."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from daemon.contracts.wire.words import PlaceName
from daemon.core.intake.naming import printable
from daemon.core.intake.place import KnownPlace
from daemon.store import audit
from daemon.store.codec import dumps
from daemon.store.database import Database, reads, writes
from daemon.store.models import SettingRow


@reads
def get(db: Database, key: str, default: Any = None) -> Any:
    """The value of a setting, or `default` if it was never put."""
    rows = list(SettingRow.select().where(SettingRow.key == key).execute(db))
    return json.loads(rows[0].value) if rows else default


@writes
def put(db: Database, key: str, value: Any) -> None:
    """Set or replace a setting; `value` is plain JSON."""
    SettingRow.insert(key=key, value=dumps(value)).on_conflict_replace().execute(db)


@reads
def place(db: Database, name: PlaceName, path: Path) -> KnownPlace | None:
    """The remembered folder of `path`; None if there is none yet."""
    value = get(db, _place_key(name, path))
    return None if value is None else KnownPlace.read(value)


@writes
def keep_place(db: Database, name: PlaceName, path: Path, memory: KnownPlace) -> None:
    """Remember the folder at `path`."""
    put(db, _place_key(name, path), asdict(memory))


@writes
def accept_place(
    db: Database, name: PlaceName, path: Path, memory: KnownPlace, now: float, actor: str | None
) -> None:
    """Remember the folder that a person has accepted as the place at `path`."""
    before = get(db, _place_key(name, path))
    keep_place(db, name, path, memory)
    audit.append(
        db, at=now, actor=actor, what="accept", subject=name.value, before=before, after=asdict(memory)
    )


def _place_key(name: PlaceName, path: Path) -> str:
    """The path is part of the key: another path in the configuration is another place."""
    return f"place {name} {printable(str(path.absolute()))}"
