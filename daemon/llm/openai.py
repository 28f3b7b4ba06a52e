"""The client for servers with OpenAI's chat completions: llama.cpp's, vLLM."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
from pydantic import BaseModel, Field, ValidationError

from daemon.core.content.levels import Token
from daemon.core.errors import Blame, Fault
from daemon.llm.client import Answer, AnswerFailed, Finish, OnToken, Request
from daemon.llm.limits import AnswerLimits
from daemon.llm.logprobs import Telling, told_tokens
from daemon.llm.streaming import Heartbeat, server_error, streamed
from daemon.system.http_client import asked, connection

_ROUTE_S = 5.0
_MOST_TOLD = 1024 * 1024  # bytes, of a route that tells how the server is
_FINISH = {"stop": Finish.STOP, "length": Finish.LENGTH}


class OpenAIClient:
    """A ModelClient for `<url>/v1/chat/completions`, whose answers stand under `limits`.

    A server that is `llama_cpp` is asked to cache the head of the prompt, which all share, and to report its
    progress with a long prompt: a sign of life before the first token.
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        key: str = "",
        limits: AnswerLimits | None = None,
        llama_cpp: bool = False,
    ) -> None:
        self._model = model
        self._limits = limits or AnswerLimits()
        self._extra = {"cache_prompt": True, "return_progress": True} if llama_cpp else {}
        self._telling = Telling()
        self._http = connection(url, key)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def health(self) -> bool:
        """Whether llama.cpp's `/health` reports the model as loaded, which does not prove that it answers."""
        try:
            async with asyncio.timeout(_ROUTE_S):
                status, _ = await asked(self._http, "GET", "/health", most=_MOST_TOLD)
        except (TimeoutError, httpx.HTTPError):
            return False
        return status // 100 == 2

    async def slots(self) -> int | None:
        """The requests at a time that llama.cpp's `/props` tells; None from another server."""
        try:
            async with asyncio.timeout(_ROUTE_S):
                _, told = await asked(self._http, "GET", "/props", most=_MOST_TOLD)
            return _Props.model_validate_json(told).total_slots
        except (TimeoutError, httpx.HTTPError, ValidationError):
            return None

    async def generate(self, request: Request, on_token: OnToken) -> Answer:
        """See ModelClient."""
        return await self._telling.ask(
            request,
            lambda wanted: streamed(
                self._http,
                "/v1/chat/completions",
                self._body(wanted),
                lambda lines, heartbeat: _read(lines, heartbeat, on_token),
                self._limits,
                start=wanted.start,
            ),
        )

    def _body(self, request: Request) -> dict[str, Any]:
        options = request.options
        return {
            "model": self._model,
            "messages": [{"role": "user", "content": request.prompt}],
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "answer", "strict": True, "schema": dict(request.schema)},
            },
            "temperature": options.temperature,
            "top_p": options.top_p,
            "seed": options.seed,
            "max_tokens": max(
                1, min(options.num_predict, options.num_ctx)
            ),  # some servers take 0 as "no limit"
            "stream": True,
            "stream_options": {"include_usage": True},
            **({"logprobs": True, "top_logprobs": request.alternatives} if request.alternatives else {}),
            **self._extra,
        }


class _Props(BaseModel):
    total_slots: int | None = Field(default=None, gt=0)


class _Delta(BaseModel):
    content: str | None = None


class _Choice(BaseModel):
    delta: _Delta | None = None
    finish_reason: str | None = None
    logprobs: Any = None


class _Usage(BaseModel):
    prompt_tokens: int = 0
    completion_tokens: int | None = None


class _Timings(BaseModel):
    prompt_ms: float | None = Field(default=None, allow_inf_nan=False)
    predicted_ms: float | None = Field(default=None, allow_inf_nan=False)


class _Event(BaseModel):
    """One event of a stream; what is not needed of it is not looked at."""

    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    timings: _Timings | None = None
    error: Any = None


async def _read(lines: AsyncIterator[str], heartbeat: Heartbeat, on_token: OnToken) -> Answer:
    """The answer in a stream of server-sent events, each of which is a heartbeat. Raises AnswerFailed."""
    pieces: list[str] = []
    tokens: list[Token] = []
    finish: Finish | None = None
    usage, timings = _Usage(), _Timings()
    async for line in lines:
        field, _, content = line.partition(":")
        content = content.strip()
        if field == "error":
            raise AnswerFailed(server_error(200, content.encode()))
        if field != "data" or not content:
            continue
        if content == "[DONE]":
            break
        heartbeat()
        event = _parse(content)
        usage = event.usage or usage
        timings = event.timings or timings
        for choice in event.choices or []:
            if reason := choice.finish_reason:
                finish = _FINISH.get(reason, Finish.CUT)
            if choice.delta is not None and choice.delta.content:
                pieces.append(choice.delta.content)
                on_token(len(pieces))
            told = choice.logprobs
            tokens += told_tokens(told.get("content") if isinstance(told, dict) else None)
    if finish is None:
        raise AnswerFailed(Fault(Blame.ENGINE, "answer_cut", "the stream ended before the answer did"))
    return Answer(
        text="".join(pieces),
        finish=finish,
        tokens=tuple(tokens),
        prompt_tokens=usage.prompt_tokens,
        answer_tokens=len(pieces) if usage.completion_tokens is None else usage.completion_tokens,
        prompt_s=None if timings.prompt_ms is None else timings.prompt_ms / 1000,
        answer_s=None if timings.predicted_ms is None else timings.predicted_ms / 1000,
    )


def _parse(content: str) -> _Event:
    try:
        event = _Event.model_validate_json(content)
    except ValidationError as exc:
        raise AnswerFailed(server_error(200, content.encode())) from exc
    if event.error is not None:
        raise AnswerFailed(server_error(200, content.encode()))
    return event
