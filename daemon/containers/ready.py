"""Readiness of a server: its API answers, the model is there, and a real generation with the work's options
was answered by a model that is wholly on the GPU. No status route proves any of it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from daemon.core.errors import EngineError
from daemon.core.schedule.memory import MB, ModelNeed
from daemon.llm.client import Answer, ModelClient, ModelIdentity, Options, Request
from daemon.llm.limits import ON_PROCESSOR, AnswerLimits
from daemon.llm.ollama import OllamaClient, OnReload
from daemon.llm.ollama_api import LoadedModel, OllamaApi
from daemon.llm.openai import OpenAIClient
from daemon.system.http_client import key_in

_WHOLE = 0.99  # of a model's bytes; some tables never go to the GPU
_SETTLE_S = 2.0  # seconds until the driver offers memory that was just freed

HasGpu = Callable[[], Awaitable[bool]]
"""Whether this machine has a GPU: without one, no model has to be on it."""


@dataclass(frozen=True, slots=True)
class ReadyModel:
    """A model and its first answer, with its memory: `memory_mb` in use, `need` for a plan; None where the
    server does not say.
    """

    identity: ModelIdentity
    answer: Answer
    memory_mb: float | None = None
    need: ModelNeed | None = None

    @property
    def lacks(self) -> str:
        """Why the model runs degraded; empty when it does not."""
        return self.identity.degraded


class ModelServer(Protocol):
    """A server with one model, on this machine or elsewhere."""

    model: str

    async def answers(self) -> bool:
        """Whether its API answers, which does not prove that the model works."""
        ...

    async def load(self, first: Request) -> ReadyModel:
        """Load the model with the options of `first`, by having it answer that. Raises EngineError."""
        ...

    def client(self, on_reload: OnReload) -> ModelClient:
        """A client for the work. It calls `on_reload` when the model had to be loaded again."""
        ...


class OllamaServer:
    """An Ollama at `url`, whose answers stand under `limits`."""

    def __init__(
        self,
        url: str,
        model: str,
        has_gpu: HasGpu,
        limits: AnswerLimits | None = None,
        *,
        settle_s: float = _SETTLE_S,
    ) -> None:
        self.model = model
        self._url = url
        self._has_gpu = has_gpu
        self._limits = limits or AnswerLimits()
        self._settle_s = settle_s
        self._refusing: tuple[str, str] | None = None  # version and digest that refused a long prompt
        self._need: dict[str, ModelNeed] = {}  # by digest

    async def answers(self) -> bool:
        """See ModelServer."""
        async with OllamaApi(self._url) as api:
            try:
                await api.version()
            except EngineError:
                return False
        return True

    async def load(self, first: Request) -> ReadyModel:
        """See ModelServer. A model that is not wholly on the GPU is loaded a second time."""
        on_gpu = await self._has_gpu()
        async with OllamaApi(self._url) as api:
            loaded, answer = await api.load(self.model, first, self._limits)
            if on_gpu and loaded.gpu_share < _WHOLE:
                await api.unload(self.model)
                await asyncio.sleep(self._settle_s)
                loaded, answer = await api.load(self.model, first, self._limits)
            on_processor = loaded.vram_bytes == 0
            self._limits.lengthen(ON_PROCESSOR if on_processor else 1.0)
            identity = ModelIdentity(
                self.model,
                loaded.digest,
                await api.version(),
                "docker",
                degraded=_lack(loaded) if on_gpu else "",
                device="cpu" if on_processor else "gpu",
            )
            await self._see_that_it_refuses(api, identity, first.options)
            need = await self._needs(api, loaded.digest)
        memory_mb = (loaded.vram_bytes if on_gpu else loaded.size_bytes) / MB
        return ReadyModel(identity, answer, memory_mb, need)

    async def _see_that_it_refuses(self, api: OllamaApi, identity: ModelIdentity, options: Options) -> None:
        """Check it once for each version and model: neither changes it from one start to the next."""
        now = (identity.server_version, identity.digest)
        if now != self._refusing:
            await api.refuses_what_does_not_fit(self.model, options, self._limits)
            self._refusing = now

    async def _needs(self, api: OllamaApi, digest: str) -> ModelNeed:
        if digest not in self._need:
            shape = await api.show(self.model)
            size_mb = (await api.stored(self.model)).size_bytes / MB
            self._need = {digest: ModelNeed(self.model, size_mb, shape.kv_bytes_per_token, shape.max_ctx)}
        return self._need[digest]

    def client(self, on_reload: OnReload) -> OllamaClient:
        """See ModelServer."""
        return OllamaClient(self._url, self.model, limits=self._limits, on_reload=on_reload)


class OpenAIServer:
    """A server with OpenAI's chat completions and `/health`, as llama.cpp's and vLLM.

    `on_slots` is called with the requests at a time that it takes, once it has told. `key_file` holds the key
    that it asks for.
    """

    def __init__(
        self,
        url: str,
        model: str,
        limits: AnswerLimits | None = None,
        on_slots: Callable[[int], None] = lambda slots: None,
        key_file: Path | None = None,
    ) -> None:
        self.model = model
        self._key_file = key_file
        self._on_slots = on_slots
        self._url = url
        self._limits = limits or AnswerLimits()

    async def answers(self) -> bool:
        """See ModelServer."""
        try:
            client = self.client(_unheard)
        except EngineError:
            return False
        try:
            return await client.health()
        finally:
            await client.aclose()

    async def load(self, first: Request) -> ReadyModel:
        """See ModelServer. Such a server gives neither its version nor a digest of its weights."""
        client = self.client(_unheard)
        try:
            answer = await client.generate(first, _unheard)
            slots = await client.slots()
        finally:
            await client.aclose()
        if slots is not None:
            self._on_slots(slots)
        return ReadyModel(ModelIdentity(self.model, "", "", "docker"), answer)

    def client(self, on_reload: OnReload) -> OpenAIClient:
        """See ModelServer. Such a server does not tell of reloads. Raises EngineError for a bad key file."""
        return OpenAIClient(self._url, self.model, key=key_in(self._key_file), limits=self._limits)


def _lack(loaded: LoadedModel) -> str:
    if loaded.gpu_share >= _WHOLE:
        return ""
    return f"only {loaded.gpu_share:.0%} of {loaded.name} is on the GPU; free its memory; see: nvidia-smi"


def _unheard(_: float) -> None:
    """Ignore the tokens of a start."""
