"""The programs of the pages for readers of the outbox, run on the results of a daemon."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.core.content.document import CRITERIA
from tests.docker.engine import absent
from tests.support.checkout import REPOSITORY
from tests.support.inprocess import Lab, worked_off
from tests.support.scripted import EXPECTED

VERSION_1 = REPOSITORY / "tests" / "data" / "result.v1.json"

pytestmark = pytest.mark.anyio


def said(folder: Path, page: str, language: str) -> list[str]:
    """The lines of the program in this language on a page, run beside an outbox."""
    text = (REPOSITORY / "docs" / page).read_text(encoding="utf-8")
    (program,) = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    command = (sys.executable, "-c") if language == "python" else ("sh", "-c")
    if language == "sh" and shutil.which("jq") is None:
        absent("jq is not installed")
    done = subprocess.run((*command, program), cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


async def test_both_programs_give_one_line_for_each_task(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.hand_in("s002_me.mp4")
    lab.hand_in("s001_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
    by_python = said(tmp_path, "outbox.md", "python")
    assert [line.split("\t")[:2] for line in by_python] == [["s001", "evaluated"], ["s002", "evaluated"]]
    assert sorted(said(tmp_path, "outbox.md", "sh")) == by_python


@pytest.mark.parametrize("language", ["python", "sh"])
async def test_the_programs_for_both_versions_read_both(tmp_path: Path, language: str) -> None:
    lab = Lab(tmp_path)
    lab.hand_in("s002_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
    old = tmp_path / "outbox" / "s001" / "0000-me.result.json"
    old.parent.mkdir()
    old.write_bytes(VERSION_1.read_bytes())
    rows = [line.split("\t") for line in said(tmp_path, "result-2.md", language)]
    assert [row[0] for row in rows] == ["s001", "s002"]
    assert [[float(each) for each in row[1:]] for row in rows] == [
        [1, 7, 7, 6, 7],
        [1, *(EXPECTED[criterion] for criterion in CRITERIA)],
    ]
