"""The routes of a test server, and its life in a test."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from tests.ollama_server import checks, making, pulling
from tests.ollama_server.checks import Refused
from tests.ollama_server.faults import Faults
from tests.ollama_server.generation import DIED, Generation, answer, head
from tests.ollama_server.http import TEXT, Incoming, receive
from tests.ollama_server.manner import Manner
from tests.ollama_server.memory import Loaded, Memory

_DEFAULT_CTX = 4096
Route = Callable[[Incoming], Awaitable[None]]


class OllamaServer:
    """One server. `requests` are the bodies of all generations, loads and unloads that it was asked for."""

    def __init__(self, manner: Manner) -> None:
        self.manner = manner
        self.faults = Faults()
        self.faults.parse(manner.faults)
        self.memory = Memory(manner)
        self.requests: list[dict[str, Any]] = []
        self.url = ""
        self.most_at_once = 0
        self._at_once = 0
        self._turn = asyncio.Semaphore(manner.parallel)
        self._routes: dict[tuple[str, str], Route] = {
            ("GET", "/"): self._root,
            ("GET", "/api/version"): self._version,
            ("GET", "/api/tags"): self._tags,
            ("GET", "/api/ps"): self._ps,
            ("POST", "/api/show"): self._show,
            ("POST", "/api/pull"): self._pull,
            ("POST", "/api/generate"): self._generate,
            ("GET", "/control"): self._told,
            ("POST", "/control"): self._control,
        }

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, which carries one request."""
        # A client that is gone, or was never one, ends the connection and nothing else.
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            incoming = await receive(reader, writer)
            try:
                await self._route(incoming)(incoming)
            except Refused as refused:
                if refused.error:
                    incoming.send(refused.status, {"error": refused.error})
                else:
                    incoming.send(refused.status, b"", TEXT)
            await writer.drain()
        writer.close()

    def _route(self, incoming: Incoming) -> Route:
        route = self._routes.get((incoming.method, incoming.path))
        return route if route is not None else self._no_route

    async def _no_route(self, incoming: Incoming) -> None:
        known = any(path == incoming.path for _, path in self._routes)
        incoming.send(*((405, b"405 method not allowed") if known else (404, b"404 page not found")), TEXT)

    async def _root(self, incoming: Incoming) -> None:
        incoming.send(200, b"Ollama is running", TEXT)

    async def _version(self, incoming: Incoming) -> None:
        incoming.send(200, {"version": self.manner.version or f"{self.manner.generation}.0"})

    async def _tags(self, incoming: Incoming) -> None:
        models = [
            {
                "name": name,
                "model": name,
                "modified_at": "2026-11-23T16:11:36.693648608Z",
                "size": self.manner.size,
                "digest": self.manner.digest(name),
                "details": {"format": "gguf", "family": "llama", "quantization_level": "Q4_1"},
                "capabilities": ["completion"],
            }
            for name in self.manner.names
        ]
        incoming.send(200, {"models": models})

    async def _ps(self, incoming: Incoming) -> None:
        incoming.send(200, {"models": self.memory.listed()})

    async def _show(self, incoming: Incoming) -> None:
        model = str(checks.parsed(incoming.body).get("model", ""))
        if _tagged(model) not in self.manner.names:
            raise Refused(404, f"model '{model if self.manner.old else _tagged(model)}' not found")
        shape = {
            "block_count": 30,
            "attention.head_count": 9,
            "attention.head_count_kv": 3,
            "embedding_length": 576,
            "context_length": self.manner.max_ctx,
        }
        info = {"general.architecture": "llama", **{f"llama.{key}": value for key, value in shape.items()}}
        incoming.send(
            200, {"details": {"format": "gguf"}, "model_info": info, "capabilities": ["completion"]}
        )

    async def _pull(self, incoming: Incoming) -> None:
        request = checks.parsed(incoming.body)
        steps = pulling.pull(self.manner, _tagged(str(request.get("model", ""))))
        if not request.get("stream", True):
            last = [step async for step in steps][-1]
            return incoming.send(500 if "error" in last else 200, last)
        incoming.open()
        async for step in steps:
            await incoming.line(step)
        incoming.end()

    async def _generate(self, incoming: Incoming) -> None:
        request = checks.parsed(incoming.body)
        name = str(request.get("model", ""))
        if re.search(r"[^\w.:/-]", name):
            raise Refused(400, "invalid model name")
        if not name or _tagged(name) not in self.manner.names:
            raise Refused(404, f"model '{name}' not found")
        hold = checks.keep_alive(request.get("keep_alive"))
        options = checks.options(request)
        checks.top_logprobs(self.manner, request)
        self.requests.append(request)
        if not request.get("prompt") and hold == 0:
            if self.memory.loaded is not None:
                self.memory.hold(self.memory.loaded, 0)
            return self._nothing(incoming, name, "unload")
        fault = self.faults.take()
        await self._before(incoming, fault)
        if fault in ("freeze", "disconnect"):
            return
        num_ctx = int(options.get("num_ctx", _DEFAULT_CTX))
        model, load_ns = await self.memory.ensure(_tagged(name), num_ctx, request.get("shift", True))
        self.memory.hold(model, hold)
        if not request.get("prompt"):
            return self._nothing(incoming, name, "load")
        generation = self._checked(request, model, load_ns, fault)
        await self._in_turn(incoming, model, generation)
        if fault == "runner_dies":
            model.num_ctx = 0  # still listed; the next request finds that it has to load

    def _checked(self, request: dict[str, Any], model: Loaded, load_ns: int, fault: str) -> Generation:
        schema = checks.schema(self.manner, request.get("format"))
        prompt_tokens = making.count(request["prompt"])
        shortens = request.get("truncate", True) or fault == "shift"
        if prompt_tokens >= model.num_ctx and not shortens:
            raise checks.too_long(self.manner, prompt_tokens, model.num_ctx)
        if prompt_tokens >= model.num_ctx and not (model.shift or self.manner.old or fault == "shift"):
            raise checks.cannot_shift()
        return Generation(request, schema, prompt_tokens, model.num_ctx, load_ns, fault)

    async def _before(self, incoming: Incoming, fault: str) -> None:
        """The faults that come before an answer."""
        if fault == "freeze":
            await incoming.hung_up()
        elif fault == "reload":
            self.memory.drop()
        elif fault == "error":
            raise Refused(500, DIED)
        elif fault == "empty_error":
            raise Refused(500, "")
        elif fault == "damaged":
            raise Refused(500, "" if self.manner.old else "invalid file magic")
        elif fault == "busy":
            raise Refused(503, "server busy, please try again.  maximum pending requests exceeded")
        elif fault == "gone_weights":
            raise Refused(400, '"mistral" does not support generate')
        elif fault == "too_long":
            raise checks.too_long(self.manner, 9999, _DEFAULT_CTX)

    async def _in_turn(self, incoming: Incoming, model: Loaded, generation: Generation) -> None:
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        model.running += 1
        try:
            async with self._turn:
                await answer(incoming, self.manner, generation)
        finally:
            model.running -= 1
            self.memory.hold(model, model.hold_s)
            self._at_once -= 1

    def _nothing(self, incoming: Incoming, name: str, reason: str) -> None:
        incoming.send(200, {**head(name), "response": "", "done": True, "done_reason": reason})

    async def _told(self, incoming: Incoming) -> None:
        told = {"requests": self.requests, "loads": self.memory.loads, "most_at_once": self.most_at_once}
        incoming.send(200, {**told, "faults": self.faults.waiting})

    async def _control(self, incoming: Incoming) -> None:
        try:
            wanted = json.loads(incoming.body)
            if wanted.get("clear"):
                self.faults.waiting.clear()
            if "fault" in wanted:
                self.faults.add(wanted["fault"], wanted.get("times", 1))
            for name, value in wanted.get("set", {}).items():
                setattr(self.manner, name, type(getattr(self.manner, name))(value))
        except (ValueError, AttributeError) as exc:
            raise Refused(400, str(exc)) from exc
        incoming.send(200, {"faults": self.faults.waiting})


def _tagged(name: str) -> str:
    return name if ":" in name else f"{name}:latest"


@asynccontextmanager
async def serving(manner: Manner | None = None) -> AsyncIterator[OllamaServer]:
    """A server for the time of the block, in this process."""
    server = OllamaServer(manner or Manner())
    listening = await asyncio.start_server(server.serve, server.manner.host, server.manner.port)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listening.close()
