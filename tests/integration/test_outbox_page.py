"""The two programs of the page for readers of the outbox, run on the results of a daemon."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docker.engine import absent
from tests.support.checkout import REPOSITORY
from tests.support.inprocess import Lab, worked_off

PAGE = (REPOSITORY / "docs" / "outbox.md").read_text(encoding="utf-8")

pytestmark = pytest.mark.anyio


def program(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


async def test_both_programs_give_one_line_for_each_task(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.hand_in("s002_me.mp4")
    lab.hand_in("s001_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)

    def said(*command: str) -> list[str]:
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    by_python = said(sys.executable, "-c", program("python"))
    assert [line.split("\t")[:2] for line in by_python] == [["s001", "evaluated"], ["s002", "evaluated"]]
    if shutil.which("jq") is None:
        absent("jq is not installed")
    assert sorted(said("sh", "-c", program("sh"))) == by_python
