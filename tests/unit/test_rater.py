"""The rater's two questions: their order, what each of them shows, and what is made of the answers."""

import math
from typing import Any

import pytest

from daemon.contracts.values import Rated, RateWork, Ticket
from daemon.core.content.document import CRITERIA, Evidence
from daemon.core.content.levels import ALTERNATIVES, Token
from daemon.core.content.scoring import ConfidenceAnswer, FeedbackAnswer, RatingAnswer
from daemon.core.content.shown_form import delivery_in_words
from daemon.core.tasks.task import Stage
from daemon.llm.client import Options, Request
from daemon.llm.rater import IntroductionRater
from daemon.llm.rubric import Rubric
from tests.support.asked_model import AskedModel, opening
from tests.support.scripted import PROFILE, SAID, SPEAKING, TRANSCRIPT

pytestmark = pytest.mark.anyio

OPTIONS = Options(temperature=0.1, top_p=0.9, seed=7, num_ctx=2048, num_predict=100)


def tells(text: str) -> tuple[Token, ...]:
    """One token for each byte. Where a level stands, half of the mass is on 8 and a quarter on no level."""
    levels = {f'"{criterion}": ' for criterion in CRITERIA}
    spelled = []
    for at, char in enumerate(text):
        scores = char.isdigit() and any(text[:at].endswith(each) for each in levels)
        masses = {b"8": 0.5, char.encode(): 0.25, b" good": 0.25} if scores else {char.encode(): 1.0}
        spelled.append(Token(char.encode(), -1.0, tuple((k, math.log(m)) for k, m in masses.items())))
    return tuple(spelled)


async def rated(
    model: AskedModel, students: int = 1, *, scores_only: bool = False, **more: Any
) -> list[Rated]:
    rater = IntroductionRater(model, Rubric(), lambda: OPTIONS, **more)
    await rater.start()
    outcomes = []
    for student in range(1, students + 1):
        ticket = Ticket(student, 1, 1)
        work = RateWork(ticket, TRANSCRIPT, SPEAKING, PROFILE, scores_only=scores_only)
        outcomes.append(await rater.rate(work, lambda ticket, share: None))
    assert all(isinstance(outcome, Rated) for outcome in outcomes)
    return [outcome for outcome in outcomes if isinstance(outcome, Rated)]


def about_students(model: AskedModel) -> list[Request]:
    return [request for request in model.requests if not request.start]


def shows_voice(request: Request) -> bool:
    """Whether the delivery stands behind the transcript; that of invented students stands before it."""
    return delivery_in_words(SPEAKING) in request.prompt.rpartition("</transcript>")[2]


async def test_the_confidence_is_asked_first_and_from_the_words_alone() -> None:
    model = AskedModel(Stage.RATE)
    (outcome,) = await rated(model)
    confidence, rating, feedback = about_students(model)
    assert [each.schema for each in (confidence, rating, feedback)] == [
        ConfidenceAnswer.schema_for(SAID),
        RatingAnswer.schema_for(SAID),
        FeedbackAnswer.json_schema(),
    ]
    assert [shows_voice(each) for each in (confidence, rating, feedback)] == [False, True, True]
    assert outcome.provenance["confidence_from"] == "words"


async def test_the_voice_is_shown_for_the_confidence_only_where_it_is_asked_for() -> None:
    model = AskedModel(Stage.RATE)
    (outcome,) = await rated(model, voice=True)
    assert [shows_voice(request) for request in about_students(model)] == [True, True, True]
    assert outcome.provenance["confidence_from"] == "voice"


async def test_only_the_scores_ask_for_the_alternatives_of_each_token_and_all_with_the_same_seed() -> None:
    model = AskedModel(Stage.RATE)
    await rated(model)
    asked = about_students(model)
    assert [request.alternatives for request in asked] == [ALTERNATIVES, ALTERNATIVES, 0]
    assert [request.options for request in asked] == [OPTIONS] * 3


async def test_the_feedback_is_asked_for_last_and_told_the_scores() -> None:
    model = AskedModel(Stage.RATE)
    (outcome,) = await rated(model)
    assert outcome.evaluation is not None
    rating, feedback = model.asked_further
    assert '"clarity_of_speech": 6, "content_quote": 1' not in rating
    assert '"clarity_of_speech": 6, "content_quote": 1' in feedback
    assert outcome.evaluation.feedback == "You speak clearly and calmly. Say more about your plans."


async def test_scores_alone_are_the_same_scores_without_feedback() -> None:
    full, scores = AskedModel(Stage.RATE, tells=tells), AskedModel(Stage.RATE, tells=tells)
    (whole,) = await rated(full)
    (bare,) = await rated(scores, scores_only=True)
    assert whole.evaluation is not None
    assert bare.evaluation is not None
    assert bare.evaluation.scores == whole.evaluation.scores
    assert bare.provenance == whole.provenance
    assert (bare.evaluation.feedback, bare.evaluation.suggestions) == ("", ())
    assert about_students(scores) == about_students(full)[:2]


async def test_without_valid_feedback_there_is_no_rating() -> None:
    model = AskedModel(Stage.RATE)
    model.rating["feedback"] = ["You speak clearly and calmly."] * 2
    (outcome,) = await rated(model)
    assert outcome.evaluation is None
    assert [flag.code for flag in outcome.flags] == ["no_valid_rating"]
    assert "two different sentences" in outcome.flags[0].detail


async def test_before_each_student_the_server_is_brought_to_the_same_state() -> None:
    model = AskedModel(Stage.RATE)
    await rated(model, students=3)
    order = ["warm up" if request.start else opening(request) for request in model.requests]
    each = ["warm up", "confidence_quote", "clarity_quote", "feedback"]
    assert order == ["warm up", *each * 3], "the proof of the first start comes before all"
    last = model.warmed[-1]
    assert model.warmed[1:] == [last] * 3
    assert SAID not in last


async def test_scores_are_the_mean_over_the_levels_that_the_server_tells() -> None:
    (outcome,) = await rated(AskedModel(Stage.RATE, tells=tells))
    evaluation = outcome.evaluation
    assert evaluation is not None
    assert outcome.provenance["scores_from"] == "distribution"
    for criterion in CRITERIA:
        scored = evaluation.scores[criterion]
        level = 5 if criterion == "content_quality" else 6
        assert scored.expected == pytest.approx(1 + ((2 * 8 + level) / 3 - 1) * 9 / 8, abs=1e-3)
        assert scored.legal_mass == pytest.approx(0.75)
        assert scored.spread is not None
        assert getattr(evaluation, criterion) == scored.model_score == round(scored.expected)
        assert scored.quote == Evidence(quote=SAID, start_s=0.0, end_s=3.0)
    assert evaluation.evidence == (Evidence(quote=SAID, start_s=0.0, end_s=3.0),)


async def test_a_server_that_tells_no_probabilities_gives_its_levels_and_the_result_says_so() -> None:
    (outcome,) = await rated(AskedModel(Stage.RATE))
    assert outcome.evaluation is not None
    assert outcome.provenance["scores_from"] == "level"
    assert {scored.spread for scored in outcome.evaluation.scores.values()} == {None}
    assert (outcome.evaluation.overall_rating, outcome.evaluation.content_quality) == (7, 6)


async def test_without_a_valid_confidence_nothing_further_is_asked() -> None:
    model = AskedModel(Stage.RATE)
    model.rating["confidence_level"] = 10
    (outcome,) = await rated(model)
    assert outcome.evaluation is None
    assert [flag.code for flag in outcome.flags] == ["no_valid_rating"]
    assert "confidence_level" in outcome.flags[0].detail
    assert (len(model.asked), model.asked_further) == (3, [])
