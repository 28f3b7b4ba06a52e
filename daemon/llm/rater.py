"""The engine that rates an introduction."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from daemon.contracts.values import Fitness, OnProgress, Rated, RateWork, StageOutcome
from daemon.core.content.document import Evaluation, Flag, SetAside
from daemon.core.content.grounding import locate_evidence
from daemon.core.content.levels import ALTERNATIVES, Figure, figures
from daemon.core.content.scoring import (
    ConfidenceAnswer,
    FeedbackAnswer,
    RatingAnswer,
    ScoresAnswer,
    evaluation_of,
)
from daemon.core.content.sentences import numbered
from daemon.core.content.set_aside import (
    addresses_evaluator,
    compared,
    moved,
    named_by_model,
    set_aside,
    without,
)
from daemon.core.content.shown_form import delivery_in_words, shown_form
from daemon.core.content.untrusted import neutralise
from daemon.core.tasks.task import Stage
from daemon.llm.asking import Asking
from daemon.llm.client import AnswerFailed, ModelHost, OnToken, Options
from daemon.llm.evaluator import Evaluator, says_something, sha256, shared_part
from daemon.llm.prompts import Prompt
from daemon.llm.rubric import Rubric
from daemon.llm.template_check import NO_FORM, Question

S = TypeVar("S", bound=ScoresAnswer)


class IntroductionRater(Evaluator):
    """The engine that rates an introduction.

    It is asked for the confidence first, from the words alone unless `voice`, then for the other scores, with
    the figures of the voice, and then for the words to the student. Each question goes on where the part that
    it shares with the one before ends. Where words speak to the grader, the scores are asked for again with
    these left in, or without them. The likeliest tokens are asked for with the scores alone: for them Ollama
    0.24 sorts its whole vocabulary at each token: some 15 ms for 49,000 words, 44 for LLaMA 3's 128,000.
    `fitness` gives the flags that its fairness card puts on every rating.
    """

    stage = Stage.RATE
    _name = "rate"
    _first = ConfidenceAnswer
    _kinds = (ConfidenceAnswer, RatingAnswer, FeedbackAnswer)
    _usual_tokens = 190

    def __init__(
        self,
        host: ModelHost,
        rubric: Rubric,
        options: Callable[[], Options],
        outgrown: Callable[[int], bool] = lambda num_ctx: False,
        *,
        voice: bool = False,
        fitness: Fitness = lambda provenance: (),
    ) -> None:
        super().__init__(host, rubric, options, outgrown)
        self._voice, self._fitness = voice, fitness

    async def rate(self, work: RateWork, progress: OnProgress) -> StageOutcome:
        """Rate: a Rated, with no evaluation and a flag when no answer was valid, or a Failed."""
        said = work.transcript.text

        async def ask(prompt: Prompt, seen: str) -> StageOutcome:
            form = shown_form(work.profile, work.transcript)
            on_token = self._heard(work.ticket, progress)
            confidence, rating = await self._rating(prompt, seen, form, work, on_token)
            feedback = None
            if rating is not None and rating.answer is not None and not work.scores_only:
                feedback = await self._feedback(prompt, seen, form, work, on_token, rating.answer)
            found = set_aside(work.transcript, named_by_model(work.set_aside))
            last: Asking[Any] = feedback or rating or confidence
            scored = {**_figures(confidence), **_figures(rating)}
            provenance = self._provenance(
                prompt,
                self._kinds,
                last,
                said,
                profile_sha256=None if form is None or "profile" not in prompt.names else sha256(form),
                confidence_from="voice" if self._voice else "words",
                scores_from=_scores_from(scored),
            )
            flags = (*self._fitness(provenance), *self._flags())
            if suspect := addresses_evaluator(found):
                flags = (suspect, *flags)
            if confidence.answer is None or rating is None or rating.answer is None or last.answer is None:
                flags = (Flag(code="no_valid_rating", field="evaluation", detail=last.complaint), *flags)
                return Rated(work.ticket, None, flags, provenance, found)
            words = None if feedback is None else feedback.answer
            evaluation, doubts = evaluation_of(rating.answer, confidence.answer, words, scored, seen)
            evaluation, unfound = locate_evidence(evaluation, work.transcript)
            if found:
                evaluation = await self._compared(evaluation, found, prompt, seen, form, work, on_token)
            flags = (*doubts, *unfound, *moved(evaluation), *flags)
            return Rated(work.ticket, evaluation, flags, provenance, found)

        return await self._ask(work.ticket, said, ask)

    async def _rating(
        self, prompt: Prompt, seen: str, form: str | None, work: RateWork, on_token: OnToken
    ) -> tuple[Asking[ConfidenceAnswer], Asking[RatingAnswer] | None]:
        """The scores: both answers; the second is None where the first is not valid."""
        if not says_something(seen):
            return self._nothing(ConfidenceAnswer), None
        delivery = delivery_in_words(work.speaking)

        async def ask(kind: type[S], question: Question, speaking: str | None) -> Asking[S]:
            render = _question(prompt, seen, form, question=question, speaking=speaking)
            return await self._asker.ask(
                *(render, kind, kind.schema_for(seen), on_token),
                reseed=work.reseed,
                alternatives=ALTERNATIVES,
            )

        confidence = await ask(ConfidenceAnswer, "confidence", delivery if self._voice else None)
        if confidence.answer is None:
            return confidence, None
        return confidence, await ask(RatingAnswer, "rating", delivery)

    async def _feedback(
        self,
        prompt: Prompt,
        seen: str,
        form: str | None,
        work: RateWork,
        on_token: OnToken,
        rating: RatingAnswer,
    ) -> Asking[FeedbackAnswer]:
        """The words to the student, which go with the scores."""
        told = {"speaking": delivery_in_words(work.speaking), "scores": json.dumps(rating.model_dump())}
        render = _question(prompt, seen, form, question="feedback", **told)
        schema = FeedbackAnswer.json_schema()
        return await self._asker.ask(render, FeedbackAnswer, schema, on_token, reseed=work.reseed)

    async def _compared(
        self,
        evaluation: Evaluation,
        found: Sequence[SetAside],
        prompt: Prompt,
        seen: str,
        form: str | None,
        work: RateWork,
        on_token: OnToken,
    ) -> Evaluation:
        """The rating with the expected scores of the text with the words to the grader, and without them.

        One of both texts is mostly the one that was rated. As it was where a text gets no valid answer.
        """
        said = work.transcript.text
        expected: list[dict[str, float]] = []
        for text in (neutralise(said), without(said, found)):
            if text == seen:
                expected.append({name: each.model_expected for name, each in evaluation.scores.items()})
                continue
            try:
                # On the same state of the server's cache as the text that was rated.
                await self._asker.warm_up(shared_part(prompt))
                confidence, rating = await self._rating(prompt, text, form, work, on_token)
            except AnswerFailed as exc:
                if exc.fault.code != "transcript_too_long":
                    raise
                return evaluation
            given = {**_figures(confidence), **_figures(rating)}
            expected.append({name: each.expected for name, each in given.items()})
        if any(each.keys() != evaluation.scores.keys() for each in expected):
            return evaluation
        return compared(evaluation, *expected)


def _question(prompt: Prompt, seen: str, form: str | None, **told: Any) -> Callable[[str | None], str]:
    """The prompt of a question about a student, given the complaint about its last answer."""
    profile = NO_FORM if form is None else form
    return lambda complaint: prompt.render(numbered(seen), complaint=complaint, profile=profile, **told)


def _figures(asked: Asking[S] | None) -> dict[str, Figure]:
    """The scores of an answer, from how the server gave it; none where there is no valid one."""
    if asked is None or asked.answer is None or asked.given is None:
        return {}
    return figures(asked.given.text.strip(), asked.given.tokens, asked.answer.quotes)


def _scores_from(found: Mapping[str, Figure]) -> str:
    """What the scores are made of: the probabilities of the levels or, of at least one, the level drawn."""
    return "level" if any(figure.legal_mass is None for figure in found.values()) else "distribution"
