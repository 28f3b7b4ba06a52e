"""A calibration: what people said of some tasks, how far the model agrees, and what corrects it."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from daemon.core.agreement.measures import Draws, Marks, Measure, Measured, agreement
from daemon.core.agreement.offset import half_width, moved, offset
from daemon.core.content.document import (
    CRITERIA,
    Criterion,
    DocumentPart,
    Evaluation,
    Points,
    Score,
    Scored,
)
from daemon.core.content.levels import whole
from daemon.core.content.provenance_identity import identity

_IDENTITY = (
    *("model", "digest", "prompt_sha256", "schema_sha256", "parameters"),
    *("confidence_from", "scores_from"),
)


class Anchor(DocumentPart):
    """A task that people have scored: `expected` by the model itself, `people` by each rater."""

    task_id: int
    expected: dict[Criterion, Points]
    people: dict[str, dict[Criterion, Score]]


class Correction(DocumentPart):
    """What corrects one criterion: `offset` is added, and `half_width` makes the interval (null: none).

    `model` is the agreement of the model's own figures with people, `corrected` that of the corrected ones.
    """

    anchors: int
    offset: float
    half_width: float | None
    model: dict[Measure, Measured]
    corrected: dict[Measure, Measured]


class Calibration(DocumentPart):
    """One file of the state folder. `identity` is that of the model, prompt and parameters it holds for.

    `day` is the name of the class, or its day. Its tasks are those with its `class_id`; where that is null,
    those of no class that were claimed from `begins_at` to before `ends_at`.
    """

    version: Literal[1] = 1
    number: int = Field(ge=1)
    made_at: str
    made_by: str | None
    day: str
    begins_at: str
    ends_at: str
    class_id: int | None = None
    raters: tuple[str, ...]
    identity: dict[str, Any]
    anchors: tuple[Anchor, ...]
    criteria: dict[Criterion, Correction]


def rater_identity(origin: Mapping[str, Any]) -> dict[str, Any]:
    """Model, prompt and parameters that a calibration holds for, from the provenance of a rating."""
    known = {**origin, **identity(origin)}
    return {key: known[key] for key in _IDENTITY if key in known}


def corrections(
    anchors: Sequence[Anchor], raters: Sequence[str], draws: Draws
) -> dict[Criterion, Correction]:
    """The correction of each criterion that people have scored."""
    found = {criterion: _marks(anchors, raters, criterion) for criterion in CRITERIA}
    return {criterion: _correction(marks, draws) for criterion, marks in found.items() if marks}


def corrected(evaluation: Evaluation, calibration: Calibration | None) -> Evaluation:
    """A rating with the model's figures corrected, or with its own where there is no calibration.

    What the model said stays beside it, and what a person decided stays as it is.
    """
    by = {} if calibration is None else calibration.criteria
    scores = {
        criterion: scored if scored.source == "person" else _scored(scored, by.get(criterion))
        for criterion, scored in evaluation.scores.items()
    }
    made: dict[str, Any] = {
        key: whole(each.expected) for key, each in scores.items() if each.source != "person"
    }
    return evaluation.model_copy(update={**made, "scores": scores})


def _scored(scored: Scored, correction: Correction | None) -> Scored:
    own = scored.model_expected
    if correction is None:
        return scored.model_copy(update={"expected": own, "interval": None, "source": "model"})
    by, half = correction.offset, correction.half_width
    interval = None if half is None else tuple(round(moved(own, by + end), 4) for end in (-half, half))
    expected = round(moved(own, by), 4)
    return scored.model_copy(update={"expected": expected, "interval": interval, "source": "calibrated"})


def _marks(anchors: Sequence[Anchor], raters: Sequence[str], criterion: Criterion) -> list[Marks]:
    said = [
        (anchor.expected[criterion], tuple(anchor.people.get(rater, {}).get(criterion) for rater in raters))
        for anchor in anchors
        if criterion in anchor.expected
    ]
    return [Marks(model, people) for model, people in said if any(score is not None for score in people)]


def _correction(marks: Sequence[Marks], draws: Draws) -> Correction:
    half = half_width(_apart(marks))
    return Correction(
        anchors=len(marks),
        offset=round(offset(_apart(marks)), 4),
        half_width=None if half is None else round(half, 4),
        model=agreement(marks, draws),
        corrected=agreement(marks, draws, lambda some: offset(_apart(some))),
    )


def _apart(marks: Sequence[Marks]) -> list[float]:
    return [each.person - each.model for each in marks]
