"""Search for a student in the tables of the database."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from daemon.core.keeping import frames
from daemon.core.keeping.traces import Traces
from daemon.store.database import Database, border
from daemon.store.opening import connect

# Columns with what others said, programs wrote, or words of our own, and the accounts that gave orders: a
# student's id may be such a word. Of a known student the orders are cleared.
_OTHER_TEXT = frozenset(
    "stt_result mistral_result llama_result flags provenance set_aside detail error_message reason status "
    "phase stage kind step video outcome failed_stage error_code event from_status to_status group_name "
    "current_phase key value migrated_at actor acknowledged_by what details".split()
)
_DOCUMENT = "content"
_EVENT = "events.message"  # a short number in it stands for much else
_FRAMES = "recordings.frames"


class Found:
    """The columns (`table.column`) that name the student, and whether any value contains the id."""

    def __init__(self) -> None:
        self.columns: set[str] = set()
        self.has_part = False


def search(path: Path, traces: Traces, roots: Sequence[Path]) -> Found:
    """Search every table, through a connection of its own. `roots` are the configured folders: a student's id
    in these paths means nothing. Raises StoreError.
    """
    with connect(path, read_only=True) as db, border(db, "read"):
        return _search(db, traces, [bytes(root) for root in roots])


def _search(db: Database, traces: Traces, roots: Sequence[bytes]) -> Found:
    found = Found()
    text, other, document = traces.in_text(), traces.in_other_text(), traces.in_document()
    line = traces.in_files()
    part = traces.student.encode()
    for column, value in _values(db):
        if column == _FRAMES:
            fields = frames.IDS if traces.is_short_number else frames.FREE
            found.columns |= {column} if frames.names(value, text, fields) else set()
            continue
        name = column.rpartition(".")[2]
        pattern = document if name == _DOCUMENT else other if name in _OTHER_TEXT else text
        pattern = line if column == _EVENT else pattern
        if part in value or pattern.found(value):
            value = _without(roots, value)
            found.has_part = found.has_part or part in value
            if pattern.found(value):
                found.columns.add(column)
    return found


def _without(roots: Sequence[bytes], value: bytes) -> bytes:
    for root in roots:
        value = value.replace(root, b"")
    return value


def _values(db: Database) -> Iterator[tuple[str, bytes]]:
    """Every text and blob, each after its `table.column`."""
    for table in db.get_tables():
        cursor = db.execute_sql(f'SELECT * FROM "{table}"')
        columns = [f"{table}.{description[0]}" for description in cursor.description]
        for row in cursor:
            for column, value in zip(columns, row, strict=True):
                if isinstance(value, str):
                    yield column, value.encode(errors="surrogatepass")
                elif isinstance(value, bytes):
                    yield column, value
