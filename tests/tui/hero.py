"""`python -m tests.tui.hero` draws docs/dashboard.svg: a class of thirty on an 8 GB card, by the real daemon.

The engines are scripted and take about as long as the lab's; the card is the stub of NVML, which shows what
the loaded group would hold. It takes six minutes.
"""

import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path

from daemon.contracts.values import ExtractWork, OnProgress, Rated, RateWork, StageOutcome, SttWork, Ticket
from daemon.contracts.wire.status import EngineReport
from daemon.core.content.document import Flag
from daemon.core.errors import Blame, Fault
from daemon.core.tasks.task import Stage
from introeval_tui.app import Dashboard
from introeval_tui.link.setup import Setup
from tests.nvml import StubCard, stub_card
from tests.support.checkout import REPOSITORY
from tests.support.inprocess import PASSES, Lab
from tests.support.scripted import ScriptedEngine

PICTURE = REPOSITORY / "docs" / "dashboard.svg"
FOLDER = "HERO_FOLDER"
SIZE = (120, 40)
STUDENTS = 30
LATER = (4, 11, 29)  # their videos come while the others are at work
SECONDS = {Stage.STT: 4.0, Stage.EXTRACT: 5.0, Stage.RATE: 6.0}
HOLDS_MB = {Stage.STT: 2900, Stage.EXTRACT: 5700, Stage.RATE: 6300}
ENGINES = {
    Stage.STT: ("whisper", "small"),
    Stage.EXTRACT: ("mistral-container", ""),
    Stage.RATE: ("llama3-container", ""),
}
BROKEN, DOUBTFUL = 7, 3  # the tasks that want a person
DRAWN_AFTER_S = 258.0
DEADLINE_S = 360.0


@dataclass
class Actor(ScriptedEngine):
    """An engine with the name of the lab's, that tells its progress."""

    def report(self) -> EngineReport:
        name, model = ENGINES[self.stage]
        state = "ready" if self.alive else "stopped"
        return EngineReport(stage=self.stage, name=name, model=model, state=state)

    async def transcribe(self, work: SttWork, progress: OnProgress) -> StageOutcome:
        return await self._told(super().transcribe(work, progress), work.ticket, progress)

    async def extract(self, work: ExtractWork, progress: OnProgress) -> StageOutcome:
        return await self._told(super().extract(work, progress), work.ticket, progress)

    async def rate(self, work: RateWork, progress: OnProgress) -> StageOutcome:
        outcome = await self._told(super().rate(work, progress), work.ticket, progress)
        if isinstance(outcome, Rated) and work.ticket.task_id == DOUBTFUL:
            flag = Flag(code="evidence_not_found", field="evidence", detail="I like opera")
            return Rated(work.ticket, outcome.evaluation, (flag,))
        return outcome

    async def _told(
        self, working: Awaitable[StageOutcome], ticket: Ticket, progress: OnProgress
    ) -> StageOutcome:
        async def tell() -> None:
            for share in range(1, 10):
                progress(ticket, share / 10)
                await asyncio.sleep(self.seconds / 10)

        telling = asyncio.create_task(tell())
        try:
            return await working
        finally:
            telling.cancel()


def script(stage: Stage, ticket: Ticket) -> Fault | None:
    """The fault of one video, which no attempt transcribes."""
    broken = stage is Stage.STT and ticket.task_id == BROKEN
    return Fault(Blame.PERMANENT, "damaged", "only 12 % of the sound could be decoded") if broken else None


async def show(card: StubCard, lab: Lab) -> None:
    """Let the card hold what the engines would."""
    turn = 0
    while True:
        turn += 1
        alive = [stage for stage, engine in lab.engines.items() if engine.alive]
        use = 0 if not alive else 71 + (turn * 37) % 28
        lines = [f"utilisation {use}", f"temperature {48 + use // 4}", f"power {40_000 + 1200 * use}"]
        card.show(used_mb=420 + sum(HOLDS_MB[stage] for stage in alive), lines=lines)
        await asyncio.sleep(1)


async def draw(folder: Path, card: StubCard) -> None:
    """Run the class, and draw it at `DRAWN_AFTER_S`."""
    lab = Lab(folder / "lab", script=script, seconds=SECONDS, start_seconds=5.0, engine=Actor)
    lab.settings = {
        "embedded.rate_model": "llama3.gguf",
        "gpu.residency": PASSES,
        "extract.parallel": 2,
        "rate.parallel": 2,
        "batch.size": 15,
    }
    for number in range(1, STUDENTS + 1):
        if number not in LATER:
            lab.hand_in(f"s{number:03d}_introduction.mp4")
    async with lab.daemon() as daemon:
        showing = asyncio.create_task(show(card, lab))
        await daemon.supervisor.deadline(time.time() + DEADLINE_S)
        app = Dashboard(Setup(lambda: lab.config.paths.socket))
        async with app.run_test(size=SIZE) as pilot:
            await asyncio.sleep(DRAWN_AFTER_S / 2)
            for number in LATER:
                lab.hand_in(f"s{number:03d}_introduction.mp4")
            await asyncio.sleep(DRAWN_AFTER_S / 2)
            await pilot.pause()
            drawn = re.sub(r"\s*@font-face \{.*?\}", "", app.export_screenshot(), flags=re.DOTALL)
            PICTURE.write_text(drawn, encoding="utf-8")  # without fonts from elsewhere
        showing.cancel()


def main() -> None:
    """Draw it, in a process that was started with the stub's library: it is found only at a start."""
    if folder := os.environ.get(FOLDER):
        asyncio.run(draw(Path(folder), stub_card(Path(folder))))
        return
    with tempfile.TemporaryDirectory() as name:
        environ = {**stub_card(Path(name)).environ, FOLDER: name}
        subprocess.run([sys.executable, "-m", "tests.tui.hero"], env=environ, check=True)


if __name__ == "__main__":
    main()
