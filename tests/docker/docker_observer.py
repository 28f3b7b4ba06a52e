"""Watches from outside the daemon who is alive: the engine's events, and the process table.

A group's engines are told by their command lines: the containers' servers by the `--version` that names the
container, Whisper's child (or the one in its place) by its lock file.
"""

import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.docker.engine import Engine

Group = frozenset[str]
Span = tuple[float, float, str]

_YOUNG_S = 2.0  # a process that was only just forked shows its parent's command line


@dataclass
class Observer:
    """`marks` maps what stands in an engine's command line, and nowhere else, to the engine's stage."""

    marks: Mapping[bytes, str]
    names: Mapping[str, str]  # of the containers, to their stages
    seen: set[Group] = field(default_factory=set)
    looks: int = 0
    spans: list[Span] = field(default_factory=list)  # of the containers, by the engine's events
    running: dict[str, float] = field(default_factory=dict)
    alive: Group = frozenset()
    events: list[tuple[float, str, str]] = field(default_factory=list)
    _known: dict[int, tuple[float, str | None]] = field(default_factory=dict)
    _stt: dict[int, tuple[float, float]] = field(default_factory=dict)  # the first and last look at each

    def look(self) -> None:
        """Look at the process table once."""
        now = time.time()
        alive = set()
        pids = {int(name) for name in os.listdir("/proc") if name.isdecimal()}
        for pid in self._known.keys() - pids:
            del self._known[pid]
        for pid in pids:
            since, stage = self._known.get(pid, (now, None))
            if stage is None and now - since <= _YOUNG_S:
                stage = self._stage(pid)
                self._known[pid] = (since, stage)
            if stage is not None:
                alive.add(stage)
                if stage == "stt":
                    self._stt[pid] = (self._stt.get(pid, (now, now))[0], now)
        self.alive = frozenset(alive)
        self.seen.add(self.alive)
        self.looks += 1

    def _stage(self, pid: int) -> str | None:
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            return None
        return next((stage for mark, stage in self.marks.items() if mark in command), None)

    def hear(self, event: Mapping[str, Any]) -> None:
        """One of the engine's events."""
        stage = self.names.get(event.get("Actor", {}).get("Attributes", {}).get("name", ""))
        if stage is None or event.get("Action") not in ("start", "die"):
            return
        at = event["timeNano"] / 1e9
        self.events.append((at, event["Action"], stage))
        if event["Action"] == "start":
            self.running[stage] = at
        elif stage in self.running:
            self.spans.append((self.running.pop(stage), at, stage))

    def overlaps(self, groups: list[list[str]]) -> list[tuple[Span, Span]]:
        """The times at which engines of two groups lived, by the engine's events and the looks at Whisper."""
        group_of = {stage: index for index, group in enumerate(groups) for stage in group}
        spans = [*self.spans, *((first, last, "stt") for first, last in self._stt.values())]
        spans += [(since, time.time(), stage) for stage, since in self.running.items()]
        spans.sort()
        return [
            (one, other)
            for place, one in enumerate(spans)
            for other in spans[place + 1 :]
            if other[0] < one[1] and group_of[one[2]] != group_of[other[2]]
        ]

    def mixed(self, groups: list[list[str]]) -> set[Group]:
        """The sets of engines of two groups that one look found alive together."""
        return {seen for seen in self.seen if sum(bool(seen & set(group)) for group in groups) > 1}


@contextmanager
def observed(engine: Engine, names: Mapping[str, str], lock: Path) -> Iterator[Observer]:
    """Watch containers, by name and stage, and the child with this lock, for as long as the context lasts."""
    marks = {f"--version={name}".encode(): stage for name, stage in names.items()}
    observer = Observer({**marks, str(lock).encode(): "stt"}, names)
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.01):
            observer.look()

    def listen() -> None:
        for event in events:
            observer.hear(event)

    events = engine.client.events(decode=True, filters={"type": "container"})
    threads = [threading.Thread(target=watch), threading.Thread(target=listen, daemon=True)]
    for thread in threads:
        thread.start()
    try:
        yield observer
    finally:
        time.sleep(0.2)  # the last events are on their way
        done.set()
        events.close()
        threads[0].join()
