"""Videos at which the real worker dies or hangs, each time: they fail alone, and the class goes on."""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from daemon.api import client
from daemon.core.errors import NotRunning
from tests.support.checkout import MEDIA
from tests.support.clips import film, spoken
from tests.support.process_lab import ProcessLab

SETTINGS = '[stt]\nmodel = "tiny.en"\nparallel = 2\nlimit_s = 3\nlimit_factor = 0.2\n'
PROBE = MEDIA / "probe.wav"
LOOK_S = 0.01


@dataclass
class Poison:
    """What becomes of the worker that has this video in hand, and of the video after three such tries."""

    worst: Callable[[int], None]
    code: str
    says: str
    struck: list[int] = field(default_factory=list)


def a_class(folder: Path, poisons: Mapping[str, Poison]) -> list[Path]:
    """A poison is long, so that the worker has it in hand for a while; no two of them meet there."""
    videos = [folder / f"s00{number}_me.mp4" for number in range(1, 5)]
    for number, video in enumerate(videos, 1):
        times = 4 if f"s00{number}" in poisons else 1
        film(video, np.tile(spoken(PROBE, number / 1000), times))
    return videos


class Sabotage:
    """Freezes the worker when it has a poison in hand, and then does its worst."""

    def __init__(
        self, lab: ProcessLab, daemon: "subprocess.Popen[str]", poisons: Mapping[str, Poison]
    ) -> None:
        self._lab = lab
        self._daemon = daemon
        self._poisons = poisons

    def watch(self) -> None:
        """Until the daemon ends."""
        while self._daemon.poll() is None:
            if (student := self._in_hand()) is not None and (pid := self._worker()) is not None:
                self._strike(student, pid)
            try:
                self._daemon.wait(timeout=LOOK_S)
            except subprocess.TimeoutExpired:
                continue

    def _strike(self, student: str, pid: int) -> None:
        if any(pid in poison.struck for poison in self._poisons.values()):
            return
        os.kill(pid, signal.SIGSTOP)
        if self._in_hand() == student:  # still: it cannot have answered in between
            self._poisons[student].struck.append(pid)
            self._poisons[student].worst(pid)
        else:
            os.kill(pid, signal.SIGCONT)

    def _in_hand(self) -> str | None:
        """The poison that is transcribed now; two at a time would not tell whose death a death is."""
        try:
            page = client.get(self._lab.folder / "var" / "introeval.sock", "/tasks")
        except NotRunning:
            return None
        tasks: list[dict[str, Any]] = page["tasks"]
        found = [task["student"] for task in tasks if task["status"] == "stt_processing"]
        poisons = [student for student in found if student in self._poisons]
        assert len(poisons) <= 1
        return poisons[0] if poisons else None

    def _worker(self) -> int | None:
        lock = self._lab.folder / "var" / "engines" / "stt.lock"
        return int(lock.read_text() or 0) or None if lock.exists() else None


@pytest.mark.timeout(600)
def test_a_video_that_ends_its_worker_fails_alone(tmp_path: Path) -> None:
    poisons = {
        "s001": Poison(lambda pid: os.kill(pid, signal.SIGKILL), "worker_died", "SIGKILL"),
        "s004": Poison(lambda pid: None, "worker_hung", "gave no sign within"),
    }
    lab = ProcessLab(tmp_path, SETTINGS)
    (tmp_path / "class").mkdir()
    lab.hand_in(*a_class(tmp_path / "class", poisons))
    daemon = lab.start("run", "--once", "--json")
    try:
        Sabotage(lab, daemon, poisons).watch()
        out, err = daemon.communicate()
    finally:
        daemon.kill()
    assert daemon.returncode == 3, err
    results = lab.results()
    for student, poison in poisons.items():
        error = results[student]["error"]
        assert (results[student]["outcome"], error["code"], error["stage"]) == ("failed", poison.code, "stt")
        assert poison.says in error["message"]
        # Once in its turn, and twice alone on a fresh worker; once more where one ended before it was begun.
        assert error["attempts"] in (3, 4)
        assert 3 <= len(set(poison.struck)) <= error["attempts"]
    rest = {student: result["outcome"] for student, result in results.items() if student not in poisons}
    assert rest.keys() == {"s002", "s003"}
    assert set(rest.values()) <= {"evaluated", "needs_review"}
    report = json.loads(out)
    assert (report["finished"], report["alarms"]) == (True, [])
