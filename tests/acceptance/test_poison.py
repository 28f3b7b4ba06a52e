"""A video at which the real worker dies or hangs, each time: it fails alone, and the class goes on."""

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from daemon import client
from daemon.core.errors import NotRunning
from tests.acceptance.lab import MEDIA, Lab
from tests.clips import film, spoken

SETTINGS = '[stt]\nmodel = "tiny.en"\nlimit_s = 3\nlimit_factor = 0.2\n'
PROBE = MEDIA / "probe.wav"
POISON = "s002"
LOOK_S = 0.01


def class_of_three(folder: Path) -> list[Path]:
    """The middle one is the poison, and long, so that the worker has it in hand for a while."""
    videos = [folder / f"s00{number}_me.mp4" for number in (1, 2, 3)]
    for number, video in enumerate(videos):
        times = 4 if POISON in video.name else 1
        film(video, np.tile(spoken(PROBE, number / 1000), times))
    return videos


class Sabotage:
    """Freezes the worker when it has the poison in hand, and then does its worst."""

    def __init__(self, lab: Lab, daemon: "subprocess.Popen[str]", worst: Callable[[int], None]) -> None:
        self._lab = lab
        self._daemon = daemon
        self._worst = worst
        self.struck: list[int] = []

    def watch(self) -> None:
        """Until the daemon ends."""
        while self._daemon.poll() is None:
            if self._in_hand() and (pid := self._worker()) not in (*self.struck, None):
                assert pid is not None
                os.kill(pid, signal.SIGSTOP)
                if self._in_hand():  # still: it cannot have answered in between
                    self.struck.append(pid)
                    self._worst(pid)
                else:
                    os.kill(pid, signal.SIGCONT)
            try:
                self._daemon.wait(timeout=LOOK_S)
            except subprocess.TimeoutExpired:
                continue

    def _in_hand(self) -> bool:
        try:
            page = client.get(self._lab.folder / "var" / "introeval.sock", "/tasks")
        except NotRunning:
            return False
        tasks: list[dict[str, Any]] = page["tasks"]
        return any(task["student"] == POISON and task["status"] == "stt_processing" for task in tasks)

    def _worker(self) -> int | None:
        lock = self._lab.folder / "var" / "engines" / "stt.lock"
        return int(lock.read_text() or 0) or None if lock.exists() else None


@pytest.mark.parametrize(
    ("worst", "code", "says"),
    [
        (lambda pid: os.kill(pid, signal.SIGKILL), "worker_died", "SIGKILL"),
        (lambda pid: None, "worker_hung", "said nothing within"),
    ],
    ids=["killed", "frozen"],
)
def test_a_video_that_ends_its_worker_fails_alone(
    tmp_path: Path, worst: Callable[[int], None], code: str, says: str
) -> None:
    lab = Lab(tmp_path, SETTINGS)
    (tmp_path / "class").mkdir()
    lab.hand_in(*class_of_three(tmp_path / "class"))
    daemon = lab.start("run", "--once", "--json")
    sabotage = Sabotage(lab, daemon, worst)
    try:
        sabotage.watch()
        out, err = daemon.communicate()
    finally:
        daemon.kill()
    assert daemon.returncode == 3, err
    results = lab.results()
    error = results[POISON]["error"]
    assert (results[POISON]["outcome"], error["code"], error["stage"]) == ("failed", code, "stt")
    assert says in error["message"]
    assert error["attempts"] == 3  # once in its turn, and twice alone on a fresh worker
    assert len(set(sabotage.struck)) == 3
    rest = {student: result["outcome"] for student, result in results.items() if student != POISON}
    assert rest.keys() == {"s001", "s003"}
    assert set(rest.values()) <= {"evaluated", "needs_review"}
    report = json.loads(out)
    assert (report["finished"], report["alarms"]) == (True, [])
