"""Ollama's other routes: listing, loading, unloading and pulling models.

No status route says that a server is healthy: all of them answer while it is frozen, and one lists a model
whose runner is gone. A model counts as loaded when a real generation answered.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

import httpx
from pydantic import BaseModel, ValidationError

from daemon.core.errors import EngineError, ModelError
from daemon.llm.client import Answer, AnswerFailed, Options, Request
from daemon.llm.limits import AnswerLimits
from daemon.llm.ollama import OllamaClient, parse_line
from daemon.llm.streaming import answer_lines
from daemon.system.http_client import asked, connection, excerpt, read_up_to

_ROUTE_S = 10.0
_POLL_S = 0.1
_MOST_ANSWER = 16 * 1024 * 1024  # bytes; a model's page with its license has some 50,000
_PULL_STALL_S = 120.0
_MOST_PULL = 1024 * 1024 * 1024  # bytes of its lines, which take a week for that
_F16 = 2  # bytes of one value of the cache
_FORM = {
    "type": "object",
    "properties": {"ready": {"type": "boolean"}},
    "required": ["ready"],
    "additionalProperties": False,
}

OnPull = Callable[[str, int, int], None]
"""Called with a pull's step in words, and its bytes done and total (0 of 0: not known)."""


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A model on the server's disk. `digest` is `sha256:<hex>`; names of the same weights share it."""

    name: str
    digest: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model in memory: `size_bytes` in all, of which `vram_bytes` on the GPU.

    `num_ctx` is the context of one request in tokens, which may be less than was requested.
    """

    name: str
    digest: str
    size_bytes: int
    vram_bytes: int
    num_ctx: int

    @property
    def gpu_share(self) -> float:
        """The share on the GPU, from 0 to 1; less than 0.99 is slow."""
        return self.vram_bytes / self.size_bytes if self.size_bytes else 0.0


@dataclass(frozen=True, slots=True)
class ModelShape:
    """The figures that a model's memory is computed from. `kv_heads` is the sum over all layers."""

    layers: int
    kv_heads: int
    key_length: int
    value_length: int
    max_ctx: int

    @property
    def kv_bytes_per_token(self) -> int:
        """The bytes that one token of context takes, at f16: 131072 for mistral and llama3."""
        return self.kv_heads * (self.key_length + self.value_length) * _F16


class OllamaApi:
    """The server at `url`, with any models. Close it, or use it as a context. All raise EngineError."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = connection(url)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def version(self) -> str:
        """The server's version."""
        return str((await self._ask("GET", "/api/version")).get("version", "unknown"))

    async def tags(self) -> list[StoredModel]:
        """The models on its disk; a damaged one is listed like any other."""
        models = _listed(await self._ask("GET", "/api/tags"))
        return [StoredModel(each.name, _digest(each), each.size or 0) for each in models]

    async def stored(self, model: str) -> StoredModel:
        """The stored model called `model`. Raises EngineError when there is none."""
        found = next((each for each in await self.tags() if each.name == full_name(model)), None)
        if found is None:
            raise EngineError(f"the server at {self.url} has no model {model}; run: introeval setup")
        return found

    async def show(self, model: str) -> ModelShape:
        """The shape of `model`."""
        info = (await self._ask("POST", "/api/show", {"model": model})).get("model_info")
        return _shape(model, info if isinstance(info, dict) else {})

    async def ps(self) -> list[LoadedModel]:
        """The models in its memory, each by one of its names, which does not prove that they answer."""
        models = _listed(await self._ask("GET", "/api/ps"))
        return [
            LoadedModel(
                each.name, _digest(each), each.size or 0, each.size_vram or 0, each.context_length or 0
            )
            for each in models
        ]

    async def load(self, model: str, first: Request, limits: AnswerLimits) -> tuple[LoadedModel, Answer]:
        """Load `model` by having it answer `first`. Gives what was loaded, and the answer.

        Raises EngineError (AnswerFailed when no answer came within the load's limit), also when the server
        gives less context than requested.
        """
        digest = (await self.stored(model)).digest
        answer = await self._once(model, first, limits)
        loaded = next((each for each in await self.ps() if each.digest == digest), None)
        if loaded is None:
            raise EngineError(f"the server at {self.url} answered, but does not hold {model} in memory")
        if loaded.num_ctx and loaded.num_ctx < first.options.num_ctx:
            raise EngineError(
                f"{model} was given {loaded.num_ctx} tokens of context instead of {first.options.num_ctx};"
                " lower num_ctx"
            )
        return loaded, answer

    async def refuses_what_does_not_fit(self, model: str, options: Options, limits: AnswerLimits) -> None:
        """Check that a prompt of twice the context is refused: an old server cuts it and answers 200.

        Raises EngineError when it is not refused.
        """
        long = Request("word " * (2 * options.num_ctx), _FORM, replace(options, num_predict=1))
        try:
            await self._once(model, long, limits)
        except AnswerFailed as exc:
            if exc.fault.code == "transcript_too_long":
                return
            raise
        raise EngineError(f"the server at {self.url} cuts a prompt that is too long; update Ollama")

    async def _once(self, model: str, request: Request, limits: AnswerLimits) -> Answer:
        client = OllamaClient(self.url, model, limits=limits)
        try:
            return await client.generate(replace(request, start=True), _unheard)
        finally:
            await client.aclose()

    async def unload(self, model: str, timeout_s: float = 10.0) -> None:
        """Unload `model` and wait until it is gone: the server confirms before the running answer ends.

        Raises EngineError when it is still there after `timeout_s` seconds.
        """
        digest = (await self.stored(model)).digest
        await self._ask("POST", "/api/generate", {"model": model, "keep_alive": 0, "stream": False})
        loop = asyncio.get_running_loop()
        limit = loop.time() + timeout_s
        while any(each.digest == digest for each in await self.ps()):
            if loop.time() > limit:
                raise EngineError(
                    f"{model} is still in the memory of {self.url} after {timeout_s:g} s; restart the server"
                )
            await asyncio.sleep(_POLL_S)

    async def pull(self, model: str, on_pull: OnPull) -> None:
        """Pull `model` from the registry. Raises ModelError with the cause; a pull can be repeated."""
        finished = False
        try:
            async with (
                asyncio.timeout(_PULL_STALL_S) as stall,
                self._http.stream("POST", "/api/pull", json={"model": model, "stream": True}) as reply,
            ):
                if not reply.is_success:
                    raise _not_pulled(model, excerpt(await read_up_to(_MOST_ANSWER, reply)))
                last = ""
                async for line in answer_lines(reply, _MOST_PULL):
                    if line != last:  # without progress the same line comes many times a second
                        stall.reschedule(asyncio.get_running_loop().time() + _PULL_STALL_S)
                    last, event = line, parse_line(line)
                    on_pull(event.status or "", event.completed or 0, event.total or 0)
                    finished = event.status == "success"
        except TimeoutError as exc:
            raise _not_pulled(model, f"no progress for {_PULL_STALL_S:.0f} s") from exc
        except (httpx.HTTPError, AnswerFailed) as exc:
            raise _not_pulled(model, str(exc) or type(exc).__name__) from exc
        if not finished:
            raise _not_pulled(model, "the server ended it before it was whole")

    async def _ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        try:
            async with asyncio.timeout(_ROUTE_S):
                status, said = await asked(self._http, method, path, body, most=_MOST_ANSWER)
        except TimeoutError as exc:
            raise EngineError(f"{self.url}{path} did not answer within {_ROUTE_S:.0f} s") from exc
        except httpx.HTTPError as exc:
            raise EngineError(f"no server answers at {self.url}: {exc or type(exc).__name__}") from exc
        if status // 100 != 2:
            raise EngineError(f"{self.url}{path} answered {status}: {excerpt(said)}")
        try:
            answer = json.loads(said)
        except (ValueError, RecursionError) as exc:  # the latter by endless brackets
            raise EngineError(f"{self.url} does not speak as Ollama does; check the url") from exc
        if not isinstance(answer, dict):
            raise EngineError(f"{self.url} does not speak as Ollama does; check the url")
        return answer


def full_name(model: str) -> str:
    """A model's name with its tag, as the server lists it."""
    return model if ":" in model.rpartition("/")[2] else f"{model}:latest"


class _Listed(BaseModel):
    name: str
    digest: str | None = None
    size: int | None = None
    size_vram: int | None = None
    context_length: int | None = None


class _List(BaseModel):
    models: list[_Listed] | None = None


def _listed(told: dict[str, Any]) -> list[_Listed]:
    """The models in an answer. Raises EngineError."""
    try:
        return _List.model_validate(told).models or []
    except ValidationError as exc:
        raise EngineError("the server does not list models as Ollama does; check the url") from exc


def _digest(each: _Listed) -> str:
    return "sha256:" + (each.digest or "").removeprefix("sha256:")


def _shape(model: str, info: dict[str, Any]) -> ModelShape:
    """The shape in `model_info`, which may lack a head's length, or give a number for each layer."""
    kind = info.get("general.architecture", "")

    def figure(name: str) -> Any:
        return info.get(f"{kind}.{name}")

    try:
        layers = int(figure("block_count"))
        heads = figure("attention.head_count")
        kv_heads = figure("attention.head_count_kv") or heads
        key = figure("attention.key_length") or figure("embedding_length") // heads
        return ModelShape(
            layers=layers,
            kv_heads=sum(kv_heads) if isinstance(kv_heads, list) else layers * int(kv_heads),
            key_length=int(key),
            value_length=int(figure("attention.value_length") or key),
            max_ctx=int(figure("context_length")),
        )
    except (TypeError, ValueError, ZeroDivisionError) as exc:
        raise EngineError(f"the server does not say how large {model} is; set num_ctx and parallel") from exc


def _not_pulled(model: str, why: str) -> ModelError:
    return ModelError(
        f"{model} was not pulled: {why}; check that the server reaches the registry, or copy the model to it"
    )


def _unheard(_: int) -> None:
    """Ignore the tokens of a start."""
