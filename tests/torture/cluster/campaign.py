"""Draws faults for machines in mid-class, and counts what they cost."""

import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from daemon.cluster import start
from tests.support.checkout import REPOSITORY
from tests.support.inprocess import Lab
from tests.support.waiting import wait_until
from tests.torture.cluster.faults import (
    DAEMON_KILLED,
    FAULTS,
    GIVES_UP,
    RAYS_HEAD_KILLED,
    draw,
    kill_all,
)
from tests.torture.cluster.head import lab_of
from tests.torture.cluster.network import NETWORK, NetLab, available, network
from tests.torture.table import Report

_NODES = 2
_PORT = 12_000  # apart from those of the other tests
_ALL, _SHORT = 200, 2
_OPEN = 20  # tasks that always wait, so that each fault meets a class at work
_UP_S, _END_S = 180.0, 600.0
_SEEN_S = 10.0
_MOST_BETWEEN_S = 2.0
_IN_HAND = 2  # attempts at most on a machine: one at each stage of a group

Tell = Callable[[str], None]


def run_cluster(short: bool, seed: int, tell: Tell) -> Report:
    """So many faults, one after the other, at moments of the dice."""
    began = time.monotonic()
    if not (start.installed() and available()):
        return Report("cluster", "skipped: needs Ray, and root for network namespaces")
    with tempfile.TemporaryDirectory() as name, network(_NODES):
        campaign = Campaign(NetLab(Path(name), _PORT, NETWORK), Random(seed))
        try:
            campaign.run(_SHORT if short else _ALL, tell)
        finally:
            campaign.close()
    report = campaign.report()
    report.seconds = time.monotonic() - began
    return report


@dataclass
class Campaign:
    """A class without an end on a head and its machines."""

    ray: NetLab
    random: Random
    handed_in: int = 0
    done: Counter[str] = field(default_factory=Counter)
    seen: list[float] = field(default_factory=list)
    back: list[float] = field(default_factory=list)
    broken: Counter[str] = field(default_factory=Counter)
    why: list[str] = field(default_factory=list)
    lost_attempts: int = 0
    elsewhere: int = 0

    def __post_init__(self) -> None:
        self.lab: Lab = lab_of(self.ray.folder)
        self.lab.inbox.mkdir(parents=True)
        self._daemon: subprocess.Popen[bytes] | None = None

    def run(self, faults: int, tell: Tell) -> None:
        """Let the faults come, and wait for the end of the class."""
        self.ray.pace(dict.fromkeys(self.lab.seconds, 0.4))
        self.ray.begin_head()
        for at in range(1, _NODES + 1):
            self.ray.begin_node(at)
        self._begin_daemon()
        with self.ray.kept():
            for number in range(1, faults + 1):
                self._fill()
                wait_until(self._all_work, "all machines at work", _UP_S)
                time.sleep(self.random.uniform(0, _MOST_BETWEEN_S))
                fault, at = draw(self.random), self.random.randint(1, _NODES)
                tell(f"{number} of {faults}: {fault}, machine {at}")
                self._meet(fault, at)
            wait_until(lambda: not self._open(), "the end of the class", _END_S)
        self._check()

    def close(self) -> None:
        """End all processes."""
        self._end_daemon()
        for name in list(self.ray.running):
            self.ray.end(name)
        for at in range(_NODES + 1):
            start.remove_folder(self.ray.settings(at))

    def report(self) -> Report:
        """What was done, and what broke."""
        kinds = ", ".join(f"{count} x {fault}" for fault, count in sorted(self.done.items()))
        done = f"{self.done.total()} faults ({kinds}), {self.handed_in} videos, {self.elsewhere} attempts on "
        done += f"other machines, {self.lost_attempts} attempts lost"
        for what, times in (("given up", self.seen), ("all back", self.back)):
            if times:
                done += f"; {what} after {statistics.median(times):.1f} s, at most {max(times):.1f}"
        return Report("cluster", done, self.broken, self.why)

    def _meet(self, fault: str, at: int) -> None:
        began, wall = time.monotonic(), time.time()
        self.done[fault] += 1
        if fault == DAEMON_KILLED:
            self._end_daemon()
            self._begin_daemon()
        else:
            FAULTS[fault](self.ray, at)
        if fault in GIVES_UP:
            wait_until(lambda: self._left(at, wall), "the machine's being given up", _UP_S)
            self.seen.append(min(self._left(at, wall)) - wall)
            if self.seen[-1] > _SEEN_S:
                self._broke("other", f"{fault}: machine {at} was given up after {self.seen[-1]:.1f} s")
        self._fill()
        wait_until(self._all_work, "all machines at work again", _UP_S)
        self.back.append(time.monotonic() - began)

    def _end_daemon(self) -> None:
        if self._daemon is not None:
            kill_all(self._daemon)

    def _begin_daemon(self) -> None:
        with (self.ray.folder / "head.daemon.log").open("ab") as log:
            self._daemon = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "tests.torture.cluster.head",
                    self.ray.folder,
                    str(self.ray.first_port),
                ],
                stdout=log,
                stderr=log,
                cwd=REPOSITORY,
                env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            )
        self._tell_machines("began", "daemon")

    def _tell_machines(self, what: str, name: str) -> None:
        with (self.ray.folder / "machines").open("a") as file:
            file.write(f"{time.time()} {what} {name}\n")

    def _machines(self) -> list[tuple[float, str, str]]:
        lines = (self.ray.folder / "machines").read_text().splitlines()
        return [(float(at), what, name) for at, what, name in map(str.split, lines)]

    def _left(self, at: int, since: float) -> list[float]:
        return [
            when
            for when, what, name in self._machines()
            if what == "left" and name == f"node{at}" and when >= since
        ]

    def _all_work(self) -> bool:
        working: set[str] = set()
        for _, what, name in self._machines():
            if what == "began":
                working.clear()
            (working.add if what == "joined" else working.discard)(name)
        return len(working) == _NODES

    def _rows(self, query: str) -> list[tuple[object, ...]]:
        file = self.lab.folder / "var" / "introeval.db"
        if not file.exists():
            return []
        database = sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=30)
        try:
            return database.execute(query).fetchall()
        except sqlite3.OperationalError:  # the first daemon has not made its tables yet
            return []
        finally:
            database.close()

    def _open(self) -> int:
        ended = self._rows(
            "SELECT count(*) FROM processing_tasks WHERE status IN ('completed', 'failed', 'cancelled')"
        )
        return self.handed_in - (int(str(ended[0][0])) if ended else 0)

    def _fill(self) -> None:
        while self._open() < _OPEN:
            self.lab.hand_in(f"s{self.handed_in:05d}_me.mp4")
            self.handed_in += 1

    def _broke(self, kind: str, why: str) -> None:
        self.broken[kind] += 1
        self.why.append(why)

    def _lost_attempts(self) -> int:
        ((begun, ended),) = self._rows(
            "SELECT sum(event = 'started'), sum(event IN ('transcribed', 'extracted', 'rated')) "
            "FROM task_events"
        )
        return int(str(begun)) - int(str(ended))

    def _check(self) -> None:
        """Each video has its one result, each stage one success, and nobody was charged."""
        self.elsewhere = sum(len(f.read_text().split()) for f in self.ray.folder.glob("begun-node*"))
        wait_until(lambda: len(self.lab.results()) >= self.handed_in, "the delivery", _UP_S)
        results = Counter(str(result["student_id"]) for result in self.lab.results().values())
        for number in range(self.handed_in):
            if (count := results[f"s{number:05d}"]) != 1:
                self._broke("doubled" if count else "lost", f"s{number:05d} has {count} results")
        for task, event, times in self._rows(
            "SELECT task_id, event, count(*) FROM task_events "
            "WHERE event IN ('transcribed', 'extracted', 'rated') GROUP BY 1, 2 HAVING count(*) > 1"
        ):
            self._broke("repeated", f"task {task} was {event} {times} times")
        everywhere = self.done[DAEMON_KILLED] + self.done[RAYS_HEAD_KILLED]
        most = _IN_HAND * (self.done.total() + _NODES * everywhere)
        self.lost_attempts = self._lost_attempts()
        if self.lost_attempts > most:
            self._broke("repeated", f"{self.lost_attempts} attempts were lost, of at most {most} in hand")
        for task, retries, alone in self._rows(
            "SELECT id, retry_count, deaths_alone FROM processing_tasks "
            "WHERE retry_count + deaths_alone > 0 OR status != 'completed'"
        ):
            self._broke("other", f"task {task} was charged: {retries} retries, {alone} deaths")
