"""A card in words: what it concludes, and why."""

from collections.abc import Iterator

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
    reason = next(_strongest_first(card), "") or next(_open_questions(card))
    return f"not for grades: {reason}"


def reasons(card: Card) -> list[str]:
    """All that keeps a card from being fit, a line each, the strongest shift first; empty for one that is."""
    return [] if card.fit else [*_strongest_first(card), *_open_questions(card)]


def _strongest_first(card: Card) -> Iterator[str]:
    """A line for each shift that is shown, by its size in spreads."""
    found = []
    for change, row in card.shifts.items():
        for each, shift in row.items():
            if shift.verdict == "shifted" and shift.mean is not None:
                size = abs(shift.mean) / max(card.spread[each], LEAST_SPREAD)
                verb = "costs" if shift.mean < 0 else "adds"
                points = f"{abs(shift.mean):.2g}" if abs(shift.mean) < 0.1 else f"{abs(shift.mean):.1f}"
                line = f"{CHANGES[change].cause} {verb} {points} of 10 points of {IN_WORDS[each]}"
                found.append((size, line))
    yield from (line for _, line in sorted(found, reverse=True))


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
