"""The real daemon on a real mount: its outbox is a share that is not mounted when the daemon starts."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from daemon.api import client
from daemon.contracts.wire.status import DaemonStatus
from daemon.core.errors import NotRunning
from tests.support.checkout import REPOSITORY
from tests.support.places import mark_of, mount_at


@contextmanager
def daemon(folder: Path) -> Iterator[None]:
    """The daemon as a process, ended by SIGTERM."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.scripted_daemon", str(folder), "0"],
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
        process.wait()


def until(folder: Path, condition: Callable[[DaemonStatus], bool]) -> DaemonStatus:
    """Ask for the status until a condition holds."""
    deadline = time.monotonic() + 60
    last: DaemonStatus | None = None
    while time.monotonic() < deadline:
        try:
            last = DaemonStatus.model_validate(client.get(folder / "var" / "introeval.sock", "/status"))
        except NotRunning:
            last = None
        if last is not None and condition(last):
            return last
        time.sleep(0.05)
    raise AssertionError(f"it did not come true in time: {last}")


def hand_in(folder: Path, student: str) -> None:
    part = folder / "inbox" / f"{student}_me.mp4.part"
    part.write_bytes(student.encode())
    part.rename(folder / "inbox" / f"{student}_me.mp4")


def students(outbox: Path) -> list[str]:
    return sorted(json.loads(path.read_bytes())["student_id"] for path in outbox.glob("*/*.result.json"))


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "daemon", "--config", str(folder / "introeval.toml"), *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def delivered(status: DaemonStatus) -> bool:
    return status.counts.get("completed", 0) > 0 and not status.undelivered


def test_results_wait_in_the_database_for_a_share_until_it_is_mounted(
    tmp_path: Path,
) -> None:
    (tmp_path / "introeval.toml").write_text("[intake]\nsettle_s = 0.05\n[stt]\nparallel = 1\n")
    (tmp_path / "inbox").mkdir()
    outbox = tmp_path / "outbox"
    with mount_at(outbox) as share:
        hand_in(tmp_path, "s001")
        with daemon(tmp_path):
            until(tmp_path, delivered)
        share.take_away()
        hand_in(tmp_path, "s002")
        with daemon(tmp_path):
            away = until(tmp_path, lambda status: status.undelivered == 2 and not status.left)
            assert {place.name: place.state for place in away.places}["outbox"] == "unknown"
            assert [alarm.code for alarm in away.alarms] == ["outbox"]
            assert list(outbox.iterdir()) == []
            share.show()
            back = until(tmp_path, delivered)
            assert back.alarms == []
        assert students(outbox) == ["s001", "s002"]
        share.take_away()
        hand_in(tmp_path, "s003")
        with daemon(tmp_path):
            until(tmp_path, lambda status: bool(status.alarms))
            found = json.loads(command(tmp_path, "doctor", "--json").stdout)["findings"]
            assert any(each["check"] == "place outbox" and each["level"] == "fail" for each in found)
            done = command(tmp_path, "accept", "outbox", "--json")
            assert done.returncode == 0, done.stderr
            until(tmp_path, lambda status: delivered(status) and not status.alarms)
        assert students(outbox) == ["s003"]
        assert mark_of(outbox).is_file()
        wrong = command(tmp_path, "accept", "outbox")
        assert (wrong.returncode, wrong.stderr.count("\n")) == (6, 1)
