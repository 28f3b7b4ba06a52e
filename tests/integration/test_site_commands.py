"""What the pages of the site say to type is run as it stands there, on one lab for all.

A block runs in `bash`, which finds the programs that are named here and no others: a new one fails.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.api import client
from daemon.core.errors import NotRunning
from tests.docker.engine import absent
from tests.support.checkout import MODELS, REPOSITORY
from tests.support.folders import put
from tests.support.waiting import wait_until

NOT_RUN = {
    "apt-get": "installs packages of the machine",
    "docker": "the tests in tests/docker have an engine of their own",
    "introeval models pull": "downloads; tests/integration/test_pull.py",
    "introeval node": "joins machines; tests/integration/test_node_commands.py",
    "introeval rehearse": "takes minutes; tests/acceptance/test_rehearse.py",
    "introeval setup": "makes containers; tests/docker",
    "introeval tui": "needs a terminal; tests/terminal",
    "make": "installs, or runs the tests; .ci/run",
    "nvidia-ctk": "changes Docker's configuration",
    "nvidia-smi": "needs a GPU",
    "reboot": "restarts the machine",
    "ssh": "goes to another machine",
    "systemctl": "needs systemd; tests/acceptance/test_systemd.py",
    "usermod": "changes the machine's accounts",
}
"""What is not run, and why."""

TOOLS = ("cat", "cp", "jq", "mkdir", "sort", "bash", "env")
"""The programs of the machine that a page may use."""

BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PAGES = [
    page
    for page in sorted((*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/*.md")))
    if BLOCK.search(page.read_text(encoding="utf-8"))
]
STUDENTS = ("s001", "s002", "s003")

SHEETS = {
    "grades.csv": "Identifier,Full name,Email address,Status,Grade,Maximum Grade,Grade can be changed,"
    "Last modified (submission),Last modified (grade),Feedback comments\r\n"
    "Participant 101,Ada Lovelace,ada@example.org,Submitted for grading,,10.00,Yes,-,-,\r\n"
    "Participant 102,Alan Turing,alan@example.org,Submitted for grading,,10.00,Yes,-,-,\r\n"
    "Participant 103,Grace Hopper,grace@example.org,Submitted for grading,,10.00,Yes,-,-,\r\n",
    "gradebook.csv": "Student,ID,SIS User ID,SIS Login ID,Section,Week 3 (77)\r\n"
    "    Points Possible,,,,,10\r\n"
    '"Lovelace, Ada",501,,s001,A,\r\n"Turing, Alan",502,,s002,A,\r\n"Hopper, Grace",503,,s003,A,\r\n',
}
"""What a teacher downloads from Moodle and from Canvas, by the names that the pages give them."""


def blocks(page: Path) -> list[tuple[str, str]]:
    """The language and the text of each block that is run."""
    return BLOCK.findall(page.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the programs that a page finds."""
    folder = tmp_path_factory.mktemp("programs")
    for tool in TOOLS:
        found = shutil.which(tool)
        if found is None:
            absent(f"{tool} is not installed")
        (folder / tool).symlink_to(found)
    ours = [name.removeprefix("introeval ") for name in NOT_RUN if name.startswith("introeval ")]
    lines = [f'  "{name}"*) exit 0 ;;' for name in ours]
    scripts = {name: "exit 0" for name in NOT_RUN if " " not in name}
    scripts["introeval"] = "\n".join(
        ['case "$*" in', *lines, "esac", f'exec "{sys.executable}" -P -m daemon "$@"']
    )
    scripts["sudo"] = 'while [ "${1#-}" != "$1" ]; do shift 2; done\nexec "$@"'
    for name, text in scripts.items():
        (folder / name).write_text(f"#!/bin/bash\n{text}\n")
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A lab whose daemon, on scripted engines, has worked off three videos."""
    folder = tmp_path_factory.mktemp("lab")
    for name in ("inbox", "outbox", "var"):
        (folder / name).mkdir()
    (folder / "var" / "models").symlink_to(os.environ.get("INTROEVAL_TEST_MODELS", MODELS))
    (folder / "introeval.toml").write_text("[intake]\nsettle_s = 0.1\n")
    for name, content in SHEETS.items():
        put(folder / name, content)
    hand_in(folder, "intro")
    command = [sys.executable, "-m", "tests.support.scripted_daemon", str(folder), "0"]
    with (folder / "var" / "output").open("wb") as output:
        daemon = subprocess.Popen(command, cwd=REPOSITORY, stdout=output, stderr=output)
    try:
        worked_off(folder, len(STUDENTS))
        yield folder
    finally:
        daemon.terminate()
        daemon.wait(60)


def hand_in(folder: Path, name: str) -> None:
    """Every student hands in a video of this name."""
    for student in STUDENTS:
        put(folder / "inbox" / f"{student}_{name}.mp4", f"{student} {name}")


def worked_off(folder: Path, results: int) -> None:
    """Wait until so many videos have a result in the outbox, and nothing is left to deliver."""
    wait_until(lambda: len(list(folder.glob("outbox/*/*.result.json"))) >= results, "the results")
    wait_until(lambda: _idle(folder / "var" / "introeval.sock"), "the end of the work")


def _idle(socket: Path) -> bool:
    try:
        return not client.get(socket, "/status")["undelivered"]
    except NotRunning:
        return False


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_block_of_a_page_runs_as_it_stands_there(page: Path, lab: Path, programs: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("INTROEVAL_")}
    environ |= {"PATH": str(programs), "PYTHONPATH": str(REPOSITORY), "COLUMNS": "100"}
    for language, text in blocks(page):
        command = ["bash", "-euo", "pipefail", "-c"] if language == "sh" else [sys.executable, "-c"]
        done = subprocess.run(
            [*command, text], cwd=lab, env=environ, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
        if "introeval class open" in text:
            before = len(list(lab.glob("outbox/*/*.result.json")))
            hand_in(lab, page.stem)
            worked_off(lab, before + len(STUDENTS))


def test_what_is_not_run_is_said_on_some_page() -> None:
    said = "\n".join(text for page in PAGES for _, text in blocks(page))
    assert [name for name in NOT_RUN if not re.search(rf"\b{name}\b", said)] == []
