"""Frames: what the dashboard showed, each as its difference from the one before, packed in stretches.

A state is JSON: `status` is the daemon's answer, `tasks` are lines by id, `queue` the ids of the open ones in
the order of service, `attention` lines by their key, `wanting` these keys in their order. A stretch begins
with a whole state, so that it needs no other; one that a crash has cut short is read up to there.
"""

import json
import zlib
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from daemon.core.keeping.traces import Finder, Traces

State = Mapping[str, Any]
_LINES, _ORDERS = ("tasks", "attention"), ("queue", "wanting")
EMPTY: State = {"status": {}, "tasks": {}, "attention": {}, "queue": [], "wanting": []}
_FORGOTTEN = "(forgotten)"
IDS = frozenset({"student", "who"})
FREE = IDS | {"filename", "error_message", "reason", "what", "next", "message", "affects", "fix"}
FREE |= {"why_detail", "cause", "detail", "path", "user"}
"""Fields whose texts can name a student; the others have words of our own, which may be a student's id."""


def difference(before: State, after: State) -> dict[str, Any]:
    """What has changed; empty when nothing has. A line of `None` is no longer there."""
    found: dict[str, Any] = {"status": _changed(before["status"], after["status"])}
    for part in _LINES:
        lines = {key: _changed(before[part].get(key, {}), line) for key, line in after[part].items()}
        gone = dict.fromkeys(key for key in before[part] if key not in after[part])
        found[part] = {key: changed for key, changed in lines.items() if changed} | gone
    changes = {part: changed for part, changed in found.items() if changed}
    return changes | {part: after[part] for part in _ORDERS if after[part] != before[part]}


def applied(state: State, changes: State) -> State:
    """The state after a difference."""
    after = {**state, **{part: changes[part] for part in _ORDERS if part in changes}}
    after["status"] = {**state["status"], **changes.get("status", {})}
    for part in _LINES:
        after[part] = dict(state[part])
        for key, changed in changes.get(part, {}).items():
            after[part][key] = None if changed is None else {**after[part].get(key, {}), **changed}
        after[part] = {key: line for key, line in after[part].items() if line is not None}
    return after


class Stretch:
    """Some minutes of frames, packed as they come. Times are in seconds since the epoch."""

    def __init__(self, began_at: float) -> None:
        self.began_at = self.ended_at = began_at
        self.frames = 0
        self._state = EMPTY
        self._packer = zlib.compressobj()
        self._packed = bytearray()

    def add(self, at: float, state: State) -> None:
        """Add the state at a time; one that is as before costs nothing."""
        self.ended_at = at
        self.began_at = self.began_at if self.frames else at
        if changes := difference(self._state, state):
            self._state, self.frames = state, self.frames + 1
            line = json.dumps([at, changes], ensure_ascii=False, separators=(",", ":")) + "\n"
            self._packed += self._packer.compress(line.encode(errors="replace"))

    def packed(self) -> bytes:
        """All frames so far."""
        self._packed += self._packer.flush(zlib.Z_SYNC_FLUSH)
        return bytes(self._packed)


def text(packed: bytes) -> bytes:
    """The lines of a packed stretch."""
    return zlib.decompressobj().decompress(packed)


def states(packed: bytes) -> Iterator[tuple[float, State]]:
    """Each state of a stretch with the time from which it holds."""
    state = EMPTY
    for line in text(packed).splitlines():
        at, changes = json.loads(line)
        state = applied(state, changes)
        yield at, state


def without(packed: bytes, traces: Traces) -> bytes | None:
    """The stretch without a student's tasks and with the words that name one replaced; None if none do."""
    named = traces.in_text()
    if not names(packed, named, FREE):
        return None
    kept: Stretch | None = None
    for at, state in states(packed):
        kept = kept or Stretch(at)
        tasks = {id_: line for id_, line in state["tasks"].items() if line["student"] != traces.student}
        lines = {key: line for key, line in state["attention"].items() if line["who"] != traces.student}
        others = {
            "status": _unnamed(named, state["status"]),
            "tasks": _unnamed(named, tasks),
            "attention": _unnamed(named, lines),
            "queue": [id_ for id_ in state["queue"] if str(id_) in tasks or str(id_) not in state["tasks"]],
            "wanting": [key for key in state["wanting"] if key in lines],
        }
        kept.add(at, others)
    return kept.packed() if kept else b""


def names(packed: bytes, named: Finder, fields: Collection[str]) -> bool:
    """Whether one of these fields of a stretch names the student whom `named` finds."""
    lines = text(packed)
    if not named.found(lines):
        return False
    every = (changes for _, changes in map(json.loads, lines.splitlines()))
    return any(_unnamed(named, changes, fields) != changes for changes in every)


def _unnamed(named: Finder, value: Any, fields: Collection[str] = FREE, field: str = "") -> Any:
    """JSON in which each text of these fields that names the student is replaced."""
    if isinstance(value, str):
        found = field in fields and named.found(value.encode(errors="replace"))
        return _FORGOTTEN if found else value
    if isinstance(value, dict):
        return {key: _unnamed(named, inner, fields, key) for key, inner in value.items()}
    return [_unnamed(named, inner, fields, field) for inner in value] if isinstance(value, list) else value


def _changed(before: State, after: State) -> dict[str, Any]:
    return {} if after is before else {k: v for k, v in after.items() if k not in before or before[k] != v}
