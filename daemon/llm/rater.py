"""The engine that rates an introduction."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from daemon.contracts.values import OnProgress, Rated, RateWork, StageOutcome
from daemon.core.content.document import Flag
from daemon.core.content.grounding import locate_evidence
from daemon.core.content.levels import ALTERNATIVES, Figure, figures
from daemon.core.content.scoring import ConfidenceAnswer, RatingAnswer, ScoresAnswer, evaluation_of
from daemon.core.content.sentences import numbered
from daemon.core.content.shown_form import delivery_in_words, shown_form
from daemon.core.content.untrusted import addresses_evaluator
from daemon.core.tasks.task import Stage
from daemon.llm.asking import Asking
from daemon.llm.client import Answer, ModelHost, OnToken, Options
from daemon.llm.evaluator import Evaluator, says_something, sha256
from daemon.llm.prompts import Prompt
from daemon.llm.rubric import Rubric
from daemon.llm.template_check import NO_FORM, Question

S = TypeVar("S", bound=ScoresAnswer)


class IntroductionRater(Evaluator):
    """The engine that rates an introduction.

    It is asked for the confidence first, from the words alone unless `voice`, and then for the rest, with the
    figures of the voice. The second question goes on where the transcript of the first ended.
    """

    stage = Stage.RATE
    _name = "rate"
    _first = ConfidenceAnswer
    _usual_tokens = 190

    def __init__(
        self,
        host: ModelHost,
        rubric: Rubric,
        options: Callable[[], Options],
        outgrown: Callable[[int], bool] = lambda num_ctx: False,
        *,
        voice: bool = False,
    ) -> None:
        super().__init__(host, rubric, options, outgrown)
        self._voice = voice

    async def rate(self, work: RateWork, progress: OnProgress) -> StageOutcome:
        """Rate: a Rated, with no evaluation and a flag when no answer was valid, or a Failed."""
        said = work.transcript.text

        async def ask(prompt: Prompt, seen: str) -> StageOutcome:
            form = shown_form(work.profile, work.transcript)
            asked = await self._rating(prompt, seen, form, work, self._heard(work.ticket, progress))
            confidence, rating = asked
            last: Asking[Any] = rating or confidence
            found = {
                criterion: figure
                for each in asked
                if each is not None and each.answer is not None
                for criterion, figure in _figures(each.answer, each.given).items()
            }
            provenance = self._provenance(
                prompt,
                [ConfidenceAnswer, RatingAnswer],
                last,
                said,
                profile_sha256=None if form is None or "profile" not in prompt.names else sha256(form),
                confidence_from="voice" if self._voice else "words",
                scores_from=_scores_from(found),
            )
            flags = self._flags()
            if suspect := addresses_evaluator(said):
                flags = (suspect, *flags)
            if confidence.answer is None or rating is None or rating.answer is None:
                flags = (Flag(code="no_valid_rating", field="evaluation", detail=last.complaint), *flags)
                return Rated(work.ticket, None, flags, provenance)
            evaluation, doubts = evaluation_of(rating.answer, confidence.answer, found, seen)
            evaluation, unfound = locate_evidence(evaluation, work.transcript)
            return Rated(work.ticket, evaluation, (*doubts, *unfound, *flags), provenance)

        return await self._ask(work.ticket, said, ask)

    async def _rating(
        self, prompt: Prompt, seen: str, form: str | None, work: RateWork, on_token: OnToken
    ) -> tuple[Asking[ConfidenceAnswer], Asking[RatingAnswer] | None]:
        """Both answers; the second is None where the first is not valid."""
        if not says_something(seen):
            return self._nothing(ConfidenceAnswer), None
        delivery = delivery_in_words(work.speaking)
        shown: dict[str, Any] = {"profile": NO_FORM if form is None else form}

        async def ask(kind: type[S], question: Question, speaking: str | None) -> Asking[S]:
            def render(complaint: str | None) -> str:
                return prompt.render(
                    numbered(seen), complaint=complaint, question=question, speaking=speaking, **shown
                )

            schema = kind.schema_for(seen)
            return await self._asker.ask(
                *(render, kind, schema, on_token), reseed=work.reseed, alternatives=ALTERNATIVES
            )

        confidence = await ask(ConfidenceAnswer, "confidence", delivery if self._voice else None)
        if confidence.answer is None:
            return confidence, None
        return confidence, await ask(RatingAnswer, "rating", delivery)


def _figures(answer: ScoresAnswer, given: Answer | None) -> dict[str, Figure]:
    """The scores of a whole answer, from how the server gave it."""
    assert given is not None
    return figures(given.text.strip(), given.tokens, answer.quotes)


def _scores_from(found: Mapping[str, Figure]) -> str:
    """What the scores are made of: the probabilities of the levels or, of at least one, the level drawn."""
    return "level" if any(figure.legal_mass is None for figure in found.values()) else "distribution"
