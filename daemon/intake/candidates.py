"""The choice of the settled files to claim next, and the alarms of those that can't be claimed."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from daemon.contracts.values import Claim
from daemon.core.intake.stability import Known, SeenFile
from daemon.core.intake.turns import InWork, claimant_of, in_turn
from daemon.intake.alarm import IntakeAlarm, reason_of, shown
from daemon.intake.files import Files
from daemon.intake.reach import NO_SUCH_PLACE, Reach
from daemon.system.folder import Entry

_GROUP = 64
_IN_WORK = 128  # claims at once: the next student's file does not wait behind thousands
_OF_EACH = 4  # claims in work that an account may have even if others have all
_OF_ONE = 16  # claims of one student of an account, in work or delayed
_OF_ACCOUNT = 2 * _IN_WORK  # the same of one account: nobody can fill the database with claims that never end
_LONGEST_WAIT_S = 600.0
_HELD_OPEN_S = 600.0


@dataclass(frozen=True, slots=True)
class Choice:
    """The settled files to claim, in order, and those that a program is still writing."""

    takeable: tuple[SeenFile, ...]
    written: tuple[SeenFile, ...]


@dataclass(frozen=True, slots=True)
class _Denial:
    error: OSError
    attempts: int
    not_before: float


class Candidates:
    """The settled files that wait for a claim, and those of them whose claim failed.

    A file without the rights to claim it is checked each time, which costs little. After a failed claim a
    file waits `retry_s` seconds, then twice as long, up to 10 minutes. A changed file counts as a new one.
    """

    def __init__(self, inbox: Path, files: Files, retry_s: float) -> None:
        self._inbox, self._files, self._retry_s = inbox, files, retry_s
        self._queue: Sequence[SeenFile] = ()
        self._denials: dict[SeenFile, _Denial] = {}
        self._written: set[bytes] = set()

    def replace(self, settled: Sequence[SeenFile], load: InWork) -> None:
        """Replace the waiting files by those that a look found settled; `load` gives the claims in work."""
        self._queue = in_turn(settled, load)
        there = set(settled)
        self._denials = {entry: denial for entry, denial in self._denials.items() if entry in there}

    def next(self, in_work: Sequence[Claim], delayed: Sequence[Claim], now: float) -> Choice | None:
        """The next files that may be in work beside `in_work`; None if there are none.

        Delayed claims count for their own account and student only. It opens each file for a moment, so call
        it in a thread.
        """
        picked = self._pick(in_work, delayed)
        if not picked:
            return None
        choice = self._choose(picked, now)
        self._written -= {entry.path for entry in picked}
        self._written |= {entry.path for entry in choice.written}
        return choice

    def _pick(self, in_work: Sequence[Claim], delayed: Sequence[Claim]) -> list[SeenFile]:
        load = InWork.of([*in_work, *delayed])
        claimants, owners = Counter(load.claimants), Counter(load.owners)
        working = Counter(claim.owner for claim in in_work)
        picked: list[SeenFile] = []
        rest: list[SeenFile] = []
        for entry in self._queue:
            claimant = claimant_of(entry)
            has_room = len(in_work) + len(picked) < _IN_WORK or working[entry.owner] < _OF_EACH
            may_have_more = claimants[claimant] < _OF_ONE and owners[entry.owner] < _OF_ACCOUNT
            if has_room and may_have_more and len(picked) < _GROUP:
                claimants[claimant] += 1
                owners[entry.owner] += 1
                working[entry.owner] += 1
                picked.append(entry)
            else:
                rest.append(entry)
        self._queue = rest
        return picked

    def _choose(self, picked: Sequence[SeenFile], now: float) -> Choice:
        takeable: list[SeenFile] = []
        written: list[SeenFile] = []
        with Reach(os.fsencode(self._inbox)) as reach:
            for entry in picked:
                denial = self._denials.get(entry)
                if denial is not None and now < denial.not_before:
                    continue
                try:
                    is_written = self._is_written_to(entry, reach)
                except OSError as exc:
                    self._denials[entry] = _Denial(exc, 0, now)
                    continue
                if denial is not None and not denial.attempts:
                    del self._denials[entry]
                (written if is_written else takeable).append(entry)
        return Choice(tuple(takeable), tuple(written))

    def _is_written_to(self, entry: SeenFile, reach: Reach) -> bool:
        """Whether a program is writing to the file. Raises OSError if it can't be claimed."""
        try:
            folder = reach(entry.path)
        except NO_SUCH_PLACE:
            folder = None
        if folder is None:
            return False  # gone: the claim will notice
        self._files.check_right(folder)
        return not entry.special and self._files.is_written_to(Entry(folder, os.path.basename(entry.path)))

    def deny(self, entry: SeenFile, error: OSError, now: float) -> None:
        """Record that a claim of the file failed, and let it wait."""
        before = self._denials.get(entry)
        attempts = before.attempts + 1 if before else 1
        wait_s = min(self._retry_s * 2.0 ** (attempts - 1), _LONGEST_WAIT_S)
        self._denials[entry] = _Denial(error, attempts, now + wait_s)

    def denied(self) -> list[IntakeAlarm]:
        """An alarm for each file that can't be claimed."""
        return [_denied(entry, denial.error) for entry, denial in self._denials.items()]

    def held_open(self, known: Mapping[bytes, Known], now: float) -> list[IntakeAlarm]:
        """An alarm for each file that does not change but has been open for writing for ten minutes."""
        self._written &= known.keys()
        long = [path for path in self._written if now - known[path].first_seen > _HELD_OPEN_S]
        return [
            IntakeAlarm(
                "held_open",
                shown(path),
                f"{shown(path)} is still open for writing",
                owner=known[path].seen.owner,
            )
            for path in long
        ]


def orphans(forgotten: Sequence[SeenFile]) -> list[IntakeAlarm]:
    """The alarms of claimed files in the inbox that are of no claim in our database."""
    return [
        IntakeAlarm(
            "orphan",
            shown(entry.path),
            f"{shown(entry.path)} was claimed by a daemon with another state folder",
            "run that daemon, or rename the file to <student>_<name>.mp4",
            owner=entry.owner,
        )
        for entry in forgotten
    ]


def loose(failed: Sequence[tuple[SeenFile, OSError]]) -> list[IntakeAlarm]:
    """The alarms of claimed files whose folder was renamed, and that can't get their name back."""
    fix = "give this user the right to write its folder, or rename the file to <student>_<name>.mp4"
    return [
        IntakeAlarm(
            "orphan",
            shown(entry.path),
            f"{shown(entry.path)} was claimed and cannot be put back: {reason_of(error)}",
            fix,
            owner=entry.owner,
        )
        for entry, error in failed
    ]


def _denied(entry: SeenFile, error: OSError) -> IntakeAlarm:
    path = shown(entry.path)
    return IntakeAlarm("no_right", path, f"{path} cannot be taken: {reason_of(error)}", owner=entry.owner)
