"""Which states of a disk are alike: those whose files are equal, and whose databases SQLite reads as equal.

Most calls of the daemon are SQLite's, and a transaction that was not committed is not there after a cut,
however much of it was written. So SQLite itself recovers the database of each state, here; the daemon
recovers one of those that are alike.
"""

import os
import sqlite3
import tempfile
from hashlib import sha256
from pathlib import Path

from tests.torture.disk.model import State

_DATABASE = b"introeval.db"
_LOG = b"var/log/"  # no daemon reads what an earlier one has written there
_PARTS = (_DATABASE, _DATABASE + b"-wal", _DATABASE + b"-journal")


class Reader:
    """Reads the databases of states, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[bytes, bytes] = {}

    def key(self, state: State) -> bytes:
        """Equal for states that are alike."""
        told = sha256(repr([path for path, _ in state.folders]).encode())
        database: list[tuple[bytes, bytes]] = []
        for path, inode, content in state.files:
            name = os.path.basename(path)
            if name in _PARTS:
                database.append((name, content))
            elif path.startswith(_LOG):
                told.update(path)
            else:
                told.update(b"%r %d %d " % (path, inode, len(content)) + content)
        told.update(self._read(database))
        return told.digest()

    def _read(self, parts: list[tuple[bytes, bytes]]) -> bytes:
        whole = sha256()
        for name, content in parts:
            whole.update(b"%r %d " % (name, len(content)) + content)
        if (written := whole.digest()) not in self._known:
            self._known[written] = self._recover(parts) or written
        return self._known[written]

    def _recover(self, parts: list[tuple[bytes, bytes]]) -> bytes | None:
        """What SQLite reads; None if it reads nothing or finds a fault, and the state is like no other."""
        with tempfile.TemporaryDirectory(dir=self._folder) as tmp:
            for name, content in parts:
                with open(os.path.join(os.fsencode(tmp), name), "wb") as file:
                    file.write(content)
            if not any(name == _DATABASE and content for name, content in parts):
                return None
            db = sqlite3.connect(os.path.join(tmp, os.fsdecode(_DATABASE)))
            try:
                if db.execute("PRAGMA quick_check").fetchall() != [("ok",)]:
                    return None
                told = sha256()
                for line in db.iterdump():
                    told.update(line.encode(errors="surrogatepass"))
                told.update(repr(db.execute("PRAGMA user_version").fetchall()).encode())
            except sqlite3.Error:
                return None
            finally:
                db.close()
            return told.digest()
