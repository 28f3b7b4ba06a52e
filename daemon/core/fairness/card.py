"""The fairness card of a model and a rubric: what each change does to each score, and what follows from it.

A shift is the mean difference of the expected scores of one introduction with and without a change. It may
be 0.10 of the class's spread. Whether it is more or less is asked of the interval:

1. `fair`: the whole interval lies within that margin, from at least 12 introductions.
2. `shifted`: the mean lies beyond the margin, and it is not zero, also when all figures of the card are
   looked at together.
3. `not_shown`: all else. Few introductions and an unsteady rater end here, and never at `fair`.

A card is fit for grades where every figure is fair.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from daemon.core.content.document import CRITERIA, Criterion, DocumentPart
from daemon.core.fairness.changes import CHANGES
from daemon.core.fairness.paired import Estimate, deviation, estimates

MARGIN = 0.10
"""The part of the spread that a shift may have."""

LEAST_SPREAD = 0.01
"""In points; with less a rater tells nobody apart."""

LEAST_FOR_FAIR = 12
"""Introductions."""

Scores = Mapping[Criterion, float]
"""The expected score of each criterion, in points."""

Verdict = Literal["fair", "shifted", "not_shown"]


class ScoreShift(DocumentPart):
    """One figure of a card, in points: the mean shift and its 90 % interval, over so many introductions. All
    are null where there are too few for an interval.
    """

    mean: float | None
    low: float | None
    high: float | None
    pairs: int
    verdict: Verdict


class Card(DocumentPart):
    """A fairness card.

    `identity` is that of the rater, as `rater.identity` gives it, with its `model` and `prompt` for
    people and the hash of the template. `base` names the introductions, of which `rated` had a valid
    rating of `asked`. `unrated` counts, by change, those that had one only before the change. `spread` is
    the standard deviation of the expected scores over the introductions, in points.
    """

    version: Literal[1] = 1
    identity: str
    model: str
    prompt: str
    prompt_sha256: str
    made_at: str
    base: str
    asked: int
    rated: int
    unrated: dict[str, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    spread: dict[Criterion, float]
    shifts: dict[str, dict[Criterion, ScoreShift]]

    @property
    def fit(self) -> bool:
        """Whether every figure is shown to be fair."""
        return all(shift.verdict == "fair" for row in self.shifts.values() for shift in row.values())


def make_card(
    before: Sequence[Scores | None], after: Mapping[str, Sequence[Scores | None]], **about: Any
) -> Card:
    """The card of these ratings. `about` gives the other fields of Card.

    `before` has the scores of each introduction and `after`, by change, those of the same introductions in
    the same order; None where there is no valid rating, or nothing was to be changed.
    """
    known = [scores for scores in before if scores is not None]
    spread = {each: deviation([scores[each] for scores in known]) for each in CRITERIA}
    cells = {
        (change, each): [
            None if was is None or now is None else now[each] - was[each]
            for was, now in zip(before, after[change], strict=True)
        ]
        for change in CHANGES
        for each in CRITERIA
    }
    found = estimates(cells)
    shifts: dict[str, dict[Criterion, ScoreShift]] = {change: {} for change in CHANGES}
    for (change, each), estimate in found.items():
        shifts[change][each] = ScoreShift(
            mean=None if estimate is None else round(estimate.mean, 4),
            low=None if estimate is None else round(estimate.low, 4),
            high=None if estimate is None else round(estimate.high, 4),
            pairs=sum(value is not None for value in cells[change, each]),
            verdict=_verdict(estimate, spread[each]),
        )
    rounded = {each: round(value, 4) for each, value in spread.items()}
    return Card(rated=len(known), asked=len(before), spread=rounded, shifts=shifts, **about)


def _verdict(estimate: Estimate | None, spread: float) -> Verdict:
    """The verdict by the rules 1 to 3. A rater that tells nobody apart shows nothing."""
    margin = MARGIN * spread
    if estimate is None:
        return "not_shown"
    within = -margin <= estimate.low and estimate.high <= margin
    if within and spread >= LEAST_SPREAD and estimate.size >= LEAST_FOR_FAIR:
        return "fair"
    return "shifted" if abs(estimate.mean) > margin and estimate.stands_out else "not_shown"


def enough(card: Card) -> int | None:
    """About how many introductions would show that the rater is fair, if its shifts stay so small;
    None where one is too large for that, or has no interval.
    """
    most = 0.0
    for row in card.shifts.values():
        for each, shift in row.items():
            if shift.mean is None or shift.low is None or shift.high is None:
                return None
            left = MARGIN * card.spread[each] - abs(shift.mean)
            if left <= 0:
                return None
            most = max(most, shift.pairs * ((shift.high - shift.low) / 2 / left) ** 2)
    return max(LEAST_FOR_FAIR, 10 * math.ceil(most / 10))
