"""Completion: the candidates, what the scripts make of them, and the man page of the same descriptions."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.cli import completing, manpage
from daemon.cli.common import Chosen
from daemon.cli.completion import Shell, answer
from daemon.cli.main import run
from daemon.cli.table import ROWS
from daemon.cli.tree import made
from tests.tui.fake_daemon import FakeDaemon, in_thread, task


class Completer:
    """What typer tells bash."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, *words: str) -> list[str]:
        self._monkeypatch.setenv("COMP_WORDS", " ".join(["introeval", *words]))
        self._monkeypatch.setenv("COMP_CWORD", str(len(words)))
        assert answer("complete_bash") == 0
        return self._capsys.readouterr().out.split()


@pytest.fixture
def values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Completer:
    (tmp_path / "introeval.toml").write_text("")
    monkeypatch.setattr(Chosen, "file", tmp_path / "introeval.toml")
    return Completer(monkeypatch, capsys)


def test_commands_are_completed_by_their_first_and_second_word(values: Completer) -> None:
    assert set(values("")) == {name.split()[0] for name in ROWS}
    assert values("sta") == ["status", "stability"]
    assert values("models", "") == ["pull", "add", "list"]
    assert values("--config", "introeval.toml", "ev") == ["events"]


def test_options_are_completed_once_and_their_values_by_what_they_take(values: Completer) -> None:
    assert "--limit" in values("tasks", "--")
    assert "--limit" not in values("tasks", "--limit", "3", "--")
    assert "--status" in values("tasks", "--status", "failed", "--"), "it can be given again"
    assert values("tasks", "--order", "s") == ["student", "status"]
    assert values("accept", "") == ["inbox", "outbox"]
    assert values("accept", "inbox", "") == []
    assert "whisper-base" in values("models", "pull", "")
    assert values("--version", "statu") == ["status"], "nothing is carried out"


def test_a_daemon_that_is_away_or_slow_gives_no_ids(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, values: Completer
) -> None:
    assert values("retry", "") == values("forget", "") == []
    monkeypatch.setattr(completing, "_QUICK_S", 0.05)
    (tmp_path / "var").mkdir()
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "var" / "introeval.sock"))
        silent.listen()
        assert values("retry", "") == []


def test_a_configuration_that_cannot_be_read_gives_no_ids(tmp_path: Path, values: Completer) -> None:
    (tmp_path / "introeval.toml").write_text("[batch")
    assert values("retry", "") == values("models", "pull", "no-such") == []


def test_ids_and_students_are_those_of_the_daemon_that_take_the_command(
    tmp_path: Path, values: Completer
) -> None:
    (tmp_path / "var").mkdir()
    fake = FakeDaemon(tmp_path / "var" / "introeval.sock")
    failed = {"status": "failed", "outcome": "failed"}
    fake.tasks = [task(3, **failed), task(12), task(13, student="a b", **failed)]
    with in_thread(fake):
        assert set(values("retry", "")) == {"3", "13"}
        assert set(values("task", "1")) == {"12", "13"}
        assert set(values("forget", "")) == {"s003", "s012"}, "what a shell would take apart is left out"
        assert set(values("tasks", "--student", "s0")) == {"s003", "s012"}


@pytest.mark.parametrize("shell", Shell)
def test_each_script_is_one_that_its_shell_reads(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert f"_INTROEVAL_COMPLETE=complete_{shell}" in script
    assert script.startswith("#compdef introeval\n") is (shell is Shell.ZSH)
    if shutil.which(shell) is not None:
        done = subprocess.run([shell, "-n", "-c", script], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


def test_bash_completes_a_command_and_leaves_files_to_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = tmp_path / "introeval"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m daemon "$@"\n')
    program.chmod(0o755)
    assert run(["completion", "bash"]) == 0
    lines = [capsys.readouterr().out, "complete -p introeval"]
    for words in ("introeval mod", "introeval tasks --order ''", "introeval --config ''"):
        lines.append(f"COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))")
        lines.append(f'_introeval_completion "{program}"; echo "${{COMPREPLY[@]}}"')
    done = subprocess.run(
        ["bash", "-c", "\n".join(lines)], capture_output=True, text=True, check=True, env=os.environ
    )
    files, *found = done.stdout.split("\n")[:4]
    assert "-o default" in files, "without a candidate"
    assert found == ["models", "age queue student status eta", ""]


def test_the_man_page_has_every_command_and_option_and_renders_without_a_warning() -> None:
    page = "\n".join(manpage.page()) + "\n"
    for row in ROWS.values():
        assert f"introeval {row.name} " in page.replace("\\", "")
        options = [each for each in made(row).params if each.param_type_name == "option"]
        assert all(each.opts[0].replace("-", r"\-") in page for each in options)
    assert ".SH EXIT STATUS" in page
    if (groff := shutil.which("groff")) is None:
        pytest.skip("there is no groff")
    done = subprocess.run(
        [groff, "-man", "-ww", "-Tutf8"], input=page, text=True, capture_output=True, check=True
    )
    assert done.stderr == ""
