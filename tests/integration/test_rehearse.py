"""`introeval rehearse` beside the real daemon: when it refuses, and what it leaves."""

import fcntl
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from daemon.cli.common import Chosen
from daemon.config.load import Config, load
from daemon.core.errors import UsageError
from daemon.rehearsal.lab import Lab
from daemon.store import classes, open_store
from tests.integration.stores import NOW, birth, born
from tests.support.commands import invoke
from tests.support.process_lab import ProcessLab
from tests.support.waiting import wait_until

SLOW = "settle_s = 600\n"  # nothing is claimed, so no engine starts
LAB_SETTINGS = """
[alerts]
webhook = "http://127.0.0.1:9/alarm"
[hooks]
command = ["/bin/false"]
[rate]
temperature = 0.3
[batch]
size = 7
"""


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ProcessLab:
    made = ProcessLab(tmp_path)
    (tmp_path / "introeval.toml").write_text(f"[intake]\n{SLOW}{LAB_SETTINGS}")
    monkeypatch.setattr(Chosen, "file", tmp_path / "introeval.toml")
    return made


def left(lab: ProcessLab) -> set[str]:
    """What is in the state folder, and what of it is of rehearsals."""
    return {entry.name for entry in (lab.folder / "var").iterdir()}


def test_it_refuses_while_a_daemon_runs(lab: ProcessLab) -> None:
    with (lab.folder / "var" / "daemon.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("4711 a daemon")
        lock.flush()
        ended = invoke("rehearse", "5")
    assert ended.exit_code == 5
    assert "4711" in ended.output
    assert "run: introeval stop" in ended.output
    assert left(lab) == {"models", "daemon.lock"}


def test_it_refuses_while_a_task_is_open(lab: ProcessLab) -> None:
    with open_store(lab.database) as db:
        born(db, birth("one"))
    ended = invoke("rehearse", "5")
    assert ended.exit_code == 30
    assert "1 tasks are open" in ended.output
    assert "rehearsals" not in left(lab)


def test_it_refuses_while_a_class_is_open(lab: ProcessLab) -> None:
    with open_store(lab.database) as db:
        classes.open_class(
            db, "Monday", entries=None, deadline=None, rubric=None, archive_days=None, now=NOW, actor="anna"
        )
    ended = invoke("rehearse", "5")
    assert ended.exit_code == 30
    assert "the class Monday is open" in ended.output
    assert "run: introeval class close" in ended.output


def test_a_recorded_day_is_no_way_to_hand_in(lab: ProcessLab) -> None:
    assert isinstance(invoke("rehearse", "5", "--arrivals", "recorded:2026-11-24").exception, UsageError)
    assert isinstance(invoke("rehearse", "5", "--arrivals", "soon").exception, UsageError)


def test_its_daemon_has_the_labs_engines_and_neither_its_folders_nor_its_hooks(lab: ProcessLab) -> None:
    real = load(lab.folder / "introeval.toml")
    rehearsed = Lab(real)
    assert load(None, rehearsed.environment()) == rehearsed.config
    engines = {"runtime", "batch", "stt", "gpu", "extract", "embedded", "prompts", "retry"}
    for section in engines:
        assert getattr(rehearsed.config, section) == getattr(real, section)
    assert rehearsed.config.rate.temperature == 0.3
    for section in Config.model_fields.keys() - engines - {"paths", "intake", "rate", "docker", "cluster"}:
        assert getattr(rehearsed.config, section) == getattr(Config(), section)
    assert rehearsed.config.cluster.address == ""
    below = lab.folder / "var" / "rehearsals"
    paths = dict(rehearsed.config.paths)
    assert paths.pop("socket") == lab.folder / "var" / "rehearsal.sock"
    assert all(path.is_relative_to(below) for path in paths.values())


@pytest.fixture
def rehearsing(lab: ProcessLab) -> Iterator[psutil.Process]:
    """A rehearsal whose class is handed in and waits to be claimed."""
    process = lab.start("rehearse", "2")
    inbox = lab.folder / "var" / "rehearsals" / "now" / "inbox"
    wait_until(lambda: len(list(inbox.glob("*.mp4"))) == 2, "the class")
    yield psutil.Process(process.pid)
    process.kill()
    process.communicate()


def its_daemon(rehearsing: psutil.Process) -> psutil.Process:
    return next(child for child in rehearsing.children() if "run" in child.cmdline())


def test_no_daemon_starts_beside_it_and_ctrl_c_leaves_nothing(
    lab: ProcessLab, rehearsing: psutil.Process
) -> None:
    second = lab.run("run", "--once")
    assert second.returncode == 5
    assert second.stderr.startswith(f"introeval: a rehearsal (process {rehearsing.pid})")
    assert "wait until it has ended" in second.stderr
    os.kill(rehearsing.pid, signal.SIGINT)
    assert rehearsing.wait(60) == 130
    assert left(lab) == {"models", "daemon.lock", "rehearsals"}
    assert list((lab.folder / "var" / "rehearsals").iterdir()) == []


def test_a_killed_daemon_is_told_in_one_line_and_leaves_nothing(
    lab: ProcessLab, rehearsing: psutil.Process
) -> None:
    its_daemon(rehearsing).kill()
    assert rehearsing.wait(60) == 20
    assert list((lab.folder / "var" / "rehearsals").iterdir()) == []


def test_what_a_killed_rehearsal_left_goes_with_its_daemon_and_with_the_next_rehearsal(
    lab: ProcessLab, rehearsing: psutil.Process
) -> None:
    child = its_daemon(rehearsing)
    rehearsing.kill()
    wait_until(lambda: not child.is_running(), "the end of its daemon")
    now = lab.folder / "var" / "rehearsals" / "now"
    (now / "outbox" / "left").touch()
    following = lab.start("rehearse", "1")
    try:
        wait_until(lambda: len(list((now / "inbox").glob("*.mp4"))) == 1, "the next class")
        assert not (now / "outbox" / "left").exists()
    finally:
        following.send_signal(signal.SIGTERM)
        following.communicate(timeout=60)
    assert following.returncode == 130
    assert not now.exists()
