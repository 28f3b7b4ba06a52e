"""The engines and the decoder of a simulated lab: durations and faults are drawn for each attempt."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from daemon.contracts.ports import Node
from daemon.contracts.values import (
    Decoded,
    Extracted,
    ExtractWork,
    Failed,
    OnProgress,
    Probe,
    Rated,
    RateWork,
    StageOutcome,
    SttWork,
    Take,
    Ticket,
    Transcribed,
    Unscorable,
)
from daemon.contracts.wire.status import EngineReport
from daemon.core.content.document import Flag
from daemon.core.errors import Blame, EngineError, Fault
from daemon.core.tasks.task import Event, Stage
from daemon.node import LocalNode
from daemon.stt.media_faults import unreadable
from tests.support.scripted import EVALUATION, PROFILE, SAID, SPEAKING, TRANSCRIPT
from tests.torture.days.lab import Lab

FAULTS = {
    "task": Fault(Blame.TASK, "bad_answer", "the answer makes no sense"),
    "engine": Fault(Blame.ENGINE, "server_error", "the server answers 500"),
    "death": Fault(Blame.ENGINE, "died", "the engine died", died=True),
    "gone": Fault(Blame.ENGINE, "not_running", "the engine does not run"),
    "unbegun": Fault(Blame.ENGINE, "server_busy", "the server takes nothing", begun=False),
    "permanent": Fault(Blame.PERMANENT, "too_long", "the transcript is too long"),
}
_USUAL = ["well"] * 900 + ["task"] * 40 + ["engine"] * 12 + ["death"] * 14 + ["unbegun"] * 6
_USUAL += ["permanent"] * 6 + ["invalid"] * 22
_SUCCESS = {Stage.STT: Event.TRANSCRIBED, Stage.EXTRACT: Event.EXTRACTED, Stage.RATE: Event.RATED}

Committed = Callable[[Ticket, Event], bool]
"""Whether a success is in the database for the task and the revision of a ticket."""


@dataclass
class LabEngine:
    """The engine of one stage. `groups` are those that may be alive together."""

    stage: Stage
    lab: Lab
    groups: list[frozenset[str]]
    committed: Committed
    die: Callable[[], object]
    alive: bool = False
    starts: int = 0
    provenance: dict[str, str] = field(default_factory=dict)

    def report(self) -> EngineReport:
        return EngineReport(
            stage=self.stage, name=f"scripted {self.stage}", state="ready" if self.alive else "stopped"
        )

    def identity(self) -> dict[str, str]:
        return {"model": f"scripted {self.stage}"}

    async def start(self) -> None:
        self.starts += 1
        dice = self.lab.chance("start", self.stage, len(self.lab.lines))
        self.alive = True  # from now on there is a process, ready or not
        self.lab.alive.add(self.stage.value)
        if not self._are_apart:
            self.lab.find("exclusion", f"alive together: {sorted(self.lab.alive)}")
        await asyncio.sleep(dice.uniform(0.5, 12.0) if dice.random() < 0.97 else 170.0)
        if not self.lab.calm and (self._is_sick or dice.random() < 0.02):
            self._gone("does not start")
            raise EngineError(f"{self.stage} does not start; look into its log")
        self.lab.log(f"engine {self.stage} is ready")

    async def stop(self) -> None:
        dice = self.lab.chance("stop", self.stage, len(self.lab.lines))
        if self.stage.value in self.lab.alive:  # whether we know of it or not
            await asyncio.sleep(dice.uniform(0.05, 2.0))
            if not self.lab.calm and dice.random() < 0.01:
                raise EngineError(f"{self.stage} does not stop; look for its process")
            self._gone("stopped")

    async def transcribe(self, work: SttWork, progress: OnProgress) -> StageOutcome:
        heard = work.pcm.read_bytes().decode()
        number = heard.split("#")[-1]
        said = f"{SAID} This is upload #{number}#."
        spoken = TRANSCRIPT.segments[0].model_copy(update={"text": said})
        transcript = TRANSCRIPT.model_copy(update={"text": said, "segments": (spoken,)})
        good = Transcribed(work.ticket, transcript, SPEAKING, work.takes[0].flags)
        if "deadly" in heard:
            await asyncio.sleep(2.0)
            self.die()
        if "poison" in heard:
            return await self._attempt(work.ticket, good, "death")
        if "silent" in heard:
            told = "there is no speech; record it again"
            return await self._attempt(work.ticket, Unscorable(work.ticket, "no_speech", told, None, None))
        return await self._attempt(work.ticket, good)

    async def extract(self, work: ExtractWork, progress: OnProgress) -> StageOutcome:
        none = Extracted(work.ticket, None, (_NO_FORM,))
        return await self._attempt(work.ticket, Extracted(work.ticket, PROFILE), invalid=none)

    async def rate(self, work: RateWork, progress: OnProgress) -> StageOutcome:
        none = Rated(work.ticket, None, (_NO_RATING,))
        return await self._attempt(work.ticket, Rated(work.ticket, EVALUATION), invalid=none)

    async def _attempt(
        self, ticket: Ticket, good: StageOutcome, always: str = "", invalid: StageOutcome | None = None
    ) -> StageOutcome:
        lab, name = self.lab, f"{ticket.task_id}.r{ticket.revision}.a{ticket.attempt}"
        dice = lab.chance("attempt", self.stage, ticket)
        lab.log(f"{self.stage} begins with {name}")
        if ticket.task_id and self.committed(ticket, _SUCCESS[self.stage]):
            lab.find("repeated", f"{self.stage} of {name} has its outcome already")
        if not self._are_apart:
            lab.find("exclusion", f"{self.stage} works while these are alive: {sorted(lab.alive)}")
        if not self.alive:  # it died just now, and nobody has heard of it yet
            return Failed(ticket, FAULTS["gone"])
        await asyncio.sleep(dice.uniform(3.0, 30.0) if dice.random() < 0.98 else dice.uniform(60.0, 400.0))
        lab.count("attempts")
        how = always or self._fate(ticket, dice)
        lab.log(f"{self.stage} ends with {name}: {how}")
        if how == "invalid" and invalid is not None:
            return invalid
        if how not in FAULTS:
            return good
        lab.faults.setdefault((ticket.task_id, ticket.revision, self.stage.value), []).append(how)
        if FAULTS[how].died:
            self._gone("died")
        return Failed(ticket, FAULTS[how])

    def _fate(self, ticket: Ticket, dice: random.Random) -> str:
        if self.lab.calm or not ticket.task_id:  # no task has the id 0, but the canary
            return "well"
        return dice.choice(["engine", "death", "unbegun"] if self._is_sick else _USUAL)

    def _gone(self, how: str) -> None:
        self.lab.log(f"engine {self.stage} {how}")
        self.alive = False
        self.lab.alive.discard(self.stage.value)

    @property
    def _are_apart(self) -> bool:
        return any(self.lab.alive <= group for group in self.groups)

    @property
    def _is_sick(self) -> bool:
        return not self.lab.calm and self.lab.clock.now < self.lab.sick.get(self.stage.value, 0.0)


_NO_FORM = Flag(code="no_valid_form", field="profile", detail="three answers were no valid JSON")
_NO_RATING = Flag(code="no_valid_rating", field="evaluation", detail="three answers were no valid JSON")


def make_lab_node(
    lab: Lab,
    groups: list[list[str]],
    committed: Committed,
    die: Callable[[], object],
    progress: OnProgress,
) -> Node:
    """The node of the lab, with the daemon's own guard of the exclusion. `die` kills the daemon."""
    sets = [frozenset(group) for group in groups]
    stt, extract, rate = (LabEngine(stage, lab, sets, committed, die) for stage in Stage)
    return LocalNode(stt, extract, rate, progress)


class LabMedia:
    """Reads the words of the lab's uploads: `10.5 good #7`, `text ...` is no media, all else is damaged."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    async def probe(self, path: Path, account: str | None = None) -> Probe | Fault:
        await asyncio.sleep(self._lab.clock.dice.uniform(0.01, 0.3))
        content = _read(path)
        if isinstance(content, Fault):
            return content
        first = content.split(b" ")[0]
        if first == b"text":
            return Fault(Blame.PERMANENT, "not_media", "this is a text. Hand in an mp4")
        try:
            return Probe(float(first), "aac", 1)
        except ValueError:
            return Fault(Blame.PERMANENT, "damaged", "the file is damaged; copy it again")

    async def decode(self, path: Path, pcm: Path, account: str | None = None) -> Decoded | Fault:
        await asyncio.sleep(self._lab.clock.dice.uniform(0.1, 3.0))
        content = _read(path) if path.suffix != ".ogg" else b"10 canary #0"
        if isinstance(content, Fault):
            return content
        if content.startswith(b"damaged"):
            return Fault(Blame.PERMANENT, "damaged", "the file is damaged; copy it again")
        try:
            pcm.write_bytes(content)
        except OSError as exc:
            return Fault(Blame.ENGINE, "no_room", f"the decoded sound cannot be written: {exc}")
        return Decoded(pcm, (Take(10.0),))

    async def aclose(self) -> None:
        return None


def _read(path: Path) -> bytes | Fault:
    """The content of an upload, or what the real reader says where it cannot be opened."""
    try:
        return path.read_bytes()
    except OSError as exc:
        bad = unreadable(exc)
        return Fault(bad.blame, bad.code, str(bad))
