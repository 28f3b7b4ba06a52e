"""The rows of the review: why to look, the transcript with its quotes, the form, and the figures. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len

from daemon.contracts.wire.scores import CRITERIA, moment_words, quote_words
from introeval_tui.rows import words
from introeval_tui.rows.answer_rows import form_rows, paragraph
from introeval_tui.rows.cells import Piece, Row, clean, fit, row, spread, wrap
from introeval_tui.rows.decision_rows import decided_words
from introeval_tui.rows.format import took
from introeval_tui.rows.quotes import LETTERS, marked_rows
from introeval_tui.rows.reviewing import Draft, Review
from introeval_tui.rows.table import rule

if TYPE_CHECKING:
    from daemon.contracts.wire.review import ReviewLine

Json = Mapping[str, Any]

_WIDE = 110  # as the breakpoints of the app
_NAME = 20  # cells of a criterion
_LEAST_BODY = 5  # rows of the transcript
_CHANGED = "bold yellow"
_REASON = " reason: "


@dataclass(frozen=True, slots=True)
class Page:
    """The rows of a review but for its last, and how far its transcript can be scrolled."""

    rows: list[Row]
    most: int
    page: int


def page(review: Review, line: "ReviewLine", width: int, height: int, first: int) -> Page:
    """A result to decide on in `height` rows, its transcript from row `first` on."""
    top = [_head(review, line, width), *_doubts(line, width, 2 if height < 30 else 4)]
    room = height - len(top) - 1
    if width >= _WIDE:
        return _beside(review, line, top, width, room, first)
    below = _rating(review, line, width, room - 2 - _LEAST_BODY)
    space = max(1, room - 2 - len(below))
    body = _body(line, width)
    most = max(0, len(body) - space)
    first = max(0, min(first, most))
    shown = body[first : first + space]
    shown += [row(width)] * (space - len(shown))
    title = rule("─Transcript and form", _place(first, space, body), width, focused=False)
    rows = [*top, title, *shown, rule("─Rating", "", width, focused=True), *below, _state(review, width)]
    return Page(rows, most, space)


def _beside(review: Review, line: "ReviewLine", top: list[Row], width: int, room: int, first: int) -> Page:
    """The transcript at the left, the rating at the right."""
    right = max(64, width * 2 // 5)
    left = width - right - 1
    space = room - 1
    body = _body(line, left)
    most = max(0, len(body) - space)
    first = max(0, min(first, most))
    heads = [
        *rule("─Transcript and form", _place(first, space, body), left, focused=False),
        ("┬", "dim"),
        *rule("─Rating", "", right, focused=True),
    ]
    rating = _rating(review, line, right, space, whole=True)
    rows = [
        [
            *(body[first + at] if first + at < len(body) else row(left)),
            ("│", "dim"),
            *(rating[at] if at < len(rating) else row(right)),
        ]
        for at in range(space)
    ]
    return Page([*top, heads, *rows, _state(review, width)], most, space)


def _place(first: int, space: int, body: Sequence[Row]) -> str:
    return "" if len(body) <= space else f" {first + 1}-{min(first + space, len(body))} of {len(body)} ──"


def _head(review: Review, line: "ReviewLine", width: int) -> Row:
    task = line.task
    look = words.look(task, 0.0)
    right: list[Piece] = [(" DEMO ", "black on yellow")] if task.demo else []
    if "not_for_grades" in task.flag_codes:
        right.append((" NO GRADE ", "black on yellow"))
    if line.task.id in review.sent:
        look = words.Look("↻", "saving…", "yellow")
    right += [(f" {look.sign} {look.word} ", look.style)]
    open_ = len(review.open_places) + review.total - len(review.lines)
    left: list[Piece] = [
        (" < esc ", "dim"),
        (f" {review.at + 1}/{review.total}, {open_} open ", "bold"),
        (f" {task.id:04d} ", ""),
        (f"{fit(task.student, min(20, cell_len(clean(task.student[:40]))))} ", "bold"),
        (f"{clean(line.name[:40])} ", "bold"),
    ]
    room = max(0, width - sum(cell_len(text) for text, _ in (*left, *right)))
    left.append((fit(f" {task.filename} ({took(task.duration_s)})", room), "dim"))
    return spread(width, left, right)


def _doubts(line: "ReviewLine", width: int, most: int) -> list[Row]:
    told = "; ".join(line.doubts) if line.doubts else line.held or "nothing in it is doubtful"
    if not line.result.get("evaluation") and line.task.error_message:
        told = f"{line.task.error_message}; {told}"
    lines = wrap(told, max(10, width - 7))
    if len(lines) > most:
        lines = [*lines[: most - 1], fit(" ".join(lines[most - 1 :]), width - 7)]
    style = "yellow" if line.doubts else "dim"
    return [
        row(width, (" why  " if at == 0 else "      ", "dim"), (text, style)) for at, text in enumerate(lines)
    ]


def _body(line: "ReviewLine", width: int) -> list[Row]:
    """The transcript, what was noticed in it, the form, and whole the doubts, of which the top has a part."""
    result = line.result
    rows = marked_rows(result, width)
    for each in result.get("set_aside") or []:
        told = " ".join(filter(None, (f'"{each["quote"]}"', moment_words(each))))
        cut = "cut before rating" if each["cut"] else "left in"
        rows += paragraph(f"{told}: {cut}", "to the grader", width, 14, "yellow")
    flags = [flag for flag in result.get("flags") or [] if flag.get("detail")]
    for flag in {(flag["code"], flag["detail"]): flag for flag in flags}.values():
        where = f" ({flag['field'].replace('_', ' ')})" if flag.get("field") else ""
        rows += paragraph(f"{flag['detail']}{where}", flag["code"].replace("_", " "), width, 20, "yellow")
    doubts = [part for doubt in line.doubts for part in paragraph(doubt, "doubt", width, 20)]
    return [*rows, row(width), *form_rows(dict(result), width), row(width), *doubts]


def _rating(review: Review, line: "ReviewLine", width: int, most: int, *, whole: bool = False) -> list[Row]:
    """The figures, feedback and suggestions in at most `most` rows; `whole`: with the quote of each score."""
    choice, evaluation = review.choice, line.result.get("evaluation") or {}
    rows: list[Row] = []
    for name in CRITERIA:
        rows += _score(name, evaluation, choice, width, chosen=name == review.criterion, whole=whole)
    changed = choice.feedback is not None
    feedback = choice.feedback if choice.feedback is not None else evaluation.get("feedback") or "-"
    texts = paragraph(
        feedback, "feedback *" if changed else "feedback", width, 12, _CHANGED if changed else ""
    )
    hints = [
        part
        for at, each in enumerate(evaluation.get("suggestions") or [])
        for part in paragraph(each, "suggestions" if at == 0 else "", width, 12)
    ]
    left = max(2, most - len(rows))
    if len(texts) + len(hints) > left:  # the feedback is what can be edited: it goes first
        hints = hints[: max(1, left - len(texts))]
        texts = _cut(texts, max(1, left - len(hints)), width)
    rows += [*texts, *hints]
    if whole:
        told = decided_words(line.result)
        rows += paragraph(told, "decision", width, 12, "green") if told else []
    return rows


def _cut(rows: list[Row], most: int, width: int) -> list[Row]:
    """The first rows; the last says that there is more."""
    if len(rows) <= most:
        return rows
    last = "".join(text for text, _ in rows[most - 1]).rstrip()
    return [*rows[: most - 1], row(width, (fit(last, width - 3) + " …", ""))]


def _score(name: str, evaluation: Json, choice: Draft, width: int, *, chosen: bool, whole: bool) -> list[Row]:
    own, wanted = evaluation.get(name), choice.score_of(name)
    value = own if wanted is None else wanted
    points = value if isinstance(value, int) and 0 <= value <= 10 else 0
    scored = (evaluation.get("scores") or {}).get(name)
    label = name.replace("_", " ")
    figure = f"{'-' if value is None else value}/10"
    if wanted is not None and own is not None:
        figure = f"{own} > {figure}"
    rows = [
        row(
            width,
            (" >" if chosen else "  ", "bold"),
            (f"{LETTERS[name]} ", "bold cyan"),
            (fit(label, _NAME), "reverse" if chosen else ""),
            (" " + "█" * points + "░" * (10 - points), "cyan" if wanted is None else _CHANGED),
            (f" {figure:<10}", "bold" if wanted is None else _CHANGED),
            (_figures(scored, whole=False) if scored and not whole else "", "dim"),
        )
    ]
    if whole and scored:
        rows += paragraph(_figures(scored, whole=True), "", width, 4, "dim")
        if scored.get("quote"):
            rows += paragraph(quote_words(scored["quote"]), "", width, 4, "dim")
        if scored.get("source", "model") != "model":
            by = "a person" if scored["source"] == "person" else "calibration"
            rows += paragraph(
                f"set by {by}; the model's own: {scored['model_score']}/10", "", width, 4, "dim"
            )
    return rows


def _figures(scored: Json, *, whole: bool) -> str:
    """`7.8, spread 0.7, people 5.4-7.9`: mean, spread and interval; `whole`: the levels' probability, too."""
    told = [f"{scored['expected']:.1f}"]
    if scored.get("spread") is not None:
        told.append(f"spread {scored['spread']:.1f}")
    if interval := scored.get("interval"):
        told.append(f"people {interval[0]:.1f}-{interval[1]:.1f}")
    if whole and scored.get("legal_mass") is not None:
        told.append(f"sure {scored['legal_mass']:.0%}")
    return ", ".join(told)


def _state(review: Review, width: int) -> Row:
    """What Enter would save, or how it was decided."""
    line, choice = review.current, review.choice
    if line is None:
        return row(width)
    if (asked := review.asked) is not None:
        said, room = clean(asked.text), max(1, width - len(_REASON) - 3)
        shown = said if cell_len(said) < room else "…" + said[-room + 2 :]
        style = "reverse" if asked.fresh and shown else ""
        return row(width, (_REASON, "bold yellow"), (shown, style), ("█", "dim"))
    if choice.accepts:
        return row(width, (" Enter saves: ", "bold yellow"), ("accepted as it is", ""))
    if choice.changes:
        told = f"{_changes(choice)}; " + (
            f"reason: {clean(choice.reason)}" if choice.reason else "a reason is asked for"
        )
        if review.missing:
            told = f"still to score: {', '.join(name.replace('_', ' ') for name in review.missing)}"
            return row(width, (f" {told}", "bold yellow"))
        return row(width, (" Enter saves: ", "bold yellow"), (told, ""))
    if told := decided_words(line.result):
        return row(width, (f" {told}", "green"))
    others = f" {len(review.unsaved)} chosen and not saved;" if review.unsaved else ""
    return row(width, (f"{others} a takes the model's, a digit changes the score of the lit line", "dim"))


def _changes(choice: Draft) -> str:
    told = [f"{name.replace('_', ' ')} {points}" for name, points in choice.scores]
    return ", ".join([*told, "feedback"] if choice.feedback is not None else told)


def empty_rows(review: Review, trouble: str, width: int) -> list[Row]:
    """In place of a result, where there is none."""
    if trouble:
        return [row(width, (" < esc  review", "bold")), row(width, (f" {trouble}", "bold red"))]
    if not review.class_name or review.lines:  # the wanted one is not loaded yet
        return [row(width, (" < esc  review", "bold")), row(width, (" …", "dim"))]
    told = f" nothing is left to decide on in {clean(review.class_name)}; v shows all of its results"
    return [row(width, (" < esc  review", "bold")), row(width, (told, ""))]
