"""The log-probabilities that servers tell with an answer, and servers that tell none.

They are no part of the answer: where they are missing, refused or make no sense, it counts without them.
"""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from daemon.core.content.levels import Token
from daemon.core.errors import Fault
from daemon.llm.client import Answer, AnswerFailed, Request

_ROUNDING = 1e-3  # of a certain token, whose log-probability of 0 may come out a little larger
_NAME = "logprob"


class _Told(BaseModel):
    model_config = ConfigDict(strict=True)

    token: str
    logprob: Annotated[float, Field(le=_ROUNDING, allow_inf_nan=False)]
    raw: Annotated[list[Annotated[int, Field(ge=0, le=255)]] | None, Field(alias="bytes")] = None

    @property
    def text(self) -> bytes:
        """Its bytes, which may be a part of a character; its text where the server names none."""
        return self.token.encode(errors="replace") if self.raw is None else bytes(self.raw)


class _Entry(_Told):
    top_logprobs: list[_Told] | None = None


def told_tokens(entries: object) -> Iterator[Token]:
    """The tokens of one piece of an answer, as OpenAI's API and Ollama's tell them.

    An entry that makes no sense is left out: scores whose place it covers then count as drawn.
    """
    for each in entries if isinstance(entries, list) else ():
        if (entry := _read(each)) is not None:
            others = tuple((other.text, other.logprob) for other in entry.top_logprobs or ())
            yield Token(entry.text, entry.logprob, others)


def _read(told: object) -> _Entry | None:
    try:
        return _Entry.model_validate(told)
    except ValidationError:
        return None  # the answer stands without it


class Telling:
    """Whether one server tells log-probabilities. It is asked for them until it refuses."""

    def __init__(self) -> None:
        self._refused = False

    async def ask(self, request: Request, send: Callable[[Request], Awaitable[Answer]]) -> Answer:
        """The answer; without alternatives where the server refuses them. Raises AnswerFailed."""
        plain = replace(request, alternatives=0)
        if self._refused or not request.alternatives:
            return await send(plain)
        try:
            return await send(request)
        except AnswerFailed as exc:
            if not _may_be_theirs(exc.fault):
                raise
        answer = await send(plain)
        self._refused = True
        return answer


def _may_be_theirs(fault: Fault) -> bool:
    """Whether an answer failed because log-probabilities were asked for: each server has its own words."""
    return fault.code == "request_refused" or (fault.code == "server_error" and _NAME in fault.message)
