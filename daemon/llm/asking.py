"""Asking a model until its answer is whole: the proof that it is ready, the repair of what is not valid.

An answer is whole when the model stopped by itself, its trimmed text is one JSON object, and our own
model of the answer accepts that. Anything else is asked again, with what was wrong, at most twice.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from daemon.core.content.answers import AnswerModel, complaint
from daemon.core.errors import Blame, EngineError, Fault
from daemon.llm.client import (
    Answer,
    AnswerFailed,
    Finish,
    ModelClient,
    ModelHost,
    ModelIdentity,
    OnToken,
    Options,
    Request,
)

A = TypeVar("A", bound=AnswerModel)

TRIES = 3
_PROOF_TOKENS = 24
_PROOF_PROMPT = "Say in one plain sentence, without any JSON, what the weather is like."
_COMPLAINTS = {
    Finish.LENGTH: "the answer was too long; keep every text short",
    Finish.CUT: "the answer was not whole; keep every text short",
}


@dataclass(frozen=True, slots=True)
class Asking(Generic[A]):
    """What came of asking: the answer, or None and what was wrong with the last one."""

    answer: A | None
    complaint: str
    tries: int


class Asker(Generic[A]):
    """One engine's model, from its start to its stop, asked for answers of one kind."""

    def __init__(self, host: ModelHost, answer: type[A], choose: Callable[[], Options]) -> None:
        """`choose` gives the options of the next phase; they stay as they are until the next start."""
        self.host = host
        self.options = choose()
        self._choose = choose
        self.schema = answer.json_schema()
        self.tokens_per_s: float | None = None
        self._answer = answer
        self._client: ModelClient | None = None
        self._proven: ModelIdentity | None = None

    async def start(self, warm_up: str) -> None:
        """Bring the server up and prove it. Raises EngineError, with nothing left running.

        `warm_up` is a prompt of the work's kind: the server keeps its work on what all of them share, so
        that the first student's is done as every other's is. Seen: the same prompt and seed gave another
        rating when the shared part was new to the server. A server that is known to hold to the schema is
        asked nothing else: the proof is for each version and model, that it lives is for each start.
        """
        warm = False
        self.options = self._choose()
        warming = Request(warm_up, self.schema, replace(self.options, num_predict=1))
        known = self._proven
        try:
            started = await self.host.start(self._proof() if known is None else warming)
            self._client = started.client
            if known is None:
                self._hold(started.answer)
            elif self.host.identity != known or not self._begins(started.answer):
                known = None
                await self._prove(self._client)
            if known is None:
                await self._client.generate(warming, _unheard)
            # One that names no version can be another one at the next start.
            self._proven = self.host.identity if self.host.identity.server_version else None
            warm = True
        finally:
            if not warm:
                await self.stop()

    async def stop(self) -> None:
        """End the server."""
        self._client = None
        await self.host.stop()

    async def ask(
        self, render: Callable[[str | None], str], schema: Mapping[str, Any], on_token: OnToken
    ) -> Asking[A]:
        """Ask, and again with what was wrong, until the answer is whole.

        `render` makes the prompt, given what was wrong with the last answer; `schema` is that of the kind
        of answer, or a narrower one. Raises AnswerFailed.
        """
        wrong = ""
        for tries in range(1, TRIES + 1):
            # Another seed, or a small model says the same again; the count of tries makes it repeatable.
            options = replace(self.options, seed=self.options.seed + tries - 1)
            answer = await self._generate(Request(render(wrong or None), schema, options), on_token)
            whole, wrong = self._read(answer)
            if whole is not None:
                return Asking(whole, "", tries)
        return Asking(None, wrong, TRIES)

    def _read(self, answer: Answer) -> tuple[A | None, str]:
        if answer.finish is not Finish.STOP:
            return None, _COMPLAINTS[answer.finish]
        try:
            return self._answer.read(answer.text), ""
        except ValidationError as exc:
            return None, complaint(exc)

    async def _generate(self, request: Request, on_token: OnToken) -> Answer:
        """One answer. An error of a server in good health is the engine's fault only if it can't be proved.

        A server error is not always transient: a prompt may bring it about each time. So the server is
        asked its proof; if it passes that and fails the same request again, the fault is the task's.
        """
        if self._client is None:
            raise EngineError("the engine was asked before it was started")
        try:
            return await self._timed(self._client, request, on_token)
        except AnswerFailed as exc:
            if exc.fault.code not in ("server_error", "request_refused", "answer_cut") or not self.host.alive:
                raise self._judged(exc) from exc
        try:
            await self._prove(self._client)
        except EngineError as exc:
            raise self._judged(exc) from exc
        try:
            return await self._timed(self._client, request, on_token)
        except AnswerFailed as exc:
            fault = self._judged(exc).fault
            if fault.blame is Blame.ENGINE and not fault.died:
                fault = replace(fault, blame=Blame.TASK)
            raise AnswerFailed(fault) from exc

    def _judged(self, error: EngineError) -> AnswerFailed:
        """The failure, as a death when the server is not alive any more."""
        if not isinstance(error, AnswerFailed):
            fault = Fault(Blame.ENGINE, "not_ready", str(error))
        else:
            fault = error.fault
        if fault.blame is Blame.ENGINE and not self.host.alive:
            fault = replace(fault, died=True)
        return AnswerFailed(fault)

    async def _timed(self, client: ModelClient, request: Request, on_token: OnToken) -> Answer:
        began: float | None = None

        def heard(tokens: int) -> None:
            nonlocal began
            now = time.monotonic()
            if began is None:
                began = now
            elif now > began:
                self.tokens_per_s = (tokens - 1) / (now - began)
            on_token(tokens)

        return await client.generate(request, heard)

    async def _prove(self, client: ModelClient) -> None:
        self._hold(await client.generate(self._proof(), _unheard))

    def _proof(self) -> Request:
        """A real generation with the work's schema and options, and a prompt that asks for prose.

        Only a server that enforces the schema begins its answer with the first key. Older builds ignored
        a schema that they could not convert, and answered 200.
        """
        return Request(_PROOF_PROMPT, self.schema, replace(self.options, num_predict=_PROOF_TOKENS))

    def _hold(self, answer: Answer) -> None:
        """See that what came of the proof is held to the schema."""
        if not "".join(answer.text.split()).startswith(self._opening):
            raise EngineError("the server answers but does not hold to the JSON Schema; update it")

    def _begins(self, answer: Answer) -> bool:
        """Whether an answer that was not let end has begun as the schema says."""
        text = "".join(answer.text.split())[: len(self._opening)]
        return answer.finish is not Finish.CUT and text != "" and self._opening.startswith(text)

    @property
    def _opening(self) -> str:
        first = next(iter(self.schema["properties"]))
        return f'{{"{first}":'


def _unheard(_: int) -> None:
    """Nobody follows the tokens of a start."""
