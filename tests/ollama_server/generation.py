"""One answer of a test server: what the model says, in pieces, and how it ends."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

from tests.ollama_server import backend, making, telling
from tests.ollama_server.http import Incoming
from tests.ollama_server.manner import Manner

DIED = "an error was encountered while running the model: unexpected EOF"
_ENDS = {
    "length": "length",
    "stream_error": "error",
    "runner_dies": "error",
    "cut_connection": "cut",
    "repeat": "none",
}
_PROSE = "I am sorry, but as a language model I cannot fill in a form. " * 3


@dataclass
class Generation:
    """What is asked, after all checks."""

    request: dict[str, Any]
    schema: Any
    prompt_tokens: int
    num_ctx: int
    load_ns: int
    fault: str

    @property
    def limit(self) -> int:
        """How many tokens the answer may have. Zero and less run on to ten times the context."""
        asked = int((self.request.get("options") or {}).get("num_predict", -1))
        limit = asked if asked > 0 else 10 * self.num_ctx
        shifts = self.request.get("shift", True) or self.fault == "shift"
        return limit if shifts else min(limit, max(1, self.num_ctx - self.prompt_tokens - 1))


async def answer(incoming: Incoming, manner: Manner, generation: Generation) -> None:
    """Say it: a stream, or one object where none was asked for."""
    streams = generation.request.get("stream", True)
    if streams:
        incoming.open()
    said: list[str] = []
    try:
        reason = await _say(incoming, manner, generation, said)
    except backend.BackendFailed:
        reason = "error"
    if reason in ("hung_up", "cut"):
        return
    last = {"error": DIED} if reason == "error" else _last(generation, said, reason)
    if not streams:
        answered = {"response": "".join(said), "done": reason != "none", **told(manner, generation, said)}
        whole = last if reason == "error" else {**last, **answered}
        incoming.send(500 if reason == "error" else 200, whole)
        return
    if reason != "none":
        await incoming.line(last)
    incoming.end()


async def _say(incoming: Incoming, manner: Manner, generation: Generation, said: list[str]) -> str:
    """Say the text, and give how it ends: Ollama's reason, or `none`, `error`, `cut` or `hung_up`."""
    line = {**head(generation.request["model"]), "done": False}
    await asyncio.sleep(manner.prompt_s)
    async with contextlib.aclosing(_pieces(manner, generation)) as pieces:
        async for piece in pieces:
            if len(said) == generation.limit:
                return "length"
            await asyncio.sleep(manner.token_s)
            said.append(piece)
            if generation.request.get("stream", True):
                await incoming.line({**line, "response": piece, **told(manner, generation, [piece])})
            if len(said) == 2 and generation.fault == "silence":
                await incoming.hung_up()
                return "hung_up"
    return _ENDS.get(generation.fault, "stop")


async def _pieces(manner: Manner, generation: Generation) -> AsyncGenerator[str]:
    fault = generation.fault
    if fault == "whitespace":
        yield "{"
        while True:
            yield "\n"
    if manner.backend and fault in ("", "reload"):
        async for piece in backend.pieces(
            manner.backend, manner.backend_key, generation.request, generation.limit
        ):
            yield piece
        return
    text = making.answer(generation.request["prompt"], generation.schema)
    if manner.old and generation.schema:
        text += "\n\n  "  # as often seen there
    pieces = making.tokens({"prose": _PROSE, "invalid": '{"no": "such key"}'}.get(fault, text))
    halved = fault == "truncated" or fault in _ENDS
    for piece in pieces[: len(pieces) // 2] if halved else pieces:
        yield piece


def told(manner: Manner, generation: Generation, pieces: list[str]) -> dict[str, Any]:
    """The log-probabilities of these pieces, where they are asked for and the server knows of them."""
    if not manner.top_logprobs or not generation.request.get("logprobs"):
        return {}
    top = min(generation.request.get("top_logprobs", 0), manner.top_logprobs)
    return {"logprobs": telling.logprobs(pieces, top)}


def head(model: str) -> dict[str, Any]:
    """What every line begins with."""
    return {"model": model, "created_at": "2026-11-23T16:13:30.371473158Z"}


def _last(generation: Generation, said: list[str], reason: str) -> dict[str, Any]:
    # The token that ended it is counted, and has no text.
    answered = generation.num_ctx if generation.fault == "overflow" else len(said) + (reason == "stop")
    prompt_tokens = generation.prompt_tokens
    if prompt_tokens >= generation.num_ctx:
        prompt_tokens = generation.num_ctx // 2 + 2  # the prompt was cut, and nobody is told
    prompt_ns, answer_ns = 1_000_000 * prompt_tokens, 2_000_000 * answered
    return {
        **head(generation.request["model"]),
        "response": "",
        "done": True,
        "done_reason": reason,
        "context": list(range(min(prompt_tokens + answered, 64))),
        "total_duration": generation.load_ns + prompt_ns + answer_ns,
        "load_duration": generation.load_ns,
        "prompt_eval_count": prompt_tokens,
        "prompt_eval_duration": prompt_ns,
        "eval_count": answered,
        "eval_duration": answer_ns,
    }
