"""The proof that a student is forgotten: a search of everything that the program has written.

It covers names and contents of files in the state folder and the outbox, the tables of the database, the
bytes of its files, which must not contain deleted rows, and the backups that are where they were written.
Only models are left out, and the content of videos and sounds. It follows no link, and reads files in chunks.
"""

import contextlib
import os
import stat
from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO

from daemon.config.sections import PathSettings
from daemon.core.intake.naming import printable
from daemon.core.keeping.traces import Finder, Traces
from daemon.delivery.backup import names_student, noted
from daemon.store.search import search
from daemon.system.folder import Folder
from daemon.system.state_folder import DATABASE

MOST = 50
"""At most so many places are named."""
_MODELS = b"models"
_MEDIA = (b"spool", b"archive", b"rejected", b"received", b"unpacked", b"decoded")
_SOUND = b".pcm"  # the probe clip of an engine
_DATABASE_FILES = (DATABASE.encode(), f"{DATABASE}-wal".encode())
_INDEX = f"{DATABASE}-shm".encode()  # only numbers; SQLite creates it again at every start
_SQLITE = b"SQLite format 3\0"
_CHUNK = 64 * 1024  # small, since a search in it holds the interpreter lock


def find(traces: Traces, paths: PathSettings) -> list[str]:
    """The places that still name the student, as printable paths. Raises StoreError, OSError."""
    found = [printable(os.fsdecode(path)) for path in islice(_files(traces, paths), MOST)]
    database = paths.state / DATABASE
    tables = search(database, traces, [paths.inbox, paths.outbox, paths.state])
    found += [f"{database}: {column}" for column in sorted(tables.columns)]
    if not tables.columns:
        pattern = traces.in_pages(with_student=not tables.has_part)
        with Folder.open(paths.state) as state:
            held = [name for name in _DATABASE_FILES if _holds(state, name, pattern, traces.longest())]
        found += [f"{paths.state / name.decode()}: deleted rows" for name in held]
    found += [printable(str(each)) for each in noted(paths.state) if names_student(each, traces, paths)]
    return found[:MOST]


def _files(traces: Traces, paths: PathSettings) -> Iterator[bytes]:
    """The paths of files whose name or content names the student, except for the database's."""
    text, inside_files, document = traces.in_text(), traces.in_files(), traces.in_document()
    copies = traces.in_pages()
    for root, skipped in ((paths.state, (_MODELS, _INDEX, *_DATABASE_FILES)), (paths.outbox, ())):
        with Folder.open(root) as opened:
            for folder, name, inside in _walk(opened, (), skipped):
                kind = document if root == paths.outbox and name.endswith(b".json") else inside_files
                sound = not inside and name.endswith(_SOUND)
                media = root == paths.state and (sound or (inside[:1] and inside[0] in _MEDIA))
                named = text.found(name)
                if named or (not media and _holds(folder, name, kind, traces.longest(), in_database=copies)):
                    yield os.path.join(folder.path, name)


def _walk(
    folder: Folder, inside: tuple[bytes, ...], skipped: tuple[bytes, ...] = ()
) -> Iterator[tuple[Folder, bytes, tuple[bytes, ...]]]:
    """Every entry: its open folder, its name, the names of the folders above. A folder precedes its own."""
    for name in folder.names():
        if name in skipped:
            continue
        yield folder, name, inside
        found = folder.stat(name)
        if found is not None and stat.S_ISDIR(found.st_mode):
            with contextlib.suppress(FileNotFoundError, NotADirectoryError), folder.inner(name) as inner:
                yield from _walk(inner, (*inside, name))


def _holds(
    folder: Folder,
    name: bytes,
    pattern: Finder,
    longest: int,
    *,
    in_database: Finder | None = None,
) -> bool:
    """Whether a regular file contains what `pattern` finds, or in an SQLite file what `in_database` finds."""
    found = folder.stat(name)
    if found is None or not stat.S_ISREG(found.st_mode):
        return False
    try:
        fd = folder.open_file(name, os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError:
        return False  # the daemon works on, and has deleted it
    except OSError:
        return True  # unreadable: named, so that a person looks at it
    with open(fd, "rb") as file:
        return _reads(file, pattern, longest, in_database)


def _reads(file: BinaryIO, pattern: Finder, longest: int, in_database: Finder | None) -> bool:
    chunk = file.read(_CHUNK)
    if in_database is not None and chunk.startswith(_SQLITE):
        pattern = in_database
    kept, begin = b"", 0
    while chunk:
        following = file.read(_CHUNK)
        data = kept + chunk
        for start, end in pattern.ends(data):
            # A match at an edge could be part of a longer word: it is judged with the chunk beside it.
            if (not begin or start) and (not following or end < len(data)):
                return True
        kept, chunk = data[-2 * longest :], following
        begin += len(data) - len(kept)
    return False
