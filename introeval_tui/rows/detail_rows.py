"""The rows of the detail screen: the head of a task, and one function for each tab. Pure.

Texts from students and models are cut, wrapped and cleaned, never read as markup.
"""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len

from daemon.contracts.wire.scores import moment_words
from daemon.contracts.wire.states import state_word
from introeval_tui.rows import words
from introeval_tui.rows.answer_rows import ResultJson, paragraph
from introeval_tui.rows.cells import Piece, Row, clean, fit, row, spread, wrap
from introeval_tui.rows.decision_rows import history_rows as decision_rows
from introeval_tui.rows.format import ahead, clock, day, parse, size, took
from introeval_tui.rows.state import Scene
from introeval_tui.rows.target import of_task

if TYPE_CHECKING:
    from daemon.contracts.wire.base import LogLine
    from daemon.contracts.wire.tasks import HistoryLine, TaskDetail, TaskLine

_CAN = {
    "retry": "retry",
    "rate": "rate again",
    "acknowledge": "seen",
    "deliver": "deliver again",
    "decide": "accept",
    "undo": "undo",
    "release": "release",
    "hold": "hold",
    "next": "put first",
    "in_turn": "put back",
    "cancel": "cancel",
}
_TIGHT = 72  # cells; in a narrower history a day is left out
_REOPENED = ("retried", "rated_again")


def head_rows(
    task: "TaskLine",
    detail: "TaskDetail | None",
    scene: Scene,
    width: int,
    keys: Mapping[str, str],
    back: str = "< esc  ",
) -> list[Row]:
    """The head in 4 rows: the task and its state, its stages, why it is so, and the keys that help now."""
    look = words.look(task, scene.now)
    attempts = f"  {task.retry_count} attempts charged" if task.retry_count else ""
    facts = (
        f"({took(task.duration_s)}, {size(detail.size_bytes)})"
        if detail is not None
        else f"({took(task.duration_s)})"
    )
    right: list[Piece] = [(" DEMO ", "black on yellow")] if task.demo else []
    if "not_for_grades" in task.flag_codes:
        right.append((" NO GRADE ", "black on yellow"))
    right.append((f" {look.sign} {look.word}{attempts} ", look.style))
    left: list[Piece] = [
        (f" {back}", "dim"),
        (f"{task.id:04d}  ", "bold"),
        (fit(task.student, min(24, cell_len(clean(task.student[:99])))) + "  ", "bold"),
    ]
    room = max(10, width - sum(cell_len(text) for text, _ in (*left, *right)))
    left.append((fit(f"{task.filename} {facts}", room), ""))
    return [
        spread(width, left, right),
        row(width, *([(" ", ""), *_way(detail)] if detail is not None else [(" …", "dim")])),
        row(width, (fit(f" {_why(task, scene)}", width), "red" if task.status == "failed" else "")),
        row(width, *_next(task, scene, keys)),
    ]


def _way(detail: "TaskDetail") -> list[Piece]:
    """The finished stages, e.g. `received 13:31 > stt 3m02s (4.2x) > extract 41s > rate 20s`."""
    pieces: list[Piece] = [(f"received {clock(parse(detail.claimed_at), seconds=True)}", "")]
    for stage, ended in (("stt", "transcribed"), ("extract", "extracted"), ("rate", "rated")):
        lines = [line for line in detail.history if line.event == ended]
        if lines and lines[-1].seconds is not None:
            fast = detail.duration_s / lines[-1].seconds if stage == "stt" and lines[-1].seconds else 0.0
            pieces.append(
                (f" > {stage} {took(lines[-1].seconds)}{f' ({fast:.1f}x)' if fast else ''}", "green")
            )
        elif detail.stage == stage:
            runs = detail.status in words.RUNNING
            pieces.append((f" > {stage} {'…' if runs else 'waits'}", "cyan" if runs else "dim"))
    if detail.status in words.FINAL:
        look = words.outcome(detail.outcome, detail.status)
        pieces.append((f" > {look.word}", look.style))
    return pieces


def _why(task: "TaskLine", scene: Scene) -> str:
    if task.status in words.FINAL and words.reason(task, scene.now):
        return f"why: {words.reason(task, scene.now)}"
    if task.error_code:
        return f"why: {task.error_code}: {task.error_message}"
    eta = parse(task.eta)
    if eta is not None and task.status not in words.FINAL and not scene.no_forecast and not task.held:
        return f"done in {ahead(eta - scene.now)} ({clock(eta)})"
    reason = words.reason(task, scene.now)
    return f"why: {reason}" if reason else ""


def _next(task: "TaskLine", scene: Scene, keys: Mapping[str, str]) -> list[Piece]:
    """The requests that the daemon accepts for the task now, with their keys."""
    if scene.forbidden:
        return [(f" {scene.forbidden}", "dim")]
    pieces: list[Piece] = [(" next:", "dim")]
    item = of_task(task)
    for verb, what in _CAN.items():
        if item.allows(verb) and verb in keys:
            pieces += [(f" {keys[verb]}", "bold cyan"), (f" {what}  ", "dim")]
    return pieces if len(pieces) > 1 else [(" next: nothing to do", "dim")]


def overview_rows(detail: "TaskDetail", results: Sequence[ResultJson], scene: Scene, width: int) -> list[Row]:
    """The task's history, decisions, facts, documents and flags."""
    rows = history_rows(detail, scene, width)
    rows += [*decision_rows(results, scene, width), row(width)]
    facts = [
        ("sha256", detail.sha256),
        ("revision", str(detail.revision)),
        ("batch", "-" if detail.batch_id is None else str(detail.batch_id)),
        ("delivered", clock(parse(detail.delivered_at), seconds=True)),
    ]
    rows += [
        row(width, (f" {name:<10}", "dim"), (fit(value, max(0, width - 11)), "")) for name, value in facts
    ]
    for document in detail.documents:
        said = document.name if document.delivered_at else f"{document.name} (not delivered yet)"
        rows.append(row(width, (f" {document.kind:<10}", "dim"), (fit(said, max(0, width - 11)), "")))
    flags = [
        " ".join(str(flag.get(name) or "") for name in ("code", "field", "detail")) for flag in detail.flags
    ]
    for said in dict.fromkeys(flags):
        rows.append(row(width, (" flag      ", "yellow"), (fit(said, max(0, width - 11)), "")))
    for each in detail.set_aside:
        found = f"{'cut' if each['cut'] else 'left in'}, found by {' and '.join(each['found_by'])}"
        said = " ".join(filter(None, (f'"{each["quote"]}"', moment_words(each)))) + f", {found}"
        rows.append(row(width, (" to grader ", "yellow"), (fit(said, max(0, width - 11)), "")))
    return rows


def _history_row(line: "HistoryLine", attempt: int, scene: Scene, width: int) -> Row:
    """One entry; `attempt` counts those at its stage, 0 for an entry that is of none."""
    at = parse(line.at)
    when = "-" if at is None else day(at, scene.now)
    detail = ", ".join(f"{key} {value}" for key, value in line.detail.items() if value not in ("", None))
    if line.actor:
        detail = f"by {line.actor}{', ' if detail else ''}{detail}"
    style = {"failed": "bold red", "cancelled": "yellow", "released": "yellow"}.get(line.event, "")
    tight = width < _TIGHT
    return row(
        width,
        (f" {when[-8:]:<9}" if tight else f" {when:<13}", "dim"),
        (fit(line.event.replace("_", " "), 12), style),
        (fit(state_word(line.to_status), 10), ""),
        (fit(f"attempt {attempt}" if attempt else "", 10), ""),
        (fit(took(line.seconds) if line.seconds is not None else "", 7), ""),
        (fit(detail, max(0, width - (49 if tight else 53))), "dim"),
    )


def history_rows(detail: "TaskDetail", scene: Scene, width: int, *, only_attempts: bool = False) -> list[Row]:
    """The history. The daemon counts the attempts of all stages; here each stage has its own."""
    rows: list[Row] = []
    begun: dict[str | None, list[int]] = {}
    for line in detail.history:
        if line.event in _REOPENED:
            begun = {}
        mine = begun.setdefault(line.stage, [])
        if line.event == "started":
            mine.append(line.attempt)
        attempt = mine.index(line.attempt) + 1 if line.attempt in mine else 0
        if not only_attempts or attempt or line.seconds is not None:
            rows.append(_history_row(line, attempt, scene, width))
    return rows


def try_rows(detail: "TaskDetail", scene: Scene, width: int) -> list[Row]:
    """Only the attempts: their stage, how they ended and how long they took."""
    rows = history_rows(detail, scene, width, only_attempts=True)
    return rows or [row(width, (" no attempt yet", "dim"))]


def log_rows(lines: "Sequence[LogLine]", width: int, *, wrapped: bool, times: bool) -> list[Row]:
    """The log, oldest first."""
    if not lines:
        return [row(width, (" nothing in this log; press s for the next log, 1 for the history", "dim"))]
    rows = []
    for line in lines:
        head = f" {clock(parse(line.at), seconds=True):<9}" if times else " "
        head += f"{line.source:<8}"
        room = max(10, width - len(head))
        bad = any(word in line.text[:80].lower() for word in ("error", "critical"))
        texts = wrap(line.text, room) if wrapped else [line.text]
        for at, text in enumerate(texts):
            rows.append(
                row(
                    width,
                    (head if at == 0 else " " * len(head), "dim"),
                    (fit(text, room), "red" if bad else ""),
                )
            )
    return rows


def transcript_rows(result: ResultJson | None, width: int) -> list[Row]:
    """The transcript, with the time of each segment."""
    transcript = (result or {}).get("transcript") or {}
    segments = transcript.get("segments") or []
    if not segments and not transcript.get("text"):
        return [row(width, (" not transcribed yet" if result is None else " nothing was heard", "dim"))]
    probability = transcript.get("language_probability")
    sure = f" ({100 * probability:.0f} %)" if isinstance(probability, int | float) else ""
    rows = [row(width, (fit(f" language {transcript.get('language')}{sure}", width), "dim")), row(width)]
    if not segments:
        return rows + paragraph(str(transcript["text"]), "", width)
    for segment in segments:
        start = segment.get("start_s")
        at = f"{start // 60:02.0f}:{start % 60:04.1f}" if isinstance(start, int | float) else ""
        rows += paragraph(str(segment.get("text", "")).strip(), at, width)
    return rows


def json_rows(results: Sequence[ResultJson], width: int) -> list[Row]:
    """The newest result as JSON, as it was delivered."""
    if not results:
        return [row(width, (" no result yet", "dim"))]
    said = json.dumps(results[-1], indent=2, ensure_ascii=False)
    return [row(width, (fit(f" {line}", width), "")) for line in said.split("\n")]
