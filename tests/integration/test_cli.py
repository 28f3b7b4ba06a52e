"""The command line as a user meets it: one line for each error, with its own exit code."""

import fcntl
import json
from pathlib import Path

import pytest

from daemon import __version__
from tests.support.process_lab import ProcessLab


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
