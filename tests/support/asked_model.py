"""A model in this process that answers every question, and keeps what it was asked."""

import asyncio
import json
from dataclasses import dataclass, field

from daemon.contracts.wire.status import EngineReport
from daemon.core.tasks.task import Stage
from daemon.llm.client import Answer, Finish, ModelIdentity, OnToken, Request, Started
from tests.support.scripted import SAID

FORM = {
    "name": "Ada",
    "age": None,
    "hobbies": ["chess"],
    "career_goals": None,
    "strengths": [],
    "experience": None,
}
RATING = {
    "evidence": [SAID],
    "feedback": ["You speak clearly and calmly.", "Say more about your plans."],
    "suggestions": ["Say what you want to do.", "Tell us about your work."],
    "clarity_of_speech": 7,
    "content_quality": 6,
    "confidence_level": 7,
    "overall_rating": 7,
}


@dataclass
class AskedModel:
    """A host and its client. With `let_through`, each release of it lets one answer to a student come."""

    stage: Stage
    alive: bool = False
    asked: list[str] = field(default_factory=list)
    warmed: list[str] = field(default_factory=list)
    rating: dict[str, object] = field(default_factory=lambda: dict(RATING))
    let_through: asyncio.Semaphore | None = None
    identity: ModelIdentity = field(
        default_factory=lambda: ModelIdentity("asked", "sha256:1", "asked 1", "docker")
    )

    def report(self) -> EngineReport:
        return EngineReport(
            stage=self.stage, name=f"asked {self.stage}", state="ready" if self.alive else "stopped"
        )

    async def start(self, first: Request) -> Started:
        self.alive = True
        return Started(self, await self.generate(first, lambda _: None))

    async def stop(self) -> None:
        self.alive = False

    async def aclose(self) -> None:
        return None

    async def generate(self, request: Request, on_token: OnToken) -> Answer:
        said = json.dumps(self.rating if "evidence" in request.schema["properties"] else FORM)
        if request.start:
            self.warmed.append(request.prompt)
            return Answer(said, Finish.LENGTH)
        self.asked.append(request.prompt)
        if self.let_through is not None:
            await self.let_through.acquire()
        return Answer(said, Finish.STOP)
