"""The rows of the models' answers: the form and the rating, each value with its place. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from daemon.contracts.wire.scores import CRITERIA, figure_words, moment_words, notes, quote_words
from introeval_tui.rows.cells import Row, fit, row, wrap

ResultJson = dict[str, Any]

_HEAD = 20  # cells of a name
_MOMENT = len("  at 00:00.0")


def form_rows(result: ResultJson | None, width: int) -> list[Row]:
    """The form with the seconds at which each value was said, and the figures of the speech."""
    profile = (result or {}).get("profile")
    if not profile:
        ended = result is not None and "outcome" in result
        return [row(width, (" no form could be made" if ended else " no form yet", "dim"))]
    return [
        *_fields(profile, width, (result or {}).get("profile_evidence") or {}),
        row(width),
        row(width, (" speaking", "bold")),
        *_fields((result or {}).get("speaking") or {}, width),
    ]


def rating_rows(result: ResultJson | None, width: int, *, demo: bool = False) -> list[Row]:
    """The rating: each score with its figure and its quote; that of a demonstration is marked."""
    evaluation = (result or {}).get("evaluation")
    if result is None or not evaluation:
        return [row(width, (" no rating yet" if result is None else " no rating could be given", "dim"))]
    rows = []
    if demo:
        said = " no grade: rated by a demonstration model"
        rows = [row(width, (" DEMO ", "black on yellow"), (said, "bold"))]
    scores = evaluation.get("scores") or {}
    for name in CRITERIA:
        rows += _score_rows(name, evaluation.get(name), scores.get(name), width, demo=demo)
        for note in notes(result, name):
            rows += paragraph(note, "", width, _HEAD, "yellow")
    rest = {key: value for key, value in evaluation.items() if key not in (*CRITERIA, "scores", "evidence")}
    if not scores:
        rest["evidence"] = [quote_words(each) for each in evaluation.get("evidence") or []]
    return [*rows, row(width), *_fields(rest, width)]


def _score_rows(name: str, value: object, scored: ResultJson | None, width: int, *, demo: bool) -> list[Row]:
    points = value if isinstance(value, int) and 0 <= value <= 10 else 0
    bar = "█" * points + "░" * (10 - points)
    bar_style, style = ("dim", "dim") if demo else ("cyan", "bold")
    head = (f" {name.replace('_', ' '):<{_HEAD}}", "")
    figure = f"  {figure_words(scored)}" if scored else ""
    rows = [row(width, head, (f"{bar} ", bar_style), (f"{f'{value}/10':<5}", style), (figure, ""))]
    if scored and scored.get("quote"):
        rows += paragraph(quote_words(scored["quote"]), "", width, _HEAD, "dim")
    return rows


def _fields(
    values: ResultJson, width: int, places: Mapping[str, Sequence[ResultJson]] | None = None
) -> list[Row]:
    """The values by name; `places` has the evidence of each value of a field."""
    rows: list[Row] = []
    for name, value in values.items():
        texts = [_said(each) for each in value] or ["-"] if isinstance(value, list) else [_said(value)]
        moments = [moment_words(place) for place in (places or {}).get(name, ())]
        for at, text in enumerate(texts):
            moment = f"  {moments[at]}" if at < len(moments) and moments[at] else ""
            head = name.replace("_", " ") if at == 0 else ""
            rows += paragraph(text, head, width, _HEAD, moment=moment)
    return rows


def _said(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {each}" for key, each in value.items())
    if isinstance(value, float):
        return f"{value:.2f}"
    return "-" if value is None else str(value)


def paragraph(
    text: str, head: str, width: int, room: int = 9, style: str = "", *, moment: str = ""
) -> list[Row]:
    """A text in rows: `head` before the first in `room` cells, `moment` after the last."""
    lines = wrap(text, max(10, width - room - 2 - (_MOMENT if moment else 0)))
    return [
        row(
            width,
            (" " + fit(head if at == 0 else "", room), "dim"),
            (line, style),
            (moment if at == len(lines) - 1 else "", "dim"),
        )
        for at, line in enumerate(lines)
    ]
