"""Roster files: a CSV with the columns `student`, and optionally `name`, `group` and `email`."""

import csv
import io
from dataclasses import dataclass

from daemon.core.classes.roster import RosterEntry


@dataclass(frozen=True, slots=True)
class RosterFile:
    """The content of a roster file, and what of it could not be read: a line each, with row and column."""

    entries: tuple[RosterEntry, ...]
    faults: tuple[str, ...] = ()


def read_roster(content: bytes) -> RosterFile:
    """Read a roster file."""
    rows = csv.DictReader(io.StringIO(content.decode("utf-8-sig", "replace"), newline=""))
    if "student" not in (rows.fieldnames or ()):
        return RosterFile((), ("row 1: no column is named student",))
    kept = ("student", "name", "group", "email")
    entries = [{key: (row.get(key) or "").strip() for key in kept} for row in rows]
    return RosterFile(tuple(RosterEntry.model_validate(entry) for entry in entries if entry["student"]))
