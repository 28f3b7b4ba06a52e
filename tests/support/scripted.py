"""Engines and media that do what a script says, for what the real ones cannot be made to do on demand."""

import asyncio
from collections.abc import Awaitable, Callable, MutableSequence
from dataclasses import dataclass, field
from pathlib import Path

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
)
from daemon.contracts.wire.status import EngineReport
from daemon.core.content.document import (
    Criterion,
    Evaluation,
    Evidence,
    Profile,
    Scored,
    Segment,
    Speaking,
    Transcript,
)
from daemon.core.content.levels import whole
from daemon.core.errors import EngineError, Fault
from daemon.core.tasks.task import Stage

SAID = "My name is Ada and I like chess."
TRANSCRIPT = Transcript(
    text=SAID,
    language="en",
    language_probability=0.99,
    segments=(
        Segment(
            start_s=0.0, end_s=3.0, text=SAID, avg_logprob=-0.2, no_speech_prob=0.01, compression_ratio=1.1
        ),
    ),
)
SPEAKING = Speaking(speech_s=3.0, words_per_minute=160.0, pause_ratio=0.1, longest_pause_s=0.2)
PROFILE = Profile(name="Ada", hobbies=("chess",))
QUOTE = Evidence(quote="I like chess", start_s=0.0, end_s=3.0)
EXPECTED: dict[Criterion, float] = {
    "overall_rating": 7.2,
    "clarity_of_speech": 6.8,
    "content_quality": 6.1,
    "confidence_level": 7.0,
}
EVALUATION = Evaluation(
    overall_rating=7,
    clarity_of_speech=7,
    content_quality=6,
    confidence_level=7,
    feedback="Clear and calm. Say more of your plans.",
    suggestions=("Say what you want to do.", "Slow down."),
    evidence=(QUOTE,),
    scores={
        criterion: Scored(
            expected=expected,
            spread=0.6,
            legal_mass=0.97,
            quote=QUOTE,
            model_score=whole(expected),
            model_expected=expected,
        )
        for criterion, expected in EXPECTED.items()
    },
)

Script = Callable[[Stage, Ticket], Fault | None]
"""The fault with which a try ends, or None when it goes well."""


def goes_well(stage: Stage, ticket: Ticket) -> Fault | None:
    return None


@dataclass
class Log:
    """What the engines saw, in its order: ("start" | "stop" | "begin" | "end", stage, task id or None)."""

    entries: MutableSequence[tuple[str, Stage, int | None]] = field(default_factory=list)
    alive: set[Stage] = field(default_factory=set)

    def tried(self, stage: Stage) -> list[int]:
        return [
            task
            for what, where, task in self.entries
            if what == "begin" and where is stage and task is not None
        ]


@dataclass
class ScriptedEngine:
    """An engine for any stage. A fault that says `died` ends it; `fails_to_start` counts down."""

    stage: Stage
    log: Log
    seconds: float = 0.0
    script: Script = goes_well
    fails_to_start: int = 0
    start_seconds: float = 0.0
    alive: bool = False
    provenance: dict[str, str] = field(default_factory=dict)
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep

    def report(self) -> EngineReport:
        return EngineReport(
            stage=self.stage, name=f"scripted {self.stage}", state="ready" if self.alive else "stopped"
        )

    def identity(self) -> dict[str, str]:
        return {}

    async def start(self) -> None:
        await self.pause(self.start_seconds)
        if self.fails_to_start:
            self.fails_to_start -= 1
            raise EngineError(f"{self.stage} does not start")
        self.alive = True
        self.log.alive.add(self.stage)
        self.log.entries.append(("start", self.stage, None))

    async def stop(self) -> None:
        if self.alive:
            self.log.entries.append(("stop", self.stage, None))
        self.alive = False
        self.log.alive.discard(self.stage)

    async def transcribe(self, work: SttWork, progress: OnProgress) -> StageOutcome:
        return await self._try(
            work.ticket, Transcribed(work.ticket, TRANSCRIPT, SPEAKING, work.takes[0].flags)
        )

    async def extract(self, work: ExtractWork, progress: OnProgress) -> StageOutcome:
        return await self._try(work.ticket, Extracted(work.ticket, PROFILE))

    async def rate(self, work: RateWork, progress: OnProgress) -> StageOutcome:
        return await self._try(work.ticket, Rated(work.ticket, EVALUATION, provenance=self.provenance))

    async def _try(self, ticket: Ticket, good: StageOutcome) -> StageOutcome:
        self.log.entries.append(("begin", self.stage, ticket.task_id))
        await self.pause(self.seconds)
        self.log.entries.append(("end", self.stage, ticket.task_id))
        fault = self.script(self.stage, ticket)
        if fault is None:
            return good
        if fault.died:
            await self.stop()
        return Failed(ticket, fault)


class ScriptedMedia:
    """Takes any file for a video of ten seconds. `bad` names files that can't be decoded."""

    def __init__(self, bad: dict[str, Fault] | None = None) -> None:
        self._bad = bad or {}

    async def probe(self, path: Path, account: str | None = None) -> Probe | Fault:
        return Probe(10.0, "aac", 1)

    async def decode(self, path: Path, pcm: Path, account: str | None = None) -> Decoded | Fault:
        content = path.read_bytes().decode(errors="replace")
        if content in self._bad:
            return self._bad[content]
        pcm.write_bytes(b"\0\0")
        return Decoded(pcm, (Take(10.0),))

    async def aclose(self) -> None:
        return None
