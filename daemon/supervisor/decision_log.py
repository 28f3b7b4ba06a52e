"""The record of decisions for `introeval replay`, which a report of a wrong decision needs.

It is written as decisions are made, names nobody, and is kept in two files of a bounded size. Work does not
depend on it: a disk that can't take it costs the record alone.
"""

import hashlib
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

import structlog

from daemon.core.schedule.decision import Decision, Policy, View
from daemon.core.schedule.phase_state import PhaseEvent
from daemon.core.schedule.replay import Recorder, encode

log = structlog.get_logger()

_MOST_BYTES = 4_000_000  # holds several classes of thirty


class DecisionLog:
    """Writes to `file`; when that is full, it is renamed to `<stem>.1<suffix>` and a new one begins."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._key = secrets.token_bytes(16)  # new for each run: no alias can be traced to its name
        self._recorder = Recorder(self._alias)
        self._events: list[PhaseEvent] = []
        self._open: TextIO | None = None
        self._broken = False

    def note(self, event: PhaseEvent) -> None:
        """Keep an event of the phase state for the next decision's record."""
        if not self._broken:
            self._events.append(event)

    def turn(self, view: View, policies: Mapping[str, Policy], decisions: Mapping[str, Decision]) -> None:
        """Write a decision, by node, and the changes since the last one."""
        if self._broken:
            return
        turn = self._recorder.turn(view, policies, decisions, self._events)
        self._events.clear()
        if turn is None:
            return
        try:
            self._write(encode(turn) + "\n")
        except OSError as exc:
            self._broken = True
            log.warning(
                "decisions can't be recorded until the next start", file=str(self._file), cause=str(exc)
            )

    def close(self) -> None:
        """Close the file."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def _write(self, line: str) -> None:
        if self._open is None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._open = self._file.open("a", encoding="utf-8")
            if self._open.tell():
                self._open.write("\n")  # a kill may have cut the last line short
        self._open.write(line)
        self._open.flush()
        if self._open.tell() > _MOST_BYTES:
            self.close()
            os.replace(self._file, self._file.with_suffix(f".1{self._file.suffix}"))
            self._recorder = Recorder(self._alias)  # the next file begins with the whole state

    def _alias(self, name: str) -> str:
        return hashlib.blake2b(name.encode(), key=self._key, digest_size=5).hexdigest()
