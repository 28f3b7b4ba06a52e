"""The lines that show an answer to people."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from daemon.cli.attention import counted
from daemon.cli.lines import Line, table, width
from daemon.cli.plain import local
from daemon.contracts.wire.base import EventLine, Forgotten
from daemon.contracts.wire.scores import moment_words
from daemon.contracts.wire.states import state_word
from daemon.contracts.wire.status import Clock, DaemonStatus
from daemon.contracts.wire.tasks import HistoryLine, RefusedLine, TaskDetail, TaskLine, TaskPage
from daemon.contracts.wire.words import PlaceState

if TYPE_CHECKING:
    from daemon.cli.run import Report, SummaryRow

_COLOURS = {
    "evaluated": "green",
    "needs_review": "yellow",
    "unscorable": "yellow",
    "failed": "red",
    "cancelled": "dim",
}
_EVENT_COLOURS = {"alarm": "red", "cleared": "green", "order": "cyan", "phase": "bold"}
_WELL = (PlaceState.KNOWN, PlaceState.UNSEEN)
_TIME = len("2026-11-27 10:45:01 ")
_STUDENT = 15  # of a long id, where the reason needs the room
_WIDE = 100


def status(answer: DaemonStatus) -> Iterator[Line]:
    """The status, one fact a line."""
    yield from _work(answer)
    yield from _nodes(answer)
    yield from _tasks(answer)
    yield from _surroundings(answer)


def _work(answer: DaemonStatus) -> Iterator[Line]:
    if not answer.running:
        yield Line("no daemon runs; this is read from its database", "yellow")
    group = " + ".join(answer.group) or "nothing"
    yield Line(f"phase {answer.phase}, loaded: {group} ({answer.why_detail or answer.why})")
    if answer.switching is not None:
        yield Line(f"switching to {' + '.join(answer.switching.to) or 'nothing'}", "cyan")
    if answer.paused:
        yield Line("paused; to continue, run: introeval resume", "yellow")
    if answer.draining:
        told = f"draining: {answer.left} left" if answer.left else "drained: nothing is left"
        yield Line(f"{told}; to claim new videos again, run: introeval resume", "yellow")


def _nodes(answer: DaemonStatus) -> Iterator[Line]:
    """What each of several machines does. Without others, the line of the phase says it."""
    for node in answer.nodes if len(answer.nodes) > 1 else ():
        loaded = f"loaded: {' + '.join(node.group) or 'nothing'}"
        if node.to is not None:
            loaded = f"loads {' + '.join(node.to)}" if node.to else "stops its engines"
        why = f" ({node.why})" if node.why else ""
        told = f"node {node.name or node.address} {node.standing}{why}, {loaded}"
        style = "" if node.standing == "works" else "yellow"
        yield Line(f"{told}; {node.in_hand} in hand, {node.done} done", style)


def _tasks(answer: DaemonStatus) -> Iterator[Line]:
    if answer.batch is not None:
        yield Line(f"batch {answer.batch.id}: {answer.batch.done} of {answer.batch.total} through stt")
    if answer.clock is not None:
        yield _clock(answer.clock)
    counts: dict[str, int] = {}  # two statuses may have one word
    for name, count in answer.counts.items():
        counts[state_word(name)] = counts.get(state_word(name), 0) + count
    told = ", ".join(f"{n} {word}" for word, n in counts.items() if n)
    held = f", {answer.held} held" if answer.held else ""
    yield Line(f"tasks: {told or 'none'}{held}")
    if answer.attention:
        yield Line(f"wants a person: {counted(answer.attention)}; run: introeval attention", "yellow")
    if answer.refused:
        yield Line(
            f"{counted_refused(answer.refused)} in the last 24 h; see: introeval tasks --refused", "yellow"
        )
    if answer.calibration is not None:
        yield Line(f"scores: corrected by calibration {answer.calibration}; see: introeval calibrate")
    yield Line(f"not delivered yet: {answer.undelivered}")


def _surroundings(answer: DaemonStatus) -> Iterator[Line]:
    if answer.inbox is not None and answer.inbox.waiting:
        yield Line(f"not claimed yet: {answer.inbox.waiting} files in {answer.inbox.path}")
    if answer.places:
        told = ", ".join(f"{place.name} {place.state}" for place in answer.places)
        yield Line(f"folders: {told}", "" if all(place.state in _WELL for place in answer.places) else "red")
    for alarm in answer.alarms:
        seen = ", acknowledged" if alarm.acknowledged else ""
        yield Line(f"alarm since {moment(alarm.since)}{seen}: {alarm.message}", "red")
        yield Line(f"  affects {alarm.affects}")
        yield Line(f"  to do: {alarm.fix}")


def _clock(clock: Clock) -> Line:
    told = f"class: {clock.done} of {clock.total}" if clock.total else "class: no video yet"
    if clock.expected_at is not None and clock.done < clock.total:
        told += f", all done about {moment(clock.expected_at)}" + (" (a first guess)" if clock.guess else "")
    if clock.deadline is not None:
        told += f", deadline {moment(clock.deadline)}"
    if clock.spare_s is not None:
        told += f", {abs(clock.spare_s) / 60:.1f} min {'to spare' if clock.spare_s >= 0 else 'too late'}"
    told += f", {clock.state}" if clock.state in ("paused", "missed") else ""
    style = {"at_risk": "yellow", "late": "red", "missed": "red"}.get(clock.state, "")
    return Line(f"{told}: {clock.cause}" if clock.cause else told, style)


def moment(at: str) -> str:
    """A time in the local zone: `10:45:01`, or `11-27 10:45` when it is not of today."""
    when = datetime.fromisoformat(at).astimezone()
    today = when.date() == datetime.now().astimezone().date()
    return when.strftime("%H:%M:%S" if today else "%m-%d %H:%M")


def event(line: EventLine) -> Line:
    """One event."""
    by = f" (by {line.actor})" if line.actor else ""
    return Line(f"{local(line.at)} {line.message}{by}", _EVENT_COLOURS.get(line.kind, ""), _TIME)


def tasks(page: TaskPage) -> Iterator[Line]:
    """One line for each task, cut at the width. Where it is narrow, a reason takes the file's place."""
    if not page.tasks:
        yield Line("no task matches" if page.total or page.partial else "no tasks yet")
        return
    columns = width()
    narrow = columns is not None and columns < _WIDE
    heads = ("id", "student", "state", "done", "reason, or file" if narrow else "file: reason")
    lines = table([heads, *(_row(line, narrow=narrow) for line in page.tasks)], columns)
    yield Line(lines[0], "bold")
    for line, text in zip(page.tasks, lines[1:], strict=True):
        yield Line(text, _COLOURS.get(line.outcome or "", ""))


def _row(line: TaskLine, *, narrow: bool) -> tuple[str, ...]:
    state = "held" if line.held else state_word(line.status, line.outcome)
    state += "" if line.rating is None else f" {line.rating}/10"
    done = "-"
    if line.ended_at or line.eta:
        done = moment(line.ended_at) if line.ended_at else f"~{moment(line.eta or '')}"
    reason = line.reason or line.error_message or ", ".join(line.flag_codes)
    return (
        str(line.id),
        f"{line.student[: _STUDENT - 1]}…" if narrow and len(line.student) > _STUDENT else line.student,
        state + (" (demo)" if line.demo else " (no grade)" if "not_for_grades" in line.flag_codes else ""),
        done,
        (reason if narrow else f"{line.filename}: {reason}") if reason else line.filename,
    )


def _of_what(row: "SummaryRow", *, demo: bool) -> str:
    return " demo" if demo else " no grade" if row.not_for_grades else ""


def more_tasks(page: TaskPage, offset: int) -> Iterator[Line]:
    """What the page leaves out, and how to see it."""
    if page.total > offset + len(page.tasks):
        more = f"to see more, add: --offset {offset + len(page.tasks)}"
        yield Line(f"{len(page.tasks)} of {page.total} tasks; {more}", "dim")
    if page.partial:
        yield Line("only the newest finished tasks were searched; to search all, add: --student", "dim")


def counted_refused(count: int) -> str:
    """`4 files were refused`, for a count."""
    return "1 file was refused" if count == 1 else f"{count} files were refused"


def refused(lines: Sequence[RefusedLine]) -> Iterator[Line]:
    """The refused files, each with its whole reason."""
    if not lines:
        yield Line("no file was refused")
    for line in lines:
        yield Line(
            f"{local(line.at)} {line.student or '-'} {line.path or line.filename}: {line.reason}",
            indent=_TIME,
        )


def forgotten(gone: Forgotten) -> Iterator[Line]:
    """How much of a student was deleted."""
    copies = f", and {gone.copies} copies of the database made before updates" if gone.copies else ""
    yield Line(f"{gone.student} is forgotten: {gone.tasks} tasks, {gone.files} files{copies}")


def task(detail: TaskDetail) -> Iterator[Line]:
    """One task, its history and its documents."""
    yield Line(f"task {detail.id}  {detail.student}  {detail.filename}", "bold")
    state = "held" if detail.held else state_word(detail.status, detail.outcome)
    yield Line(
        f"{state}, revision {detail.revision}, {detail.duration_s:.1f} s of video, "
        f"claimed {local(detail.claimed_at)}",
        _COLOURS.get(detail.outcome or "", ""),
    )
    if detail.reason:
        seen = " (acknowledged)" if detail.acknowledged else ""
        yield Line(f"wants a person: {detail.reason}{seen}", "yellow")
        yield Line(f"next: {detail.next}")
    if detail.error_message and detail.error_message != detail.reason:
        yield Line(f"{detail.error_code}: {detail.error_message}", "red")
    for each in detail.set_aside:
        yield Line(_to_the_grader(each), "yellow")
    for entry in detail.history:
        yield _history(entry)
    for document in detail.documents:
        waits = "" if document.delivered_at else " (not delivered yet)"
        yield Line(f"{document.kind}: {document.name}{waits}")


def _to_the_grader(each: dict[str, Any]) -> str:
    to = " ".join(filter(None, ("to the grader", moment_words(each))))
    left = "cut" if each["cut"] else "left in"
    return f'{to}, {left}, found by {" and ".join(each["found_by"])}: "{each["quote"]}"'


def _history(entry: HistoryLine) -> Line:
    told = f"{local(entry.at)} {entry.event.replace('_', ' ')}: {state_word(entry.to_status)}"
    if entry.stage is not None:
        told += f", {entry.stage} attempt {entry.attempt}"
    if entry.seconds is not None:
        told += f", {entry.seconds:.2f} s"
    if entry.actor:
        told += f", by {entry.actor}"
    details = ", ".join(f"{key} {value}" for key, value in entry.detail.items() if value != "")
    return Line(f"{told}; {details}" if details else told, indent=_TIME)


def results(report: "Report") -> Iterator[Line]:
    """The summary of `run --once`: one line for each task."""
    if not report.rows and not report.refused:
        yield Line("nothing to do: the inbox is empty and every task is delivered")
        return
    heads = ("id", "student", "outcome", "rating", "seconds", "name", "result")
    rows = [heads]
    for row in report.rows:
        rating = "-" if row.rating is None else f"{row.rating}/10" + _of_what(row, demo=report.demo)
        cells = (str(row.id), row.student, (row.outcome or "-").replace("_", " "), rating)
        rows.append((*cells, f"{row.seconds:.1f}", row.name or "-", row.result or "not delivered"))
    head, *lines = table(rows, width(), right=(0, 4))
    yield Line(head, "bold")
    for row, text in zip(report.rows, lines, strict=True):
        yield Line(text, _COLOURS.get(row.outcome or "", ""))
    if report.demo and any(row.rating is not None for row in report.rows):
        yield Line("the ratings are of a demonstration model: they are no grades", "yellow")
    elif any(row.not_for_grades for row in report.rows):
        told = "the rater is not shown to treat all alike: the ratings are no grades"
        yield Line(f"{told}; see: introeval fairness show", "yellow")
    yield Line(f"results are in {report.outbox}")
    if report.refused:
        yield Line(f"{counted_refused(report.refused)}; see: introeval tasks --refused", "yellow")
    for alarm in report.alarms:
        yield Line(f"alarm: {alarm}", "red")
