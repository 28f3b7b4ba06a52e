"""A card in words: what it concludes, and why."""

from collections.abc import Iterator
from dataclasses import dataclass

from daemon.core.content.document import CRITERIA, Criterion
from daemon.core.fairness.card import LEAST_FOR_FAIR, LEAST_SPREAD, MARGIN, Card, enough
from daemon.core.fairness.changes import CHANGES

IN_WORDS: dict[Criterion, str] = {
    "overall_rating": "the overall rating",
    "clarity_of_speech": "clarity",
    "content_quality": "content",
    "confidence_level": "confidence",
}


def headline(card: Card) -> str:
    """The conclusion in one line."""
    if card.fit:
        return "fit for grades, as far as these changes tell"
    strongest = _strongest_first(card)
    return f"not for grades: {strongest[0].sentence if strongest else next(_open_questions(card))}"


def reasons(card: Card) -> list[str]:
    """All that keeps a card from being fit, a line for each change, the strongest shift first."""
    shifted: dict[str, list[str]] = {}
    for shift in _strongest_first(card):
        shifted.setdefault(shift.change, []).append(f"{IN_WORDS[shift.criterion]} {shift.mean:+.2f}")
    lines = [f"{CHANGES[change].cause}: {', '.join(words)}" for change, words in shifted.items()]
    return [*lines, *_open_questions(card)]


@dataclass(frozen=True, slots=True)
class _Shown:
    """A shift that is shown, in points; `size` is in spreads."""

    size: float
    change: str
    criterion: Criterion
    mean: float

    @property
    def sentence(self) -> str:
        points = f"{abs(self.mean):.1f}" if abs(self.mean) >= 0.1 else f"{abs(self.mean):.2f}"
        verb = "costs" if self.mean < 0 else "adds"
        return f"{CHANGES[self.change].cause} {verb} {points} of 10 points of {IN_WORDS[self.criterion]}"


def _strongest_first(card: Card) -> list[_Shown]:
    found = []
    for change, row in card.shifts.items():
        for each, shift in row.items():
            if shift.verdict == "shifted" and shift.mean is not None:
                size = abs(shift.mean) / max(card.spread[each], LEAST_SPREAD)
                found.append(_Shown(size, change, each, shift.mean))
    return sorted(found, key=lambda shift: -shift.size)


def _open_questions(card: Card) -> Iterator[str]:
    """A line for each reason why something is not shown."""
    if card.rated < LEAST_FOR_FAIR:
        few = f"only {card.rated} introductions were rated, and fewer than {LEAST_FOR_FAIR} show little"
        yield f"not shown to be fair: {few}"
        return
    for each in CRITERIA:
        if card.spread[each] < LEAST_SPREAD:
            yield f"not shown to be fair: {IN_WORDS[each]} is the same for every introduction"
    shifts = [shift for row in card.shifts.values() for shift in row.values()]
    unknown = sum(shift.verdict == "not_shown" for shift in shifts)
    if unknown:
        line = (
            f"not shown to be fair: {unknown} of {len(shifts)} shifts may be above {MARGIN:.0%} of the spread"
        )
        yield line + (f"; about {about} introductions would tell" if (about := enough(card)) else "")
