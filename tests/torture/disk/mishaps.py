"""What can have happened to a lab while its daemon was down, besides the cut itself."""

import random
import shutil
import sqlite3
import tempfile
from contextlib import closing
from enum import StrEnum
from pathlib import Path

from tests.torture.days import outside
from tests.torture.days.lab import Lab, Moment

_BACK_S = 45.0  # on average, until a share is mounted again


class Mishap(StrEnum):
    """One thing that is not there at the start."""

    NONE = ""
    INBOX_AWAY = "inbox"
    OUTBOX_AWAY = "outbox"
    DATABASE_LOST = "database"


def befall(lab: Lab, mishap: Mishap, dice: random.Random) -> None:
    """Let it happen, before the daemon starts."""
    if mishap is Mishap.DATABASE_LOST:
        for path in lab.state.glob("introeval.db*"):
            path.unlink()
        lab.forgot = True
    elif mishap and _is_known(lab, mishap.value):
        outside.take_away(lab, mishap.value)
        back = Moment(lab.clock.now + dice.expovariate(1 / _BACK_S), "back", (mishap.value,))
        lab.agenda = sorted([*lab.agenda, back], key=lambda moment: moment.at)


def _is_known(lab: Lab, share: str) -> bool:
    """Whether the daemon remembers a share: a first start takes the folder that is there."""
    with tempfile.TemporaryDirectory(dir=lab.folder.parent) as tmp:  # to look at it would change it
        for path in lab.state.glob("introeval.db*"):
            shutil.copy(path, tmp)
        with closing(sqlite3.connect(Path(tmp) / "introeval.db")) as db:
            tables = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'settings'").fetchall()
            known = "SELECT 1 FROM settings WHERE key LIKE ?"
            return bool(tables and db.execute(known, (f"place {share} %",)).fetchall())
