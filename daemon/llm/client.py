"""Asking a model, whatever hosts it: the request, the answer, and the protocols of host and client."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Protocol

from daemon.contracts.wire.status import EngineReport
from daemon.core.content.levels import Token
from daemon.core.errors import EngineError, Fault


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a request: the same for all requests of a stage, since a change reloads the model.

    `num_ctx` is the context of one request and `num_predict` the longest answer, in tokens.
    """

    temperature: float
    top_p: float
    seed: int
    num_ctx: int
    num_predict: int


@dataclass(frozen=True, slots=True)
class Request:
    """One prompt, and the JSON Schema that its answer must have.

    `alternatives` is the number of likeliest tokens to tell at each place of the answer, at most 20; 0 for
    none. `start`: it proves or warms up a server.
    """

    prompt: str
    schema: Mapping[str, Any]
    options: Options
    alternatives: int = 0
    start: bool = False


class Finish(StrEnum):
    """Why a model stopped. Only STOP is a whole answer."""

    STOP = "stop"
    LENGTH = "length"  # it reached num_predict, or the end of the context
    CUT = "cut"  # the server stopped in mid-answer, but is healthy


@dataclass(frozen=True, slots=True)
class Answer:
    """A model's answer. Counts are tokens. `prompt_s`, `answer_s` and `load_s` (loading the model) are
    seconds by the server, None where it does not say. `tokens` is empty where no alternatives were asked for,
    or the server knows of none.
    """

    text: str
    finish: Finish
    tokens: tuple[Token, ...] = ()
    prompt_tokens: int = 0
    answer_tokens: int = 0
    prompt_s: float | None = None
    answer_s: float | None = None
    load_s: float | None = None


class AnswerFailed(EngineError):
    """No answer came; `fault` says why and what is to blame."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


OnToken = Callable[[int], None]
"""Called after each piece of the answer with the number of its tokens so far."""


class ModelClient(Protocol):
    """The connection to one server."""

    async def generate(self, request: Request, on_token: OnToken) -> Answer:
        """Ask and read the stream to its end. Raises AnswerFailed.

        No token for the longest pause, or no end within the time limit, is a death of the engine.
        Cancelling the coroutine closes the stream, which makes the server stop.
        """
        ...

    async def aclose(self) -> None:
        """Close the connections."""
        ...


@dataclass(frozen=True, slots=True)
class Started:
    """A server that is up: its client, and its answer to the first request."""

    client: ModelClient
    answer: Answer


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """The model that answers: part of every result's provenance.

    `digest` is that of the weights, as `sha256:<hex>`, and `revision` the hub's commit that they came from,
    empty where it is not known; `runtime` is `embedded` or `docker`. `degraded` says
    why it is slow, e.g. partly on the processor; every result is flagged with it. `device` is `gpu` or `cpu`,
    empty where it is not known. `kv_cache` is the type of the server's cache where that is not f16.
    """

    model: str
    digest: str
    server_version: str
    runtime: str
    degraded: str = ""
    device: str = ""
    revision: str = ""
    kv_cache: str = ""

    @property
    def provenance(self) -> dict[str, str]:
        """What a result says of it."""
        said = asdict(self)
        return said if self.kv_cache else {key: value for key, value in said.items() if key != "kv_cache"}


class ModelHost(Protocol):
    """Runs a server with one model in it: an embedded one or a container."""

    @property
    def alive(self) -> bool:
        """Whether the server runs."""
        ...

    @property
    def identity(self) -> ModelIdentity:
        """The model that it serves. Raises EngineError before the first start."""
        ...

    def report(self) -> EngineReport:
        """The server as the operator sees it."""
        ...

    async def start(self, first: Request) -> Started:
        """Start the server and have it answer `first`, with the options of the work.

        The answer proves that it works, which no status route does. Raises EngineError, with nothing left
        running.
        """
        ...

    async def stop(self) -> None:
        """Stop the server, also one that an earlier daemon left. Raises EngineError unless it is gone."""
        ...
