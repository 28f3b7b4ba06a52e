"""The two engines with a language model: the extractor reads the form, the rater rates.

Neither is shown words that certainly address the grader. Words that may address it, and those that the search
does not find, reach them, delimited and as data.
"""

import asyncio
import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, ClassVar, Generic

from daemon.contracts.values import (
    Extracted,
    ExtractWork,
    Failed,
    OnProgress,
    Provenance,
    Rated,
    RateWork,
    StageOutcome,
    Ticket,
)
from daemon.contracts.wire.status import EngineReport
from daemon.core.content.answers import FormAnswer, RatingAnswer, rating_schema
from daemon.core.content.document import Flag
from daemon.core.content.grounding import ground_profile, locate_evidence
from daemon.core.content.shown_form import delivery_in_words, shown_form
from daemon.core.content.untrusted import addresses_evaluator, impartial, neutralise
from daemon.core.errors import Blame, EngineError, Fault
from daemon.core.model_ref import DEMO_DIGEST
from daemon.core.tasks.task import Stage
from daemon.llm.asking import A, Asker, Asking
from daemon.llm.client import AnswerFailed, ModelHost, OnToken, Options
from daemon.llm.prompts import Prompt
from daemon.llm.rubric import Rubric
from daemon.llm.template_check import HELLO, NO_FORM, PromptName

_DEMO = Flag(code="demo_model", detail="a small model that shows the flow; this is no grade")
_EMPTY = Fault(Blame.PERMANENT, "empty_transcript", "there is no word in the transcript to ask a model about")
_SMALL = Fault(
    Blame.ENGINE,
    "context_too_small",
    "a transcript is longer than this phase's context, so the model is loaded again with a larger one",
)
_NOTHING_LEFT = "all that was said addresses the evaluator"


class _Evaluator(Generic[A]):
    """The common part of both engines: start, stop, and asking about one transcript.

    `options` gives those of the next phase. `outgrown` is called with a context, in tokens, that did not hold
    a prompt; True when the next phase can have a larger one.
    """

    stage: Stage
    _name: ClassVar[PromptName]

    def __init__(
        self,
        host: ModelHost,
        rubric: Rubric,
        answer: type[A],
        options: Callable[[], Options],
        outgrown: Callable[[int], bool],
        usual: int,
    ) -> None:
        self._asker = Asker(host, answer, options)
        self._rubric = rubric
        self._known: Prompt | None = None  # the prompt whose shared part the server holds
        self._taking_up = asyncio.Lock()
        self._outgrown = outgrown
        self._usual_tokens = usual

    @property
    def alive(self) -> bool:
        """Whether the model's server runs."""
        return self._asker.host.alive

    @property
    def tokens_per_s(self) -> float | None:
        """The rate of the present answer, or of the last one; None before the first."""
        return self._asker.tokens_per_s

    def report(self) -> EngineReport:
        """The engine as the operator sees it."""
        report = self._asker.host.report()
        return report.model_copy(update={"tokens_per_s": self.tokens_per_s if self.alive else None})

    async def start(self) -> None:
        """Start the server and prove it by a real generation. Raises EngineError."""
        prompt = self._rubric.text(self._name)
        await self._asker.start(prompt.render(HELLO))
        self._known = prompt

    async def stop(self) -> None:
        """Stop the server, also one that an earlier daemon left. Raises EngineError."""
        await self._asker.stop()

    async def _ask(
        self, ticket: Ticket, text: str, progress: OnProgress, *, reseed: int, **values: Any
    ) -> tuple[Prompt, Asking[A]] | Failed:
        """The answer, and the very prompt that was asked, also where the file is another one by now."""
        # To an empty prompt the models answered with an invented student.
        if not _says_something(neutralise(text)):
            return Failed(ticket, _EMPTY)
        transcript = impartial(text)
        if not _says_something(transcript):
            return self._rubric.text(self._name), Asking(None, _NOTHING_LEFT, 0, self._asker.options.seed)

        schema = rating_schema(transcript) if self.stage is Stage.RATE else self._asker.schema
        try:
            prompt = await self._prompt()

            def render(complaint: str | None) -> str:
                return prompt.render(transcript, complaint=complaint, **values)

            on_token = _share_of(self._usual_tokens, ticket, progress)
            return prompt, await self._asker.ask(render, schema, on_token, reseed)
        except AnswerFailed as exc:
            too_long = exc.fault.code == "transcript_too_long"
            larger = too_long and self._outgrown(self._asker.options.num_ctx)
            return Failed(ticket, _SMALL if larger else exc.fault)
        except EngineError as exc:  # of the template
            return Failed(ticket, Fault(Blame.PERMANENT, "rubric_failed", str(exc)))

    async def _prompt(self) -> Prompt:
        """The prompt to ask with; the server has read its shared part already. Raises AnswerFailed."""
        async with self._taking_up:
            prompt = self._rubric.text(self._name, asking=True)
            if prompt != self._known:
                await self._asker.warm_up(prompt.render(HELLO))
                self._known = prompt
            return prompt

    def _flags(self) -> tuple[Flag, ...]:
        identity = self._asker.host.identity
        demo = (_DEMO,) if identity.digest == f"sha256:{DEMO_DIGEST}" else ()
        if not identity.degraded:
            return demo
        return (*demo, Flag(code="degraded", detail=f"{self.stage}: {identity.degraded}"))

    def _provenance(self, prompt: Prompt, asked: Asking[A], text: str, **more: Any) -> Provenance:
        """Everything needed to repeat this outcome: model, prompt, schema, parameters and transcript."""
        schema = json.dumps(self._asker.schema, separators=(",", ":")).encode()
        return {
            **asdict(self._asker.host.identity),
            "prompt": prompt.title,
            "prompt_sha256": prompt.sha256,
            "transcript_sha256": _sha256(text),
            "schema_sha256": hashlib.sha256(schema).hexdigest(),
            "parameters": asdict(self._asker.options),
            "seed": asked.seed,
            "tries": asked.attempts,
            **more,
        }


class FormExtractor(_Evaluator[FormAnswer]):
    """The engine that reads the form from a transcript."""

    stage = Stage.EXTRACT
    _name = "extract"

    def __init__(
        self,
        host: ModelHost,
        rubric: Rubric,
        options: Callable[[], Options],
        outgrown: Callable[[int], bool] = lambda num_ctx: False,
    ) -> None:
        super().__init__(host, rubric, FormAnswer, options, outgrown, usual=110)

    async def extract(self, work: ExtractWork, progress: OnProgress) -> StageOutcome:
        """Read the form: an Extracted, with no profile and a flag when no answer was valid, or a Failed."""
        said = work.transcript.text
        answered = await self._ask(work.ticket, said, progress, reseed=work.reseed)
        if isinstance(answered, Failed):
            return answered
        prompt, asked = answered
        provenance = self._provenance(prompt, asked, said)
        if asked.answer is None:
            invalid = Flag(code="no_valid_form", field="profile", detail=asked.complaint)
            return Extracted(work.ticket, None, (invalid, *self._flags()), provenance)
        shown = work.transcript.model_copy(update={"text": impartial(said)})
        profile, flags = ground_profile(asked.answer.profile(), shown)
        return Extracted(work.ticket, profile, (*flags, *self._flags()), provenance)


class IntroductionRater(_Evaluator[RatingAnswer]):
    """The engine that rates an introduction."""

    stage = Stage.RATE
    _name = "rate"

    def __init__(
        self,
        host: ModelHost,
        rubric: Rubric,
        options: Callable[[], Options],
        outgrown: Callable[[int], bool] = lambda num_ctx: False,
    ) -> None:
        super().__init__(host, rubric, RatingAnswer, options, outgrown, usual=180)

    async def rate(self, work: RateWork, progress: OnProgress) -> StageOutcome:
        """Rate: a Rated, with no evaluation and a flag when no answer was valid, or a Failed."""
        form = shown_form(work.profile, work.transcript)
        answered = await self._ask(
            work.ticket,
            work.transcript.text,
            progress,
            reseed=work.reseed,
            speaking=delivery_in_words(work.speaking),
            profile=NO_FORM if form is None else form,
        )
        if isinstance(answered, Failed):
            return answered
        prompt, asked = answered
        seen = None if form is None or "profile" not in prompt.names else _sha256(form)
        provenance = self._provenance(prompt, asked, work.transcript.text, profile_sha256=seen)
        flags = self._flags()
        if suspect := addresses_evaluator(work.transcript.text):
            flags = (suspect, *flags)
        if asked.answer is None:
            flags = (Flag(code="no_valid_rating", field="evaluation", detail=asked.complaint), *flags)
            return Rated(work.ticket, None, flags, provenance)
        evaluation, unquoted = asked.answer.evaluation()
        evaluation, unfound = locate_evidence(evaluation, work.transcript)
        return Rated(work.ticket, evaluation, (*unquoted, *unfound, *flags), provenance)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _says_something(text: str) -> bool:
    return any(c.isalnum() for c in text)


def _share_of(usual_tokens: int, ticket: Ticket, progress: OnProgress) -> OnToken:
    """Report progress by the tokens of a usual answer; 1 is reported at the end only."""

    def on_token(tokens: int) -> None:
        progress(ticket, min(0.95, tokens / usual_tokens))

    return on_token
