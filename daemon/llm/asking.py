"""Asking a model until its answer is whole: the proof that it is ready, and the repair of invalid answers.

An answer is whole when the model stopped by itself, its trimmed text is one JSON object, and our own
model of the answer accepts that. Anything else is asked again, with what was wrong, at most twice.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Generic, TypeVar

import structlog
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

log = structlog.get_logger()

A = TypeVar("A", bound=AnswerModel)

TRIES = 3
_PROOF_TOKENS = 24  # enough for the first key, which is all that the proof looks at
_PROOF_PROMPT = "Say in one plain sentence, without any JSON, what the weather is like."
_COMPLAINTS = {
    Finish.LENGTH: "the answer was too long; keep every text short",
    Finish.CUT: "the answer was not whole; keep every text short",
}


@dataclass(frozen=True, slots=True)
class Asking(Generic[A]):
    """The result of asking: the answer, or None and the complaint about the last one. `seed` is that of the
    first of its attempts; each further one has the next. `given` is the last answer as the server gave it,
    None where it was not asked.
    """

    answer: A | None
    complaint: str
    attempts: int
    seed: int
    given: Answer | None = None


@dataclass(frozen=True, slots=True)
class Cost:
    """What a server's answers have cost, by its own counts: tokens of prompts and the seconds in which it
    read what it did not hold already, tokens of answers and the seconds in which it wrote them.
    """

    answers: int = 0
    prompt_tokens: int = 0
    prompt_s: float = 0.0
    answer_tokens: int = 0
    answer_s: float = 0.0

    def with_answer(self, answer: Answer) -> "Cost":
        """The cost with one answer more."""
        return Cost(
            self.answers + 1,
            self.prompt_tokens + answer.prompt_tokens,
            round(self.prompt_s + (answer.prompt_s or 0.0), 3),
            self.answer_tokens + answer.answer_tokens,
            round(self.answer_s + (answer.answer_s or 0.0), 3),
        )


class Asker:
    """One engine's model. It is proved with the kind of answer `answer`."""

    def __init__(self, host: ModelHost, answer: type[AnswerModel], choose: Callable[[], Options]) -> None:
        """`choose` gives the options of the next phase; they stay the same until the next start."""
        self.host = host
        self.options = choose()
        self._choose = choose
        self.schema = answer.json_schema()
        self.tokens_per_s: float | None = None
        self._client: ModelClient | None = None
        self._proven: ModelIdentity | None = None
        self._shared = ""  # the last warm-up
        self._cost = Cost()

    async def start(self, warm_up: str) -> None:
        """Start the server and prove it. Raises EngineError, with nothing left running.

        `warm_up` is a prompt of the work's kind: the server caches the part that all prompts share, so that
        the first student is treated as every other. Holding to the schema is proved once for each version and
        model, being alive at each start. A server that is known is asked the proof's question all the same,
        for one token, so that it reads the shared part from the same place on at each start. Seen: without it
        the students after a restart got scores that differed by up to 0.2.
        """
        warm = False
        self.options = self._choose()
        known = self._proven
        try:
            started = await self.host.start(self._proof(_PROOF_TOKENS if known is None else 1))
            self._client = started.client
            self._cost = self._cost.with_answer(started.answer)
            if known is None:
                self._hold(started.answer)
            elif self.host.identity != known or not self._begins(started.answer):
                await self._prove(self._client)
            await self._warm(self._client, warm_up)
            # A server that names no version may be another one at the next start.
            self._proven = self.host.identity if self.host.identity.server_version else None
            warm = True
        finally:
            if not warm:
                await self.stop()

    async def warm_up(self, text: str) -> None:
        """Let the started server hold the shared part of a prompt, and nothing of another student's.

        Costs one token, and the reading of what follows the shared part in `text`. Raises AnswerFailed.
        """
        self._shared = text
        await self._generate(self._warming(text), _unheard)

    async def probe(self, prompt: str, kind: type[A], schema: Mapping[str, Any]) -> A | None:
        """One answer to a prompt of ours, None where it is not valid. Raises AnswerFailed."""
        request = Request(prompt, schema, self.options, start=True)
        return _read(kind, await self._generate(request, _unheard))[0]

    async def stop(self) -> None:
        """Stop the server, and log what its answers have cost, those of its start among them."""
        cost, self._cost = self._cost, Cost()
        if cost.answers:
            log.info("cost of the answers", model=self.host.identity.model, **asdict(cost))
        self._client = None
        await self.host.stop()

    async def ask(
        self,
        render: Callable[[str | None], str],
        kind: type[A],
        schema: Mapping[str, Any],
        on_token: OnToken,
        *,
        reseed: int = 0,
        alternatives: int = 0,
    ) -> Asking[A]:
        """Ask, and again with what was wrong, until the answer is whole.

        `render` makes the prompt, given the complaint about the last answer; `schema` is that of the answer's
        `kind`, or a narrower one. With another `reseed` no attempt has a seed of this one. `alternatives` is
        that of a Request. Raises AnswerFailed.
        """
        wrong, first, answer = "", self.options.seed + reseed * TRIES, None
        for attempt in range(1, TRIES + 1):
            # Another seed, or a small model gives the same answer; counted up, so that it can be repeated.
            options = replace(self.options, seed=first + attempt - 1)
            request = Request(render(wrong or None), schema, options, alternatives)
            answer = await self._generate(request, on_token)
            whole, wrong = _read(kind, answer)
            if whole is not None:
                return Asking(whole, "", attempt, first, answer)
        return Asking(None, wrong, TRIES, first, answer)

    async def _generate(self, request: Request, on_token: OnToken) -> Answer:
        """One answer. An error of a healthy server is the engine's fault only if the proof fails as well.

        A server error is not always transient: a prompt may cause it each time. So the server is proved
        again; if it passes and then fails the same request again, the fault is the task's.
        """
        if self._client is None:
            raise EngineError("the engine was asked before its start")
        if not self.host.alive:  # it ended before it had this request in hand, so that this is no death
            raise AnswerFailed(Fault(Blame.ENGINE, "not_running", "the model's server does not run"))
        try:
            return await self._timed(self._client, request, on_token)
        except AnswerFailed as exc:
            if exc.fault.code not in ("server_error", "request_refused", "answer_cut") or not self.host.alive:
                raise self._judged(exc) from exc
        try:
            await self._prove(self._client)
            await self._warm(self._client, self._shared)
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
        """The failure; it counts as a death when the server is not alive any more."""
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

        return await self._counted(client, request, heard)

    async def _counted(self, client: ModelClient, request: Request, on_token: OnToken) -> Answer:
        answer = await client.generate(request, on_token)
        self._cost = self._cost.with_answer(answer)
        return answer

    def _warming(self, text: str) -> Request:
        return Request(text, self.schema, replace(self.options, num_predict=1), start=True)

    async def _warm(self, client: ModelClient, text: str) -> None:
        self._shared = text
        await self._counted(client, self._warming(text), _unheard)

    async def _prove(self, client: ModelClient) -> None:
        self._hold(await self._counted(client, self._proof(), _unheard))

    def _proof(self, tokens: int = _PROOF_TOKENS) -> Request:
        """A real generation with the work's schema and options, and a prompt that asks for prose.

        Only a server that enforces the schema begins its answer with the first key. Older builds ignored
        a schema that they could not convert, and answered 200.
        """
        options = replace(self.options, num_predict=tokens)
        return Request(_PROOF_PROMPT, self.schema, options, start=True)

    def _hold(self, answer: Answer) -> None:
        """Raise EngineError unless the answer to the proof follows the schema."""
        if not "".join(answer.text.split()).startswith(self._opening):
            raise EngineError("the server answers but does not hold to the JSON Schema; update the server")

    def _begins(self, answer: Answer) -> bool:
        """Whether the beginning of an answer that was cut off follows the schema."""
        text = "".join(answer.text.split())[: len(self._opening)]
        return answer.finish is not Finish.CUT and text != "" and self._opening.startswith(text)

    @property
    def _opening(self) -> str:
        first = next(iter(self.schema["properties"]))
        return f'{{"{first}":'


def _read(kind: type[A], answer: Answer) -> tuple[A | None, str]:
    """The answer, or None and what is wrong with it."""
    if answer.finish is not Finish.STOP:
        return None, _COMPLAINTS[answer.finish]
    try:
        return kind.read(answer.text), ""
    except ValidationError as exc:
        return None, complaint(exc)


def _unheard(_: int) -> None:
    """Ignore the tokens of a start."""
