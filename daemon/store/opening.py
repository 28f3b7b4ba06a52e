"""Opening the SQLite file: for the daemon, or to read while a daemon runs or not."""

from pathlib import Path
from typing import TYPE_CHECKING

from daemon.core.content.release import ReleaseRule
from daemon.core.errors import StoreError
from daemon.core.intake.naming import Resubmission
from daemon.core.intake.ownership import Ownership
from daemon.core.notices import NoticeFilter
from daemon.core.tasks.offers import Terms
from daemon.store import schema
from daemon.store.database import BUSY_TIMEOUT_S, Database, border
from daemon.system.folder import Folder
from daemon.system.state_folder import EVENTS

if TYPE_CHECKING:
    from daemon.contracts.values import Provenance

# Always `secure_delete`: an update overwrites the old bytes, so that forgetting a student finds none later.
_PRAGMAS: dict[str, str | int] = {
    "journal_mode": "wal",
    "foreign_keys": 1,
    "synchronous": 2,
    "secure_delete": 1,
}


def open_store(
    path: Path,
    *,
    provenance: "Provenance | None" = None,
    resubmission: Resubmission = "all",
    ownership: Ownership | None = None,
    terms: Terms | None = None,
    release: ReleaseRule = "flagged",
    wanted: NoticeFilter | None = None,
) -> Database:
    """Open the daemon's database. It is created if it is missing, and migrated to this program's schema.

    `provenance` goes into every result, beside that of its stages. Raises StoreError.
    """
    from daemon.store import recording  # a command that only reads needs none

    db = connect(path)
    _take_over(db)
    db.provenance, db.resubmission = dict(provenance or {}), resubmission
    db.ownership, db.terms = ownership or Ownership(), terms or Terms()
    db.release = release
    db.notices = wanted or NoticeFilter()
    with border(db, "brought to this version"):
        schema.migrate(db, path)
        # Where the file cannot be written, even for a moment, SQLite opens it to read and says nothing.
        db.execute_sql("DELETE FROM settings WHERE 0")
        recording.adopt(db, path.with_name(EVENTS))
    _keep_names(path)
    return db


def _take_over(db: Database) -> None:
    """Move what an earlier life left in the -wal file into the database. A sync may have failed there: what
    it should have written reads well until the power is cut, and another sync does not write it. Raises
    StoreError.
    """
    with border(db, "written"):
        db.execute_sql("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def _keep_names(path: Path) -> None:
    """Make the names of the database's files durable. SQLite does so as well, but is silent when it fails,
    and a power cut then takes the whole database. Raises StoreError.
    """
    try:
        with Folder.open(path.parent) as folder:
            folder.sync()
    except OSError as exc:
        told = f"the folder {path.parent} cannot be synced: {exc.strerror}; check its disk"
        raise StoreError(told) from exc


def open_reader(path: Path) -> Database:
    """Open a database for reading only; it must exist and have this program's schema. Raises StoreError."""
    db = connect(path, read_only=True)
    with border(db, "read"):
        schema.check(db, path)
    return db


def connect(path: Path, *, read_only: bool = False) -> Database:
    """Connect to a database. `read_only` neither writes nor needs the permission to.

    Raises StoreError when the file does not exist, may not be looked at, or is no database.
    """
    if not read_only:
        db = Database(str(path), pragmas=_PRAGMAS, timeout=BUSY_TIMEOUT_S)
    elif _is_file(path):
        db = Database(_read_only_uri(path), pragmas={"foreign_keys": 1}, timeout=BUSY_TIMEOUT_S, uri=True)
    else:
        raise StoreError(f"there is no database {path}; start the daemon once, or name its state folder")
    with border(db, "opened"):
        db.connect()
        db.pragma("schema_version")  # reads the file, and fails if that is no database
    return db


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError as exc:  # the state folder is closed to those who are not in the daemon's group
        fix = "run this as the daemon's account, or join its group"
        raise StoreError(f"{path} cannot be read: {exc.strerror}; {fix}") from exc


def _read_only_uri(path: Path) -> str:
    """Without a `-wal` file nobody has the database open, and it is read as immutable: SQLite would otherwise
    create `-wal` and `-shm`. In a folder that we may not write this fails; elsewhere the daemon may be unable
    to open these files later.
    """
    in_use = path.with_name(path.name + "-wal").exists()
    return path.absolute().as_uri() + ("?mode=ro" if in_use else "?mode=ro&immutable=1")
