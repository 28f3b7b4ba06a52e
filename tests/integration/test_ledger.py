"""The ledger of the switches: figures, who held what, and why a switch had to wait, at 80 columns."""

import asyncio
import json
from pathlib import Path

import pytest

from daemon.cli.common import Chosen
from daemon.contracts.ledger import Ledger
from daemon.contracts.wire.status import Holder
from daemon.core.alarms import Trouble
from daemon.core.tasks.task import Phase, Stage
from daemon.store import phases
from tests.integration.test_forget import forgotten
from tests.support.commands import invoke
from tests.support.inprocess import Lab, worked_off

pytestmark = pytest.mark.anyio

HELD = Ledger(
    freed_mb=7700,
    foreign_mb=2100,
    needed_mb=1400,
    margin_mb=4692,
    holders=(
        Holder(pid=812, user="ana", name="python3", memory_mb=2000),
        Holder(pid=9, user="ben", name="X", memory_mb=100),
    ),
)
CAUSE = "extract needs 5000 MB of the GPU and 3000 are free: process 812 (python3) of ana holds 2000 MB"


def show(lab: Lab, *arguments: str) -> str:
    Chosen.file = None
    return invoke("--config", str(lab.folder / "introeval.toml"), "ledger", *arguments).stdout


async def test_each_switch_is_a_line_with_who_held_the_memory_and_why_it_waited(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    async with lab.daemon() as daemon:
        assert (await asyncio.to_thread(show, lab)).strip() == "no switch yet"
        stt = await daemon.session(phases.began, frozenset({Stage.STT}), Phase.STT, None, 1_700_000_000.0)
        await daemon.session(phases.ready, stt, 1_700_000_006.0, 6.21, HELD)
        both = frozenset({Stage.EXTRACT, Stage.RATE})
        await daemon.session(phases.began, both, Phase.EVAL, None, 1_700_000_100.0)
        daemon.alarms.set(Trouble("gpu_memory", CAUSE, "every task", "end the process"))
        await daemon.record.flush()
        running = await asyncio.to_thread(show, lab)
        spans = json.loads(await asyncio.to_thread(show, lab, "--json"))
    assert await asyncio.to_thread(show, lab) == running
    head, first, second, *why = running.splitlines()
    assert first[13:].split() == [
        "stt",
        "6.2s",
        "7700",
        "2100",
        "1400",
        "4692",
        "812",
        "ana",
        "python",
        "+1",
    ]
    assert second[13:].split() == ["extract+rate", "-", "-", "-", "-", "-"]
    assert " ".join(line.strip() for line in why) == CAUSE
    assert all(len(line) <= 80 for line in (head, first, second))
    assert head.index("margin") + len("margin") == first.index("4692") + 4
    assert [holder["user"] for holder in spans[1]["holders"]] == ["ana", "ben"]


async def test_a_forgotten_student_who_held_memory_is_named_no_more(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.hand_in("ana_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        stt = await daemon.session(phases.began, frozenset({Stage.STT}), Phase.STT, None, 1_700_000_000.0)
        await daemon.session(phases.ready, stt, 1_700_000_006.0, 6.21, HELD)
        await daemon.session(phases.refused, CAUSE)
        assert (await forgotten(lab, "ana")).left == []
    assert "ana" not in await asyncio.to_thread(show, lab)
