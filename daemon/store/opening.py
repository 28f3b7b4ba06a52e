"""Opening the SQLite file: to work on it, or to read beside a daemon or where none runs."""

from pathlib import Path

from daemon.contracts.values import Provenance
from daemon.core.errors import StoreError
from daemon.core.intake.naming import Resubmission
from daemon.core.intake.ownership import Ownership
from daemon.store import schema
from daemon.store.database import BUSY_TIMEOUT_S, Database, border

# Always with `secure_delete`: what an update leaves behind is not there any more when a student is forgotten.
_PRAGMAS: dict[str, str | int] = {
    "journal_mode": "wal",
    "foreign_keys": 1,
    "synchronous": 2,
    "secure_delete": 1,
}


def open_store(
    path: Path,
    *,
    provenance: Provenance | None = None,
    resubmission: Resubmission = "all",
    ownership: Ownership | None = None,
) -> Database:
    """The database of the one daemon, made if it is missing and brought to this program's schema.

    `provenance` is what every result carries beside that of its stages. Raises StoreError.
    """
    db = connect(path)
    db.provenance, db.resubmission = dict(provenance or {}), resubmission
    db.ownership = ownership or Ownership()
    with border(db, "brought to this version"):
        schema.migrate(db, path)
    return db


def open_reader(path: Path) -> Database:
    """A database for reading alone; it must exist, in this program's schema. Raises StoreError."""
    db = connect(path, read_only=True)
    with border(db, "read"):
        schema.check(db, path)
    return db


def connect(path: Path, *, read_only: bool = False) -> Database:
    """A connected database. `read_only` never writes, and asks for no right to.

    Raises StoreError when there is no such file or it is no database.
    """
    if not read_only:
        db = Database(str(path), pragmas=_PRAGMAS, timeout=BUSY_TIMEOUT_S)
    elif path.is_file():
        db = Database(_read_only_uri(path), pragmas={"foreign_keys": 1}, timeout=BUSY_TIMEOUT_S, uri=True)
    else:
        raise StoreError(f"there is no database {path}; start the daemon once, or name its state folder")
    with border(db, "opened"):
        db.connect()
        db.pragma("schema_version")  # reads the file: one that is no database shows here
    return db


def _read_only_uri(path: Path) -> str:
    """Where there is no `-wal`, nobody has the database open, and it is read as immutable: SQLite would else
    make `-wal` and `-shm`, which fails in a folder that we may not write, and elsewhere leaves files behind
    that the daemon may not open.
    """
    in_use = path.with_name(path.name + "-wal").exists()
    return path.absolute().as_uri() + ("?mode=ro" if in_use else "?mode=ro&immutable=1")
