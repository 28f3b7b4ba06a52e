"""Prints answers for people. Texts from students are wrapped in Text, so that they are never markup."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from daemon.cli.attention import counted
from daemon.cli.plain import local
from daemon.contracts.wire.base import EventLine, Forgotten
from daemon.contracts.wire.status import Clock, DaemonStatus
from daemon.contracts.wire.tasks import RefusedLine, TaskDetail, TaskPage
from daemon.contracts.wire.words import PlaceState

if TYPE_CHECKING:
    from daemon.cli.run import Report

_COLOURS = {
    "evaluated": "green",
    "needs_review": "yellow",
    "unscorable": "yellow",
    "failed": "red",
    "cancelled": "dim",
}
_WELL = (PlaceState.KNOWN, PlaceState.UNSEEN)


def status(console: Console, answer: DaemonStatus) -> None:
    """Print the status, one fact a line."""
    console.print(status_lines(answer), soft_wrap=True)


def status_lines(answer: DaemonStatus) -> Text:
    """The status as one text, one fact a line."""
    return Text("\n").join([*_work(answer), *_tasks(answer), *_surroundings(answer)])


def _work(answer: DaemonStatus) -> Iterator[Text]:
    if not answer.running:
        yield Text("no daemon runs; this is read from its database", style="yellow")
    group = " + ".join(answer.group) or "nothing"
    yield Text(f"phase {answer.phase}, loaded: {group} ({answer.why_detail or answer.why})")
    if answer.switching is not None:
        yield Text(f"switching to {' + '.join(answer.switching.to) or 'nothing'}", style="cyan")
    if answer.paused:
        yield Text("paused; to continue, run: introeval resume", style="yellow")
    if answer.draining:
        told = f"draining: {answer.left} left" if answer.left else "drained: nothing is left"
        yield Text(f"{told}; to claim new videos again, run: introeval resume", style="yellow")


def _tasks(answer: DaemonStatus) -> Iterator[Text]:
    if answer.batch is not None:
        yield Text(f"batch {answer.batch.id}: {answer.batch.done} of {answer.batch.total}")
    if answer.clock is not None and answer.clock.total:
        yield _clock(answer.clock)
    counts = ", ".join(f"{name} {n}" for name, n in answer.counts.items() if n)
    held = f", held {answer.held}" if answer.held else ""
    yield Text(f"tasks: {counts or 'none'}{held}")
    if answer.attention:
        yield Text(f"wants a person: {counted(answer.attention)}; run: introeval attention", style="yellow")
    if answer.refused:
        yield Text(
            f"{counted_refused(answer.refused)} in the last 24 h; see: introeval tasks --refused",
            style="yellow",
        )
    yield Text(f"not delivered yet: {answer.undelivered}")


def _surroundings(answer: DaemonStatus) -> Iterator[Text]:
    if answer.inbox is not None and answer.inbox.waiting:
        yield Text(f"not claimed yet: {answer.inbox.waiting} files in {answer.inbox.path}")
    if answer.places:
        told = ", ".join(f"{place.name} {place.state}" for place in answer.places)
        well = all(place.state in _WELL for place in answer.places)
        yield Text(f"places: {told}", style="" if well else "red")
    for alarm in answer.alarms:
        seen = ", acknowledged" if alarm.acknowledged else ""
        yield Text(f"alarm since {local(alarm.since)}{seen}: {alarm.message}", style="red")
        yield Text(f"  affects {alarm.affects}\n  to do: {alarm.fix}")


def _clock(clock: Clock) -> Text:
    told = f"class: {clock.done} of {clock.total}"
    if clock.expected_at is not None:
        told += f", all done about {local(clock.expected_at)}"
    if clock.deadline is not None:
        told += f", deadline {local(clock.deadline)}"
    if clock.spare_s is not None:
        told += f", {abs(clock.spare_s) / 60:.1f} min {'to spare' if clock.spare_s >= 0 else 'too late'}"
    return Text(f"{told}: {clock.cause}" if clock.at_risk and clock.cause else told,
                style="red" if clock.at_risk else "")  # fmt: skip


def event(console: Console, line: EventLine) -> None:
    """Print one event."""
    style = {"alarm": "red", "cleared": "green", "order": "cyan", "phase": "bold"}.get(line.kind, "")
    by = f" (by {line.actor})" if line.actor else ""
    console.print(Text(f"{local(line.at)} {line.message}{by}", style=style), soft_wrap=True)


def tasks(console: Console, page: TaskPage) -> None:
    """Print a table of tasks, and how many more there are."""
    if not page.tasks:
        console.print("no tasks" if page.total or page.partial else "no tasks yet")
        return
    columns = ("id", "student", "file", "status", "outcome", "claimed", "done by")
    table = Table(*columns, box=None, header_style="bold")
    for line in page.tasks:
        table.add_row(
            str(line.id),
            Text(line.student),
            Text(line.filename),
            line.status + (" (held)" if line.held else ""),
            _outcome(line.outcome),
            local(line.claimed_at),
            local(line.eta)[11:] if line.eta else "-",
        )
    console.print(table)
    if page.total > len(page.tasks):
        console.print(f"{len(page.tasks)} of {page.total}; for the next page use --offset", style="dim")
    if page.partial:
        console.print("only the newest finished tasks were searched; see: --student", style="dim")


def counted_refused(count: int) -> str:
    """`4 files were refused`, for a count."""
    return "1 file was refused" if count == 1 else f"{count} files were refused"


def refused(console: Console, lines: Sequence[RefusedLine]) -> None:
    """Print the refused files, one a line, so that a reason is never cut."""
    if not lines:
        console.print("no file was refused")
    for line in lines:
        console.print(
            Text(f"{local(line.at)} {line.student or '-'} {line.filename}: {line.reason}"), soft_wrap=True
        )


def forgotten(console: Console, gone: Forgotten) -> None:
    """Print how much of a student was deleted."""
    copies = f", and {gone.copies} copies of the database made before updates" if gone.copies else ""
    console.print(Text(f"{gone.student} is forgotten: {gone.tasks} tasks, {gone.files} files{copies}"))


def task(console: Console, detail: TaskDetail) -> None:
    """Print one task, its history and its documents."""
    console.print(Text(f"task {detail.id}  {detail.student}  {detail.filename}", style="bold"))
    ended = f", outcome {detail.outcome}" if detail.outcome else ""
    console.print(
        Text(f"{detail.status}{ended}, revision {detail.revision}, {detail.duration_s:.1f} s of video")
    )
    console.print(Text(f"claimed {local(detail.claimed_at)}"))
    if detail.reason:
        seen = " (acknowledged)" if detail.acknowledged else ""
        console.print(Text(f"wants a person: {detail.reason}{seen}", style="yellow"))
        console.print(Text(f"next: {detail.next}"))
    if detail.error_message and detail.error_message != detail.reason:
        console.print(Text(f"{detail.error_code}: {detail.error_message}", style="red"))
    table = Table("at", "event", "status", "attempt", "seconds", "detail", box=None, header_style="bold")
    for line in detail.history:
        seconds = "" if line.seconds is None else f"{line.seconds:.2f}"
        facts = {**({"by": line.actor} if line.actor else {}), **line.detail}
        detail_text = ", ".join(f"{key} {value}" for key, value in facts.items() if value != "")
        table.add_row(
            local(line.at)[11:],
            line.event,
            line.to_status,
            str(line.attempt),
            seconds,
            Text(detail_text),
        )
    console.print(table)
    for document in detail.documents:
        waits = "" if document.delivered_at else " (not delivered yet)"
        console.print(Text(f"{document.kind}: {document.name}{waits}"))


def results(console: Console, report: "Report") -> None:
    """Print the summary of `run --once`."""
    if not report.rows and not report.refused:
        console.print("nothing to do: the inbox is empty and every task is delivered")
        return
    table = Table(
        "id", "student", "outcome", "name", "rating", "seconds", "result", box=None, header_style="bold"
    )
    for row in report.rows:
        rating = "-" if row.rating is None else f"{row.rating}/10"
        table.add_row(
            str(row.id),
            Text(row.student),
            _outcome(row.outcome),
            Text(row.name or "-"),
            rating,
            f"{row.seconds:.1f}",
            Text(row.result or "not delivered"),
        )
    console.print(table)
    console.print(Text(f"results are in {report.outbox}"), soft_wrap=True)
    if report.refused:
        console.print(
            Text(f"{counted_refused(report.refused)}; see: introeval tasks --refused", style="yellow"),
            soft_wrap=True,
        )
    for alarm in report.alarms:
        console.print(Text(f"alarm: {alarm}", style="red"))


def _outcome(outcome: str | None) -> Text:
    return Text(outcome or "-", style=_COLOURS.get(outcome or "", ""))
