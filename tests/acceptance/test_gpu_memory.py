"""A GPU that somebody else uses: the daemon waits, names him, and goes on by itself. The driver is a stub."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from daemon.api import client
from daemon.core.errors import NotRunning
from tests.nvml import StubCard, stub_card
from tests.support.checkout import REPOSITORY

LIMIT_LOOKS = 600
SETTINGS = """
runtime = "docker"
[intake]
settle_s = 0.05
[stt]
parallel = 1
[gpu]
free_timeout_s = 0.2
"""


@contextmanager
def daemon(folder: Path, card: StubCard) -> Iterator[Path]:
    """The real daemon on scripted engines, with that card in its machine. Gives its socket."""
    (folder / "introeval.toml").write_text(SETTINGS)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.scripted_daemon", str(folder), "0"],
        cwd=REPOSITORY,
        env=dict(card.environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield folder / "var" / "introeval.sock"
        process.terminate()
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
        process.wait()


def status_when(socket: Path, condition: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """The first status for which the condition holds."""
    last: dict[str, Any] = {}
    for _ in range(LIMIT_LOOKS):
        try:
            last = client.get(socket, "/status")
        except NotRunning:
            last = {}
        if last and condition(last):
            return last
        pause()
    raise AssertionError(f"it never came true; the last status is {last}")


def pause() -> None:
    try:
        subprocess.run(["sleep", "0.05"], check=True, timeout=5)
    except subprocess.TimeoutExpired:
        return


def hand_in(folder: Path) -> None:
    (folder / "inbox").mkdir(exist_ok=True)
    (folder / "inbox" / "s001_me.mp4").write_bytes(b"a video")


def memory_alarms(status: dict[str, Any]) -> list[str]:
    return [alarm["message"] for alarm in status["alarms"] if alarm["code"] == "gpu_memory"]


def test_memory_that_a_stranger_holds_stops_the_switch_and_the_work_goes_on_once_it_is_free(
    tmp_path: Path,
) -> None:
    card = stub_card(tmp_path)
    stranger = os.getpid()
    card.show(8192, 7800, compute={stranger: 7800})
    with daemon(tmp_path, card) as socket:
        hand_in(tmp_path)
        blocked = status_when(socket, memory_alarms)
        assert f"process {stranger}" in memory_alarms(blocked)[0]
        assert "7800 MB" in memory_alarms(blocked)[0]
        assert blocked["switching"]["to"] == ["stt"]
        assert list(tmp_path.glob("outbox/*/*.result.json")) == []
        card.show(8192, 100)
        done = status_when(socket, lambda status: status["counts"]["completed"] == 1)
        assert memory_alarms(done) == []
        phases = client.get(socket, "/gpu")["phases"]
        assert {tuple(span["group"]) for span in phases} == {("stt",), ("extract",), ("rate",)}
        assert all(span["needed_mb"] > 1000 and span["margin_mb"] >= 0 for span in phases)


def test_what_the_card_holds_decides_what_is_loaded_together(tmp_path: Path) -> None:
    groups: dict[int, set[tuple[str, ...]]] = {}
    for total_mb in (8192, 24576, 81920):
        lab = tmp_path / str(total_mb)
        lab.mkdir()
        card = stub_card(lab)
        card.show(total_mb, 100)
        with daemon(lab, card) as socket:
            hand_in(lab)
            status_when(socket, lambda status: status["counts"]["completed"] == 1)
            phases = client.get(socket, "/gpu")["phases"]
        groups[total_mb] = {tuple(sorted(span["group"])) for span in phases}
    assert groups == {
        8192: {("stt",), ("extract",), ("rate",)},
        24576: {("stt",), ("extract", "rate")},
        81920: {("extract", "rate", "stt")},
    }
