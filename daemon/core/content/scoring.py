"""The rater's answers, and the evaluation that is made of them.

A score is a level, after the number of the sentence that it rests on. The confidence is asked for alone, so
that the voice can be kept out of it. The scores come before the words: reasons that a model writes first can
collapse the distribution of its score (arXiv 2503.03064), and what needs the scores alone asks for no more.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, WithJsonSchema, model_validator

from daemon.core.content.answers import AnswerModel, distinct
from daemon.core.content.document import CRITERIA, Evaluation, Evidence, Flag, Scored
from daemon.core.content.levels import LEVELS, LOW_MASS, Figure
from daemon.core.content.repetition import repeated
from daemon.core.content.sentences import sentences, telling

# An enum for the grammar, whose numbers are then one token each; no Literal, which takes true for 1.
_ENUM = {"enum": list(LEVELS), "type": "integer"}
Level = Annotated[int, Field(ge=LEVELS[0], le=LEVELS[-1]), WithJsonSchema(_ENUM)]
Number = Annotated[int, Field(ge=1, le=9999)]
Sentence = Annotated[str, Field(min_length=15, max_length=160)]


class ScoresAnswer(AnswerModel):
    """Base of the answers with scores: levels, each after the number of the sentence that it rests on."""

    quotes: ClassVar[Mapping[str, str]]
    """The key of the sentence's number for each score."""

    @classmethod
    def schema_for(cls, transcript: str) -> dict[str, Any]:
        """The schema of an answer about this transcript: only numbers of its telling sentences."""
        schema = cls.json_schema()
        for key in cls.quotes.values():
            schema["properties"][key] = {"type": "integer", "enum": telling(sentences(transcript))}
        return schema


class ConfidenceAnswer(ScoresAnswer):
    """The confidence, which is asked for alone, so that the voice can be kept out of it."""

    quotes: ClassVar[Mapping[str, str]] = {"confidence_level": "confidence_quote"}

    confidence_quote: Number
    confidence_level: Level


class RatingAnswer(ScoresAnswer):
    """The other scores."""

    quotes: ClassVar[Mapping[str, str]] = {
        "clarity_of_speech": "clarity_quote",
        "content_quality": "content_quote",
        "overall_rating": "overall_quote",
    }

    clarity_quote: Number
    clarity_of_speech: Level
    content_quote: Number
    content_quality: Level
    overall_quote: Number
    overall_rating: Level


class FeedbackAnswer(AnswerModel):
    """The words to the student. `feedback` has one sentence an item, which bounds their number."""

    feedback: Annotated[list[Sentence], Field(min_length=2, max_length=3)]
    suggestions: Annotated[list[Sentence], Field(min_length=2, max_length=3)]

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        for key in ("feedback", "suggestions"):
            if len(distinct(getattr(self, key))) < 2:
                raise ValueError(f"{key} must have at least two different sentences")
        return self


def evaluation_of(
    rating: RatingAnswer,
    confidence: ConfidenceAnswer,
    feedback: FeedbackAnswer | None,
    figures: Mapping[str, Figure],
    transcript: str,
) -> tuple[Evaluation, tuple[Flag, ...]]:
    """The rating with its quotes not located yet, and flags where it repeats itself or a score is unsure.

    `feedback` is None where the scores alone were asked for. `figures` has that of each criterion;
    `transcript` is the text whose sentences the answers number.
    """
    said = sentences(transcript)
    scores = {}
    for criterion in CRITERIA:
        answer = confidence if criterion in confidence.quotes else rating
        number = getattr(answer, answer.quotes[criterion])
        figure = figures[criterion]
        scores[criterion] = Scored(
            expected=figure.expected,
            spread=figure.spread,
            legal_mass=figure.legal_mass,
            quote=Evidence(quote=said[number - 1]) if number <= len(said) else None,
            model_score=figure.score,
            model_expected=figure.expected,
        )
    evaluation = Evaluation(
        **{criterion: scores[criterion].model_score for criterion in CRITERIA},
        feedback=" ".join(map(_closed, distinct(feedback.feedback if feedback else ()))),
        suggestions=tuple(map(_closed, distinct(feedback.suggestions if feedback else ()))),
        evidence=tuple(dict.fromkeys(each.quote for each in scores.values() if each.quote is not None)),
        scores=scores,
    )
    return evaluation, tuple(_doubts(evaluation))


def _doubts(evaluation: Evaluation) -> Iterator[Flag]:
    if again := repeated(" ".join((evaluation.feedback, *evaluation.suggestions))):
        yield Flag(code="repeats_itself", field="feedback", detail=again)
    for criterion, scored in evaluation.scores.items():
        if scored.quote is None:  # of a server that does not hold to the numbers of the schema
            yield Flag(
                code="no_evidence", field=criterion, detail="it rests on no sentence of the transcript"
            )
        if scored.legal_mass is not None and scored.legal_mass < LOW_MASS:
            told = f"only {scored.legal_mass:.0%} of the model's answer was a level of the scale"
            yield Flag(code="unsure_score", field=criterion, detail=told)


def _closed(sentence: str) -> str:
    return sentence if sentence[-1] in ".!?" else f"{sentence}."
