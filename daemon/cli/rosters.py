"""Reading a roster file for a command."""

from pathlib import Path

from daemon.cli.lines import Line, say
from daemon.core.classes.roster import RosterEntry
from daemon.core.classes.roster_file import read_roster
from daemon.core.errors import UsageError


def entries(file: Path) -> list[RosterEntry]:
    """The entries of a roster file. Raises UsageError for one that has faults, which are printed."""
    try:
        found = read_roster(file.read_bytes())
    except OSError as exc:
        raise UsageError(f"{file} cannot be read: {exc.strerror}; name the roster") from exc
    if found.faults:
        say([Line(f"{file}, {fault}", "red") for fault in found.faults], error=True)
        raise UsageError(f"{file} has faults; correct the rows above, and run the same again")
    return list(found.entries)
