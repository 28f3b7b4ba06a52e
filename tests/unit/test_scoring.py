"""The rater's answers, and the evaluation that is made of them."""

import json
from typing import Any

import jsonschema
import pytest
from pydantic import ValidationError

from daemon.core.content.answers import complaint
from daemon.core.content.document import CRITERIA, Evaluation, Evidence, Flag
from daemon.core.content.levels import LEVELS, LOW_MASS, Figure
from daemon.core.content.result import REVIEW_FLAGS
from daemon.core.content.scoring import ConfidenceAnswer, RatingAnswer, ScoresAnswer, evaluation_of
from daemon.core.content.sentences import sentences, telling

SAID = "Hi. I am Mira Pillai. I want to run a clinic. I like chess."
CONFIDENCE: dict[str, Any] = {"confidence_quote": 3, "confidence_level": 8}
RATING: dict[str, Any] = {
    "feedback": ["You say clearly who you are.", "You say little about your work"],
    "suggestions": ["1. Tell us about your work.", "Give an example of your strengths."],
    "clarity_quote": 2,
    "clarity_of_speech": 7,
    "content_quote": 3,
    "content_quality": 6,
    "overall_quote": 3,
    "overall_rating": 7,
}
FIGURES = {
    "confidence_level": Figure(8, 8.4, 0.9, 0.97),
    "clarity_of_speech": Figure(7, 7.1, 0.5, 0.9),
    "content_quality": Figure(6, 6.5, 0.5, 0.9),
    "overall_rating": Figure(7, 7.4999, 0.5, LOW_MASS),
}


def rated(
    change: dict[str, Any] | None = None, figures: dict[str, Figure] | None = None
) -> tuple[Evaluation, tuple[Flag, ...]]:
    rating = RatingAnswer.read(json.dumps({**RATING, **(change or {})}))
    confidence = ConfidenceAnswer.read(json.dumps(CONFIDENCE))
    return evaluation_of(rating, confidence, {**FIGURES, **(figures or {})}, SAID)


@pytest.mark.parametrize("answer", [RatingAnswer, ConfidenceAnswer])
def test_a_score_comes_after_the_number_of_its_sentence_and_after_every_text(
    answer: type[ScoresAnswer],
) -> None:
    keys = list(answer.json_schema()["properties"])
    places = [at for at, key in enumerate(keys) if key in CRITERIA]
    assert {keys[at]: keys[at - 1] for at in places} == answer.quotes
    assert [key for key in keys[places[0] :] if key not in {*answer.quotes, *answer.quotes.values()}] == []


def test_both_answers_together_have_every_criterion_once() -> None:
    assert sorted([*ConfidenceAnswer.quotes, *RatingAnswer.quotes]) == sorted(CRITERIA)


def test_a_rating_becomes_an_evaluation() -> None:
    evaluation, flags = rated()
    assert flags == ()
    assert evaluation.feedback == "You say clearly who you are. You say little about your work."
    assert evaluation.suggestions == ("Tell us about your work.", "Give an example of your strengths.")
    assert evaluation.evidence == (
        Evidence(quote="I want to run a clinic."),
        Evidence(quote="I am Mira Pillai."),
    )
    scores = {criterion: getattr(evaluation, criterion) for criterion in CRITERIA}
    assert scores == {
        "overall_rating": 7,
        "clarity_of_speech": 7,
        "content_quality": 7,
        "confidence_level": 8,
    }


def test_each_score_tells_its_figure_its_quote_and_that_it_is_the_models_own() -> None:
    evaluation, _ = rated()
    assert list(evaluation.scores) == list(CRITERIA)
    for criterion, scored in evaluation.scores.items():
        figure = FIGURES[criterion]
        assert (scored.expected, scored.spread, scored.legal_mass) == (
            *(figure.expected, figure.spread, figure.legal_mass),
        )
        assert (scored.model_score, scored.model_expected) == (figure.score, figure.expected)
        assert (scored.interval, scored.source) == (None, "model")
    quotes = {criterion: scored.quote for criterion, scored in evaluation.scores.items()}
    assert quotes["clarity_of_speech"] == Evidence(quote="I am Mira Pillai.")
    assert quotes["confidence_level"] == quotes["overall_rating"] == Evidence(quote="I want to run a clinic.")


def test_a_score_that_is_hardly_one_needs_review() -> None:
    _, flags = rated(figures={"content_quality": Figure(6, 6.5, 0.5, LOW_MASS - 0.01)})
    assert [(flag.code, flag.field) for flag in flags] == [("unsure_score", "content_quality")]
    assert "49%" in flags[0].detail
    assert "unsure_score" in REVIEW_FLAGS


def test_a_server_that_tells_no_probabilities_raises_no_doubt() -> None:
    evaluation, flags = rated(figures={key: Figure(5, 5.5) for key in CRITERIA})
    assert flags == ()
    assert {scored.legal_mass for scored in evaluation.scores.values()} == {None}


def test_a_score_that_rests_on_no_sentence_is_kept_and_flagged() -> None:
    evaluation, flags = rated({"content_quote": 5})
    assert evaluation.scores["content_quality"].quote is None
    assert [(flag.code, flag.field) for flag in flags] == [("no_evidence", "content_quality")]
    assert "no_evidence" in REVIEW_FLAGS


def test_a_rating_that_is_stuck_needs_review() -> None:
    stuck = "suggestions-suggestions-suggestions-suggestions-suggest"
    _, flags = rated({"feedback": ["You speak clearly and well.", stuck]})
    assert [(flag.code, flag.detail) for flag in flags] == [("repeats_itself", "suggestions")]
    assert "repeats_itself" in REVIEW_FLAGS


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"overall_rating": 10}, "overall_rating"),
        ({"overall_rating": 0}, "overall_rating"),
        ({"overall_rating": "7"}, "overall_rating"),
        ({"overall_rating": 7.5}, "overall_rating"),
        ({"overall_rating": True}, "overall_rating"),
        ({"overall_quote": 0}, "overall_quote"),
        ({"suggestions": ["Tell us more of this."]}, "suggestions"),
        ({"suggestions": ["Tell us more of this.", "tell us more of this."]}, "suggestions"),
        ({"feedback": ["One whole sentence."] * 4}, "feedback"),
        ({"confidence_level": 7}, "confidence_level"),
    ],
)
def test_a_rating_that_breaks_a_rule_is_invalid_and_the_complaint_names_the_place(
    change: dict[str, Any], place: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        RatingAnswer.read(json.dumps({**RATING, **change}))
    assert place in complaint(caught.value)


def test_the_schema_of_a_transcript_allows_only_the_numbers_of_its_telling_sentences() -> None:
    schema = RatingAnswer.schema_for(SAID)
    jsonschema.validate(RATING, schema)
    for number in (1, 5, 0):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**RATING, "content_quote": number}, schema)
    assert ConfidenceAnswer.schema_for(SAID)["properties"]["confidence_quote"]["enum"] == telling(
        sentences(SAID)
    )
    assert RatingAnswer.json_schema() != schema, "the schema of all transcripts is as it was"


def test_every_level_is_one_character() -> None:
    levels = ConfidenceAnswer.json_schema()["properties"]["confidence_level"]["enum"]
    assert levels == list(LEVELS)
    assert {len(str(level)) for level in levels} == {1}
