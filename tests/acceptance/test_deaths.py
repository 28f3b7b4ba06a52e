"""A video at which the daemon itself dies, each time: at the eighth death in a row it is given up."""

import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

from tests.support.checkout import REPOSITORY
from tests.support.folders import results_by_student

DEATHS = 8


def start(folder: Path, poison: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.scripted_daemon", str(folder), "0", str(poison)],
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_a_task_in_hand_at_eight_deaths_of_the_daemon_is_failed_and_the_class_goes_on(tmp_path: Path) -> None:
    (tmp_path / "introeval.toml").write_text("[intake]\nsettle_s = 0.05\n[stt]\nparallel = 1\n")
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "s001_me.mp4").write_bytes(b"ends the daemon")
    for _ in range(DEATHS):
        daemon = start(tmp_path, poison=1)
        assert daemon.wait(timeout=60) == -signal.SIGKILL
    assert results_by_student(tmp_path / "outbox") == {}
    (tmp_path / "inbox" / "s002_me.mp4").write_bytes(b"a good one")
    daemon = start(tmp_path, poison=1)
    try:
        while len(results_by_student(tmp_path / "outbox")) < 2:
            try:
                ended = daemon.wait(timeout=0.05)
            except subprocess.TimeoutExpired:
                continue
            raise AssertionError(f"the daemon ended with {ended}")
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(timeout=30) == 0
    finally:
        daemon.kill()
    error = results_by_student(tmp_path / "outbox")["s001"]["error"]
    assert isinstance(error, dict)
    assert error["code"] == "daemon_died"
    assert str(DEATHS) in error["message"]
    assert results_by_student(tmp_path / "outbox")["s002"]["outcome"] in ("evaluated", "needs_review")
    with sqlite3.connect(tmp_path / "var" / "introeval.db") as database:
        assert database.execute(
            "SELECT count(*) FROM processing_tasks WHERE status = 'failed'"
        ).fetchone() == (1,)
