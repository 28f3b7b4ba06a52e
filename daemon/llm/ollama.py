"""The client for Ollama's `/api/generate`, streamed: for servers with Ollama's own runner or llama.cpp's.

Both shorten what does not fit and answer 200; both end a stream in mid-answer, though healthy, when a token
repeats; both can say `stop` of an answer that pushed its own instructions out of the context. So what
counts as whole is decided here, by the last line of the stream and its counts.
"""

from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from daemon.core.content.levels import Token
from daemon.core.errors import Blame, Fault
from daemon.llm.client import Answer, AnswerFailed, Finish, OnToken, Request
from daemon.llm.limits import AnswerLimits
from daemon.llm.logprobs import Telling, told_tokens
from daemon.llm.streaming import Heartbeat, server_error, streamed
from daemon.system.http_client import connection

RELOAD_S = 1.0
"""A loaded model takes up to 0.3 s of "load" on a busy machine; several GB of weights take longer."""

_Nanoseconds = Annotated[float, Field(allow_inf_nan=False)]
_FINISH = {"stop": Finish.STOP, "length": Finish.LENGTH}

OnReload = Callable[[float], None]
"""Called with the seconds that a reload took of a model that should have been loaded."""


class OllamaClient:
    """A ModelClient for one model of the server at `url`.

    Its answers stand under `limits`. `on_reload` is called when an answer had to wait for the model: its
    memory was taken, or its options had changed.
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        limits: AnswerLimits | None = None,
        on_reload: OnReload | None = None,
    ) -> None:
        self._model = model
        self._limits = limits or AnswerLimits()
        self._on_reload = on_reload
        self._telling = Telling()
        self._http = connection(url)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def generate(self, request: Request, on_token: OnToken) -> Answer:
        """See ModelClient."""
        num_ctx = request.options.num_ctx
        answer = await self._telling.ask(
            request,
            lambda asked: streamed(
                self._http,
                "/api/generate",
                generate_body(self._model, asked),
                lambda lines, heartbeat: _read(lines, heartbeat, on_token, num_ctx),
                self._limits,
                start=asked.start,
            ),
        )
        if self._on_reload is not None and answer.load_s is not None and answer.load_s > RELOAD_S:
            self._on_reload(answer.load_s)
        return answer


def generate_body(model: str, request: Request) -> dict[str, Any]:
    """The body of a request. Proof, preload and work differ only in options that reload nothing.

    `num_ctx` and `shift` reload the model when they differ; temperature, top_p, seed, `num_predict` and
    `format` do not. `keep_alive` counts only at the top, and only as a number or with a unit.
    """
    options = request.options
    return {
        "model": model,
        "prompt": request.prompt,
        "format": dict(request.schema),
        "stream": True,
        "raw": False,
        "truncate": False,
        "shift": False,
        "keep_alive": -1,
        **({"logprobs": True, "top_logprobs": request.alternatives} if request.alternatives else {}),
        "options": {
            "num_ctx": options.num_ctx,
            # Zero and less do not mean "none": such an answer runs on past any limit.
            "num_predict": max(1, min(options.num_predict, options.num_ctx)),
            "temperature": options.temperature,
            "top_p": options.top_p,
            "seed": options.seed,
        },
    }


class StreamLine(BaseModel):
    """One line of a stream, of an answer or of a pull; what is not needed of it is not looked at."""

    response: str | None = None
    logprobs: Any = None
    done: bool | None = None
    done_reason: str | None = None
    prompt_eval_count: int | None = None
    eval_count: int | None = None
    prompt_eval_duration: _Nanoseconds | None = None
    eval_duration: _Nanoseconds | None = None
    load_duration: _Nanoseconds | None = None
    error: Any = None
    status: str | None = None
    completed: int | None = None
    total: int | None = None


async def _read(lines: AsyncIterator[str], heartbeat: Heartbeat, on_token: OnToken, num_ctx: int) -> Answer:
    """The answer in a stream of JSON lines, each of which is a heartbeat. Raises AnswerFailed."""
    pieces: list[str] = []
    tokens: list[Token] = []
    last: StreamLine | None = None
    async for line in lines:
        if not line.strip():
            continue
        heartbeat()
        last = parse_line(line)
        if last.response:
            pieces.append(last.response)
            on_token(len(pieces))
        tokens += told_tokens(last.logprobs)
        if last.done:
            break
    if last is None:
        raise AnswerFailed(Fault(Blame.ENGINE, "answer_cut", "the stream ended before the answer began"))
    return Answer(
        text="".join(pieces),
        finish=_finish(last, num_ctx),
        tokens=tuple(tokens),
        prompt_tokens=last.prompt_eval_count or 0,
        answer_tokens=len(pieces) if last.eval_count is None else last.eval_count,
        prompt_s=_seconds(last.prompt_eval_duration),
        answer_s=_seconds(last.eval_duration),
        load_s=_seconds(last.load_duration),
    )


def _finish(last: StreamLine, num_ctx: int) -> Finish:
    """The way an answer ended, by the last line of its stream."""
    if not last.done:
        return Finish.CUT
    if (last.prompt_eval_count or 0) + (last.eval_count or 0) > num_ctx:
        return Finish.LENGTH  # it says `stop`, but the instructions were pushed out of the context
    return _FINISH.get(last.done_reason or "", Finish.CUT)


def parse_line(line: str) -> StreamLine:
    """Parse one line of a stream. Raises AnswerFailed when it is an error, or none of such a stream."""
    try:
        parsed = StreamLine.model_validate_json(line)
    except ValidationError as exc:
        raise AnswerFailed(server_error(200, line.encode())) from exc
    if parsed.error is not None:
        raise AnswerFailed(server_error(200, line.encode()))
    return parsed


def _seconds(nanoseconds: float | None) -> float | None:
    return None if nanoseconds is None else nanoseconds / 1e9
