"""How a model is asked, whoever hosts it: the request, the answer, and the protocols of host and client."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from daemon.contracts.wire.status import EngineReport
from daemon.core.errors import EngineError, Fault


@dataclass(frozen=True, slots=True)
class Options:
    """What a model is asked with: the same for every request of a stage, so that nothing is reloaded.

    `num_ctx` is the context of one request and `num_predict` the most that it may answer, in tokens.
    """

    temperature: float
    top_p: float
    seed: int
    num_ctx: int
    num_predict: int


@dataclass(frozen=True, slots=True)
class Request:
    """One prompt, and the JSON Schema that its answer must have."""

    prompt: str
    schema: Mapping[str, Any]
    options: Options


class Finish(StrEnum):
    """Why a model stopped. Only STOP is a whole answer."""

    STOP = "stop"
    LENGTH = "length"  # it reached num_predict, or the end of the context
    CUT = "cut"  # the server gave up on the answer, in good health


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said. Counts are tokens.

    `prompt_s` and `answer_s` are the server's own seconds, None where it does not say; so is `load_s`, which
    it needed to have the model in memory.
    """

    text: str
    finish: Finish
    prompt_tokens: int = 0
    answer_tokens: int = 0
    prompt_s: float | None = None
    answer_s: float | None = None
    load_s: float | None = None


class AnswerFailed(EngineError):
    """No answer came; `fault` says why and who is to blame."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


OnToken = Callable[[int], None]
"""Told after each piece of the answer how many tokens it has so far."""


class ModelClient(Protocol):
    """Speaks with one server."""

    async def generate(self, request: Request, on_token: OnToken) -> Answer:
        """Ask and read the stream to its end. Raises AnswerFailed.

        No token for the stall time, or no end within the time limit, is a death of the engine.
        Cancelling the coroutine closes the stream, which makes the server stop.
        """
        ...

    async def aclose(self) -> None:
        """Close the connections."""
        ...


@dataclass(frozen=True, slots=True)
class Started:
    """A server that is up: who speaks with it, and what it answered to the first question."""

    client: ModelClient
    answer: Answer


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Which model answers: part of every result's provenance.

    `digest` is that of the weights, as `sha256:<hex>`; `runtime` is `embedded` or `docker`. `degraded` says
    why it does not run as it should, e.g. partly on the processor; every result is flagged with it. `device`
    is `gpu` or `cpu`, empty where nobody says.
    """

    model: str
    digest: str
    server_version: str
    runtime: str
    degraded: str = ""
    device: str = ""


class ModelHost(Protocol):
    """Runs a server with one model in it: an embedded one or a container."""

    @property
    def alive(self) -> bool:
        """Whether the server runs."""
        ...

    @property
    def identity(self) -> ModelIdentity:
        """Which model it serves. Only known once it was started."""
        ...

    def report(self) -> EngineReport:
        """The server as the operator sees it."""
        ...

    async def start(self, first: Request) -> Started:
        """Bring it up and have it answer `first`, with whose options it is to work.

        That answer is the proof that it lives: no status route is one. Raises EngineError, and then nothing
        is left running.
        """
        ...

    async def stop(self) -> None:
        """End it, also one that an earlier daemon left. Returns once it is gone; else EngineError."""
        ...
