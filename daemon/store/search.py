"""Looking for a student in the database itself: in what its tables hold now."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from daemon.core.keeping.traces import Traces
from daemon.store.database import Database, border
from daemon.store.opening import connect

# What others said, what programs wrote about others, and words of our own. A student's id may be such a word.
_OTHER_TEXT = frozenset(
    "stt_result mistral_result llama_result flags provenance detail error_message reason status phase stage "
    "kind step video outcome failed_stage error_code event from_status to_status group_name current_phase "
    "key value migrated_at".split()
)
_DOCUMENT = "content"


class Found:
    """Where the tables name the student (`table.column`), and whether any value has the id as a part."""

    def __init__(self) -> None:
        self.columns: set[str] = set()
        self.has_part = False


def search(path: Path, traces: Traces, roots: Sequence[Path]) -> Found:
    """Look through every table, beside the daemon. `roots` are paths of the lab's own, in which the student's
    id means nothing. Raises StoreError.
    """
    with connect(path, read_only=True) as db, border(db, "read"):
        return _search(db, traces, [bytes(root) for root in roots])


def _search(db: Database, traces: Traces, roots: Sequence[bytes]) -> Found:
    found = Found()
    text, other, document = traces.in_text(), traces.in_other_text(), traces.in_document()
    part = traces.student.encode()
    for column, value in _values(db):
        name = column.rpartition(".")[2]
        pattern = document if name == _DOCUMENT else other if name in _OTHER_TEXT else text
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
    """Every text and blob with the name of its table and column."""
    for table in db.get_tables():
        cursor = db.execute_sql(f'SELECT * FROM "{table}"')
        columns = [f"{table}.{description[0]}" for description in cursor.description]
        for row in cursor:
            for column, value in zip(columns, row, strict=True):
                if isinstance(value, str):
                    yield column, value.encode(errors="surrogatepass")
                elif isinstance(value, bytes):
                    yield column, value
