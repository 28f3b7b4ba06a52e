"""The client for servers that speak OpenAI's chat completions: llama.cpp's, vLLM.

The one border at which HTTP becomes answers and faults.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx

from daemon.core.errors import Blame, Fault
from daemon.llm.client import Answer, AnswerFailed, Finish, OnToken, Request

_CONNECT_S = 5.0
_FINISH = {"stop": Finish.STOP, "length": Finish.LENGTH}


class OpenAIClient:
    """A ModelClient for `<url>/v1/chat/completions`.

    `stall_s` is the longest wait for a token and `timeout_s` for the whole answer, in seconds.
    A server that is `llama_cpp` is asked to keep its work on the head of the prompt, which is the same for
    all, and to report its progress while it reads a long one: a sign of life before the first token.
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        key: str = "",
        stall_s: float = 20.0,
        timeout_s: float = 300.0,
        llama_cpp: bool = False,
    ) -> None:
        self._model = model
        self._stall_s = stall_s
        self._timeout_s = timeout_s
        self._extra = {"cache_prompt": True, "return_progress": True} if llama_cpp else {}
        self._http = httpx.AsyncClient(
            base_url=url,
            trust_env=False,  # a proxy of the environment would get the requests to 127.0.0.1
            timeout=httpx.Timeout(None, connect=_CONNECT_S),  # a comment of the server's is no sign of life
            headers={"Authorization": f"Bearer {key}"} if key else {},
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def health(self) -> bool:
        """Whether llama.cpp's `/health` says that the model is loaded; no proof that it answers."""
        try:
            return (await self._http.get("/health")).is_success
        except httpx.HTTPError:
            return False

    async def generate(self, request: Request, on_token: OnToken) -> Answer:
        """See ModelClient."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._ask(request, on_token)
        except TimeoutError as exc:
            raise AnswerFailed(
                _died("answer_timeout", f"no whole answer within {self._timeout_s:g} s")
            ) from exc
        except httpx.HTTPError as exc:
            reason = str(exc) or type(exc).__name__
            raise AnswerFailed(_died("connection_lost", f"the connection was lost: {reason}")) from exc

    async def _ask(self, request: Request, on_token: OnToken) -> Answer:
        loop = asyncio.get_running_loop()
        try:
            async with (
                asyncio.timeout(self._stall_s) as stall,
                self._http.stream("POST", "/v1/chat/completions", json=self._body(request)) as reply,
            ):
                if not reply.is_success:
                    raise AnswerFailed(_refusal(reply.status_code, await reply.aread()))

                def heartbeat() -> None:
                    stall.reschedule(loop.time() + self._stall_s)

                return await _read(reply.aiter_lines(), heartbeat, on_token)
        except TimeoutError as exc:
            raise AnswerFailed(_died("stalled", f"no token for {self._stall_s:g} s")) from exc

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
            ),  # 0 means "no limit" to some servers
            "stream": True,
            "stream_options": {"include_usage": True},
            **self._extra,
        }


async def _read(lines: AsyncIterator[str], heartbeat: Callable[[], None], on_token: OnToken) -> Answer:
    """The answer of a stream of server-sent events, each of which is a heartbeat. Raises AnswerFailed."""
    pieces: list[str] = []
    finish: Finish | None = None
    usage: dict[str, Any] = {}
    timings: dict[str, Any] = {}
    async for line in lines:
        field, _, content = line.partition(":")
        content = content.strip()
        if field == "error":
            raise AnswerFailed(_server_error(200, content.encode()))
        if field != "data" or not content:
            continue
        if content == "[DONE]":
            break
        heartbeat()
        event = _parse(content)
        usage = event.get("usage") or usage
        timings = event.get("timings") or timings
        for choice in event.get("choices") or []:
            if reason := choice.get("finish_reason"):
                finish = _FINISH.get(reason, Finish.CUT)
            if piece := choice.get("delta", {}).get("content"):
                pieces.append(piece)
                on_token(len(pieces))
    if finish is None:
        raise AnswerFailed(Fault(Blame.ENGINE, "answer_cut", "the stream ended before the answer did"))
    return Answer(
        text="".join(pieces),
        finish=finish,
        prompt_tokens=usage.get("prompt_tokens", 0),
        cached_tokens=timings.get("cache_n", 0),
        answer_tokens=usage.get("completion_tokens", len(pieces)),
        prompt_s=timings["prompt_ms"] / 1000 if "prompt_ms" in timings else None,
        answer_s=timings["predicted_ms"] / 1000 if "predicted_ms" in timings else None,
    )


def _parse(content: str) -> dict[str, Any]:
    try:
        event = json.loads(content)
    except ValueError as exc:
        raise AnswerFailed(_server_error(200, content.encode())) from exc
    if not isinstance(event, dict) or "error" in event:
        raise AnswerFailed(_server_error(200, content.encode()))
    return event


def _refusal(status: int, body: bytes) -> Fault:
    """The fault of a reply that is no 2xx. An error's body may be empty, text or JSON."""
    if status == 400 and b"context" in body and (b"exceed" in body or b"maximum" in body):
        return Fault(
            Blame.PERMANENT, "transcript_too_long", "the transcript does not fit the model's context"
        )
    if status == 503:
        return Fault(Blame.ENGINE, "server_busy", f"the server is busy or still loads: {_excerpt(body)}")
    if status < 500:
        return Fault(Blame.ENGINE, "request_refused", f"the server answered {status}: {_excerpt(body)}")
    return _server_error(status, body)


def _server_error(status: int, body: bytes) -> Fault:
    where = "in the stream" if status == 200 else str(status)
    return Fault(Blame.ENGINE, "server_error", f"the server answered an error ({where}): {_excerpt(body)}")


def _died(code: str, message: str) -> Fault:
    return Fault(Blame.ENGINE, code, message, died=True)


def _excerpt(body: bytes) -> str:
    """One printable line of an error's body."""
    text = " ".join(body[:400].decode(errors="replace").split())
    return "".join(c for c in text if c.isprintable())[:200] or "(nothing said)"
