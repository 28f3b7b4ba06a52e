"""A model in this process that answers every question, and keeps what it was asked."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field

from daemon.contracts.wire.status import EngineReport
from daemon.core.content.levels import Token
from daemon.core.tasks.task import Stage
from daemon.llm.client import Answer, Finish, ModelIdentity, OnToken, Request, Started

FORM = {
    "name": "Ada",
    "age": None,
    "hobbies": ["chess"],
    "career_goals": None,
    "strengths": [],
    "experience": None,
}
RATING = {
    "confidence_quote": 1,
    "confidence_level": 6,
    "feedback": ["You speak clearly and calmly.", "Say more about your plans."],
    "suggestions": ["Say what you want to do.", "Tell us about your work."],
    "clarity_quote": 1,
    "clarity_of_speech": 6,
    "content_quote": 1,
    "content_quality": 5,
    "overall_quote": 1,
    "overall_rating": 6,
}
"""The rater's answers to both of its questions, in levels: 5 and 6 are the scores 6 and 7."""

FIRST = frozenset({"name", "confidence_quote"})
"""The keys with which the answers to the first question about a student begin."""


@dataclass
class AskedModel:
    """A host and its client. With `let_through`, each release of it lets the answers about one student come.

    `tells` gives the tokens of an answer, with their alternatives; without it the server knows of none.
    `names` gives the sentences to the grader for a prompt. `obeys` gives levels in
    place of `rating`.
    """

    stage: Stage
    alive: bool = False
    requests: list[Request] = field(default_factory=list)
    rating: dict[str, object] = field(default_factory=lambda: dict(RATING))
    let_through: asyncio.Semaphore | None = None
    names: Callable[[str], list[str]] = lambda prompt: []
    obeys: Callable[[str], dict[str, object]] = lambda prompt: {}
    tells: Callable[[str], tuple[Token, ...]] = lambda text: ()
    identity: ModelIdentity = field(
        default_factory=lambda: ModelIdentity("asked", "sha256:1", "asked 1", "docker")
    )

    @property
    def warmed(self) -> list[str]:
        """The prompts that proved or warmed it up."""
        return [request.prompt for request in self.requests if request.start]

    @property
    def asked(self) -> list[str]:
        """The prompts of the first question about each student."""
        return [each.prompt for each in self.requests if not each.start and opening(each) in FIRST]

    @property
    def asked_further(self) -> list[str]:
        """Those of the further questions."""
        return [each.prompt for each in self.requests if not each.start and opening(each) not in FIRST]

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
        named: dict[str, object] = {"to_the_grader": self.names(request.prompt)}
        known = {**FORM, **self.rating, **named, **self.obeys(request.prompt)}
        said = json.dumps({key: known[key] for key in request.schema["properties"]})
        self.requests.append(request)
        if request.start and opening(request) != "to_the_grader":
            return Answer(said, Finish.LENGTH)
        if self.let_through is not None and opening(request) in FIRST:
            await self.let_through.acquire()
        return Answer(said, Finish.STOP, self.tells(said) if request.alternatives else ())


def opening(request: Request) -> str:
    """The first key of the answer."""
    return str(next(iter(request.schema["properties"])))
