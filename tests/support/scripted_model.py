"""A host for a model's server whose answers are scripted."""

from daemon.contracts.wire.status import EngineReport
from daemon.llm.client import ModelIdentity, Request, Started
from daemon.llm.limits import AnswerLimits
from daemon.llm.openai import OpenAIClient


class ScriptedHost:
    """A server that somebody else runs."""

    def __init__(self, url: str, runtime: str = "docker", stall_s: float = 5) -> None:
        self.alive = False
        self.stopped = False
        self.identity = ModelIdentity("mistral", "sha256:0", "test 1", runtime)
        self._url, self._limits = url, AnswerLimits(stall_s=stall_s)

    def report(self) -> EngineReport:
        return EngineReport(stage="extract", name="test", state="ready")

    async def start(self, first: Request) -> Started:
        self.alive = True
        client = OpenAIClient(self._url, "mistral", limits=self._limits)
        return Started(client, await client.generate(first, lambda tokens: None))

    async def stop(self) -> None:
        self.alive, self.stopped = False, True
