"""A fairness card as lines of 80 columns."""

from collections.abc import Iterable, Iterator

from daemon.cli.lines import Line
from daemon.cli.plain import local
from daemon.core.content.document import CRITERIA, Criterion
from daemon.core.fairness.card import MARGIN, Card, ScoreShift
from daemon.core.fairness.changes import CHANGES
from daemon.core.fairness.conclusion import headline, reasons
from daemon.core.fairness.kept import KeptCard

_HEADS: dict[Criterion, str] = {
    "overall_rating": "overall",
    "clarity_of_speech": "clarity",
    "content_quality": "content",
    "confidence_level": "confidence",
}
_MARKS = {"fair": "=", "shifted": "!", "not_shown": "?"}
_STYLES = {"!": "red", "?": "yellow"}
_LABEL, _CELL = 12, 17
_MOST = 8  # reasons that are printed


def lines(kept: KeptCard, *, stored: bool = True) -> Iterator[Line]:
    """The card, its conclusion, and who has accepted it."""
    card = kept.card
    yield Line(f"fairness card {card.identity}" if stored else "a quick look, which is not kept", "bold")
    yield Line(f"{card.model}, {card.prompt}; {local(card.made_at)[:16]}", "dim")
    yield Line(f"{card.rated} of {card.asked} introductions of {card.base}; shifts in points of 10")
    yield _row("", (_HEADS[each] for each in CRITERIA), "bold")
    yield _row("spread", (f"{card.spread[each]:.2f}  " for each in CRITERIA))
    yield _row("may shift", (f"{MARGIN * card.spread[each]:.2f}  " for each in CRITERIA))
    for change, row in card.shifts.items():
        yield from _change(CHANGES[change].title, [row[each] for each in CRITERIA])
    yield Line("90 % intervals; = fair, ! shifted, ? not shown to be fair", "dim")
    for change, count in card.unrated.items():
        yield Line(f"{CHANGES[change].title}: {count} had a valid rating only without the change", "yellow")
    yield from _conclusion(card)
    if kept.accepted is not None:
        by = kept.accepted
        yield Line(f"accepted by {by.by} ({by.account}) on {by.at}: {by.reason}", "yellow")


def _conclusion(card: Card) -> Iterator[Line]:
    yield Line(headline(card), "green" if card.fit else "red")
    more = [reason for reason in reasons(card) if not headline(card).endswith(reason)]
    for reason in more[:_MOST]:
        yield Line(f"  {reason}")
    if (left := len(more) - _MOST) > 0:
        yield Line(f"  and {left} more; see: introeval fairness show --json")


def _change(title: str, shifts: list[ScoreShift]) -> Iterator[Line]:
    marks = [_MARKS[shift.verdict] for shift in shifts]
    style = next((_STYLES[mark] for mark in "!?" if mark in marks), "")
    means = ("-" if each.mean is None else _points(each.mean) for each in shifts)
    yield _row(title, (f"{mean} {mark}" for mean, mark in zip(means, marks, strict=True)), style)
    yield _row("", (_interval(each) for each in shifts), "dim")


def _interval(shift: ScoreShift) -> str:
    if shift.low is None or shift.high is None:
        return f"{shift.pairs} pairs  "
    return f"{_points(shift.low)} to {_points(shift.high)}"


def _points(value: float) -> str:
    return f"{round(value, 2) + 0.0:+.2f}"  # a sum with zero is never -0.0


def _row(label: str, cells: Iterable[str], style: str = "") -> Line:
    return Line((label.ljust(_LABEL) + "".join(cell.rjust(_CELL) for cell in cells)).rstrip(), style)
