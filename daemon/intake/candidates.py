"""Which of the settled files can be taken now, and what to tell of those that can't."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from daemon.core.stability import Known, Seen
from daemon.intake.alarm import Alarm, reason_of, shown
from daemon.intake.files import Files

_LONGEST_WAIT_S = 600.0
_HELD_OPEN_S = 600.0


@dataclass(frozen=True, slots=True)
class Choice:
    """Of the settled files: those to take, in order, and those that somebody is still writing."""

    takeable: tuple[Seen, ...]
    written: tuple[Seen, ...]


@dataclass(frozen=True, slots=True)
class _Denial:
    error: OSError
    tries: int
    not_before: float


class Candidates:
    """Remembers what could not be taken for lack of rights, so that it is tried ever more rarely.

    A file that is only not readable is looked at each time, which costs nothing; one whose taking
    failed waits `retry_s` seconds, then twice as long and so on. A change of the file begins anew.
    """

    def __init__(self, files: Files, retry_s: float) -> None:
        self._files = files
        self._retry_s = retry_s
        self._denials: dict[Seen, _Denial] = {}

    def choose(self, ready: Sequence[Seen], now: float) -> Choice:
        """Sort the settled files. Opens each of them for a moment: for a thread."""
        present = set(ready)
        self._denials = {entry: denial for entry, denial in self._denials.items() if entry in present}
        takeable: list[Seen] = []
        written: list[Seen] = []
        for entry in ready:
            denial = self._denials.get(entry)
            if denial is not None and now < denial.not_before:
                continue
            try:
                self._files.check_right(entry.path)
                is_written = not entry.special and self._files.is_written_to(entry.path)
            except PermissionError as exc:
                self._denials[entry] = _Denial(exc, 0, now)
                continue
            if denial is not None and not denial.tries:
                del self._denials[entry]
            (written if is_written else takeable).append(entry)
        return Choice(tuple(takeable), tuple(written))

    def deny(self, entry: Seen, error: OSError, now: float) -> None:
        """Note that taking it failed."""
        before = self._denials.get(entry)
        tries = before.tries + 1 if before else 1
        wait_s = min(self._retry_s * 2.0 ** (tries - 1), _LONGEST_WAIT_S)
        self._denials[entry] = _Denial(error, tries, now + wait_s)

    def alarms(self) -> list[Alarm]:
        """One for each file that we may not take."""
        return [_denied(entry, denial.error) for entry, denial in self._denials.items()]


def held_open(written: Collection[Seen], known: Mapping[bytes, Known], now: float) -> list[Alarm]:
    """Files that stopped changing and that a program has had open for writing for ten minutes."""
    long = [each.path for each in written if now - known[each.path].first_seen > _HELD_OPEN_S]
    mend = "end the copy, or the program that holds it"
    return [
        Alarm("held_open", shown(path), f"{shown(path)} is still open for writing; {mend}") for path in long
    ]


def orphans(forgotten: Sequence[Seen]) -> list[Alarm]:
    """Claimed files in the inbox that no claim of ours knows of."""
    return [
        Alarm(
            "orphan",
            shown(entry.path),
            f"{shown(entry.path)} was claimed by a daemon with another state folder; run that one, "
            "or rename the file to <student>_<name>.mp4",
        )
        for entry in forgotten
    ]


def _denied(entry: Seen, error: OSError) -> Alarm:
    path = shown(entry.path)
    mend = "give this user the right to read the file and to write its folder"
    return Alarm("no_right", path, f"{path} cannot be taken: {reason_of(error)}; {mend}")
