"""How commands print what they know. Texts that come from students are never markup."""

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from daemon.wire import Status, TaskDetail, TaskLine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daemon.cli.rerate import Compared
    from daemon.cli.run import Report

_COLOURS = {
    "evaluated": "green",
    "needs_review": "yellow",
    "unscorable": "yellow",
    "failed": "red",
    "cancelled": "dim",
}


def status(console: Console, answer: Status) -> None:
    """The state of the system, a line a fact."""
    if not answer.running:
        console.print("no daemon runs; this is what its database says", style="yellow")
    group = " + ".join(answer.group) or "nothing"
    facts = [f"phase {answer.phase}, loaded: {group} ({answer.why})"]
    if answer.batch is not None:
        facts.append(f"batch {answer.batch.id}: {answer.batch.done} of {answer.batch.total}")
    counts = ", ".join(f"{name} {n}" for name, n in answer.counts.items() if n)
    facts += [f"tasks: {counts or 'none'}", f"not delivered yet: {answer.undelivered}"]
    for fact in facts:
        console.print(Text(fact))
    for alarm in answer.alarms:
        console.print(Text(f"alarm: {alarm.message}", style="red"))


def tasks(console: Console, lines: list[TaskLine]) -> None:
    """A table of tasks."""
    if not lines:
        console.print("no tasks yet")
        return
    table = Table("id", "student", "file", "status", "outcome", "claimed", box=None, header_style="bold")
    for line in lines:
        table.add_row(
            str(line.id),
            Text(line.student),
            Text(line.filename),
            line.status + (" (held)" if line.held else ""),
            _outcome(line.outcome),
            line.claimed_at[:19].replace("T", " "),
        )
    console.print(table)


def task(console: Console, detail: TaskDetail) -> None:
    """One task, its history and its files."""
    console.print(Text(f"task {detail.id}  {detail.student}  {detail.filename}", style="bold"))
    ended = f", outcome {detail.outcome}" if detail.outcome else ""
    console.print(
        Text(f"{detail.status}{ended}, revision {detail.revision}, {detail.duration_s:.1f} s of video")
    )
    console.print(Text(f"claimed {detail.claimed_at[:19].replace('T', ' ')} UTC"))
    if detail.error_message:
        console.print(Text(f"{detail.error_code}: {detail.error_message}", style="red"))
    table = Table("at", "event", "status", "try", "seconds", "detail", box=None, header_style="bold")
    for line in detail.history:
        seconds = "" if line.seconds is None else f"{line.seconds:.2f}"
        detail_text = ", ".join(f"{key} {value}" for key, value in line.detail.items() if value != "")
        table.add_row(
            line.at[11:19],
            line.event,
            line.to_status,
            str(line.attempt),
            seconds,
            Text(detail_text),
        )
    console.print(table)
    for paper in detail.papers:
        console.print(
            Text(f"{paper.kind}: {paper.name}" + ("" if paper.delivered_at else " (not delivered yet)"))
        )


def results(console: Console, report: "Report") -> None:
    """The table with which `run --once` ends."""
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
            Text(f"{report.refused} files were refused; the reasons are in {report.outbox}/_rejected"),
            soft_wrap=True,
        )
    for alarm in report.alarms:
        console.print(Text(f"alarm: {alarm}", style="red"))


def comparison(console: Console, compared: "Sequence[Compared]") -> None:
    """What changed with new ratings."""
    table = Table("id", "student", "revision", "outcome", "what changed", box=None, header_style="bold")
    for each in compared:
        scores = [f"{name} {before or '-'} > {after or '-'}" for name, (before, after) in each.scores.items()]
        others = [part for part in each.changed if part not in each.scores]
        outcome = (
            each.outcome if each.outcome == each.outcome_before else f"{each.outcome_before} > {each.outcome}"
        )
        what = ", ".join([*scores, *others]) or "nothing"
        table.add_row(str(each.id), Text(each.student), str(each.revision), Text(outcome), Text(what))
    console.print(table)


def _outcome(outcome: str | None) -> Text:
    return Text(outcome or "-", style=_COLOURS.get(outcome or "", ""))
