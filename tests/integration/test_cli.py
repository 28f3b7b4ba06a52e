"""The command line as a user meets it: one line for each error, with its own exit code."""

import fcntl
import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from daemon import __version__
from daemon.cli.exit_codes import ExitCode
from daemon.core.errors import NotRunning
from tests.support.process_lab import ProcessLab
from tests.tui.fake_daemon import FakeDaemon, in_thread


def until_true(condition: Callable[[], bool], limit_s: float = 60.0) -> None:
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end


@pytest.fixture
def lab(tmp_path: Path) -> ProcessLab:
    return ProcessLab(tmp_path)


def test_a_second_daemon_on_the_same_state_says_so_and_ends(lab: ProcessLab) -> None:
    with (lab.folder / "var" / "daemon.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("4711")
        lock.flush()
        done = lab.run("run", "--once", timeout=30)
    assert done.returncode == 5
    assert "4711" in done.stderr
    assert done.stderr.count("\n") == 1


def test_without_daemon_or_database_status_says_how_to_start_one(lab: ProcessLab) -> None:
    done = lab.run("status", timeout=30)
    assert (done.returncode, done.stderr.count("\n")) == (6, 1)
    assert "introeval run" in done.stderr


def test_an_unknown_key_of_the_configuration_is_one_line(lab: ProcessLab) -> None:
    (lab.folder / "introeval.toml").write_text("[batch]\nsiz = 3\n")
    done = lab.run("run", "--once", timeout=30)
    assert done.returncode == 4
    assert "did you mean batch.size?" in done.stderr


def test_a_model_that_is_not_here_names_the_command_that_brings_it(lab: ProcessLab) -> None:
    (lab.folder / "introeval.toml").write_text('[stt]\nmodel = "base"\n')
    (lab.folder / "var" / "models").unlink()
    done = lab.run("run", "--once", timeout=30)
    assert done.returncode == 8
    assert "introeval models pull whisper-base" in done.stderr


def test_the_samples_are_handed_in_once_and_only_into_an_empty_inbox(lab: ProcessLab) -> None:
    first = lab.run("samples", timeout=30)
    assert first.returncode == 0
    assert len(list((lab.folder / "inbox").glob("*.mp4"))) == 7
    again = lab.run("samples", timeout=30)
    assert "no samples copied" in again.stdout


def test_the_samples_are_handed_in_beside_a_database_of_an_older_program(lab: ProcessLab) -> None:
    assert lab.run("run", "--once", timeout=60).returncode == 0
    with closing(sqlite3.connect(lab.folder / "var" / "introeval.db")) as db, db:
        db.execute("DELETE FROM schema_migration WHERE id = (SELECT max(id) FROM schema_migration)")
    assert lab.run("samples", timeout=30).returncode == 0
    assert len(list((lab.folder / "inbox").glob("*.mp4"))) == 7


def test_a_run_over_an_empty_inbox_has_nothing_to_do(lab: ProcessLab) -> None:
    done = lab.run("run", "--once", timeout=60)
    assert (done.returncode, "nothing to do" in done.stdout) == (0, True)


def test_files_that_cannot_become_tasks_get_their_answer(lab: ProcessLab) -> None:
    """Refused: no student, no media. Failed at once: empty, no video, no sound, cut short."""
    from tests.support.checkout import MEDIA

    (lab.folder / "inbox" / "nobody.mp4").write_bytes(b"x")
    (lab.folder / "inbox" / "s001_notes.txt").write_text("x")
    (lab.folder / "inbox" / "s002_empty.mp4").write_bytes(b"")
    (lab.folder / "inbox" / "s003_text.mp4").write_text("this is no video")
    for student, clip in (("s004", "no_audio"), ("s005", "damaged"), ("s006", "cut_short")):
        (lab.folder / "inbox" / f"{student}_{clip}.mp4").write_bytes((MEDIA / f"{clip}.mp4").read_bytes())
    done = lab.run("run", "--once", "--json", timeout=60)
    assert done.returncode == 3, done.stderr
    report = json.loads(done.stdout)
    assert report["refused"] == 2
    errors = {student: result["error"]["code"] for student, result in lab.results().items()}
    assert errors == {
        "s002": "empty",
        "s003": "not_media",
        "s004": "no_audio",
        "s005": "damaged",
        "s006": "truncated",
    }
    reasons = [json.loads(p.read_text()) for p in lab.folder.glob("outbox/_rejected/*.reason.json")]
    assert sorted(r["filename"] for r in reasons) == ["nobody.mp4", "s001_notes.txt"]


def test_the_version_is_told_without_a_command(lab: ProcessLab) -> None:
    done = lab.run("--version", timeout=30)
    assert (done.returncode, done.stdout) == (0, f"introeval {__version__}\n")


def test_options_of_the_program_are_taken_after_the_command(lab: ProcessLab, tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text("[batch]\nsize = 3\n")
    for words in (
        ("--config", "other.toml", "config"),
        ("config", "--config", "other.toml"),
        ("config", "--config=other.toml"),
    ):
        done = lab.run(*words, "--json", timeout=30)
        assert json.loads(done.stdout)["batch"]["size"] == 3
    missing = lab.run("tui", "--once", "--config", "none.toml", timeout=30)
    assert (missing.returncode, missing.stderr.count("\n")) == (4, 1)


def test_who_stops_reading_gets_no_traceback(lab: ProcessLab) -> None:
    for words in ("schema", "--help", "simulate --json"):
        process = lab.start(*words.split())
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.wait(30) == ExitCode.UNREAD
        assert process.stderr.read() == ""
        process.stderr.close()


def test_stop_ends_the_daemon_and_waits_until_it_is_gone(lab: ProcessLab) -> None:
    daemon = lab.start("run", output=subprocess.DEVNULL)
    try:
        until_true(lambda: lab.run("status", timeout=30).returncode == 0)
        assert lab.run("tasks", timeout=30).stderr == ""
        done = lab.run("stop", "--json", timeout=60)
        assert (done.returncode, json.loads(done.stdout)["pid"]) == (0, daemon.pid)
        assert daemon.wait(5) == 0
    finally:
        daemon.kill()
        daemon.wait()
    again = lab.run("stop", timeout=30)
    assert (again.returncode, again.stderr.count("\n")) == (NotRunning.exit_code, 1)
    for words in ("tasks", "events", "tasks --refused", "events --day today", "logs"):
        stored = lab.run(*words.split(), timeout=30)
        assert (stored.returncode, stored.stderr.count("\n")) == (0, 1), stored.stderr
        assert stored.stderr.startswith("no daemon runs; ")


def test_what_only_asks_the_daemon_imports_neither_its_server_nor_its_store(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom daemon.cli.main import run\n"
        "for words in sys.argv[2:]: assert run(['--config', sys.argv[1], *words.split()]) == 0\n"
        "heavy = 'fastapi httpx peewee starlette structlog textual uvicorn rich.console rich.live'\n"
        "print([name for name in heavy.split() if name in sys.modules])"
    )
    (tmp_path / "introeval.toml").write_text("")
    (tmp_path / "var").mkdir()
    with in_thread(FakeDaemon(tmp_path / "var" / "introeval.sock")):
        line = [
            sys.executable,
            "-c",
            code,
            str(tmp_path / "introeval.toml"),
            "tasks",
            "status",
            "task 1",
            "events",
            "pause",
        ]
        done = subprocess.run(line, text=True, capture_output=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
