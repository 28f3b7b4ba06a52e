"""The rows of the panels beside and under the table: engines, alarms, events. Pure."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len

from introeval_tui.rows import nodes, words
from introeval_tui.rows.cells import Piece, Row, clean, fit, row, spread
from introeval_tui.rows.format import clock, coarse, day, gigabytes, parse
from introeval_tui.rows.state import Link, Scene

if TYPE_CHECKING:
    from daemon.contracts.wire.base import EventLine
    from daemon.contracts.wire.status import AlarmLine, EngineReport

_ROOMY = 60  # cells from which a panel can say more
_EVENT_STYLE = {"alarm": "bold red", "cleared": "green", "order": "yellow", "phase": "cyan"}


def engine_rows(scene: Scene, width: int) -> list[Row]:
    """The engines with state, time in it, restarts, memory, speed and model; problems below them.

    Where there are several nodes, each with its engines below it; in a narrow panel only those with problems.
    """
    status = scene.known.status
    if status is None:
        return []
    if not nodes.several(status):
        return [each for engine in status.engines for each in _engine(engine, status.group, scene, width)]
    rows = []
    for node in status.nodes:
        rows.append(nodes.node_row(node, width))
        for engine in node.engines:
            if width >= _ROOMY or engine.detail:
                rows += [
                    row(width, ("  ", ""), *each) for each in _engine(engine, node.group, scene, width - 2)
                ]
    return rows


def _engine(engine: "EngineReport", group: Sequence[str], scene: Scene, width: int) -> list[Row]:
    look = words.engine(engine.state)
    since = parse(engine.since)
    since_said = "" if since is None else coarse(scene.now - since)
    pieces: list[Piece] = [
        (
            " " + fit(engine.name, 24 if width >= _ROOMY else 17) + " ",
            "bold" if engine.stage in group else "",
        ),
        (fit(f"{look.sign} {look.word}", 13 if len(look.word) > 8 else 11), look.style),
        (fit(since_said, 6), ""),
    ]
    if engine.restarts:
        pieces.append(
            (f"{engine.restarts} restarts " if width >= _ROOMY else f"↻{engine.restarts} ", "yellow")
        )
    if engine.memory_mb is not None:
        pieces.append((f"{gigabytes(engine.memory_mb)}G ", ""))
    if engine.tokens_per_s is not None:
        pieces.append((f"{engine.tokens_per_s:.0f} tok/s ", ""))
    if engine.model and engine.model not in engine.name:
        pieces.append((fit(engine.model, min(len(engine.model), 30)), "dim"))
    rows = [row(width, *pieces)]
    if engine.detail:
        rows.append(row(width, (fit(f"   {engine.detail}", width), look.style)))
    return rows


def event_rows(events: "Sequence[EventLine]", width: int) -> list[Row]:
    """The events, newest first, each with who gave the order."""
    rows = []
    for event in events:
        at = clock(parse(event.at), seconds=True)
        whose = f"{event.task_id:04d} {event.student or ''} " if event.task_id is not None else ""
        text = event.message if not whose or (event.student or "") in event.message else whose + event.message
        if event.kind == "cleared" and not text.startswith("cleared"):
            text = f"cleared: {text}"
        by = f" by {event.actor}" if event.actor and event.actor not in text else ""
        style = "red" if event.status == "failed" else _EVENT_STYLE.get(event.kind, "")
        rows.append(row(width, (f" {at} ", "dim"), (fit(text + by, max(0, width - 10)), style)))
    return rows


def alarm_rows(scene: Scene, width: int, most: int) -> list[Row]:
    """The alarms in at most `most` rows, those first that nobody has seen: what is wrong, since when, who is
    affected and what to do. The last row counts those that have no room.
    """
    known, status = scene.known, scene.known.status
    if known.link is Link.DOWN and status is not None:
        fix = f"   fix: {known.fix}" if known.fix else ""
        return [
            row(width, (fit(f" ! no answer of the daemon: {known.reason}", width), "bold red")),
            row(width, ("   affects: this screen, which is old; whether the work goes on is not known", "")),
            *([row(width, (fit(fix, width), ""))] if fix else []),
        ]
    alarms = sorted(status.alarms, key=lambda alarm: alarm.acknowledged) if status is not None else []
    rows: list[Row] = []
    for place, alarm in enumerate(alarms):
        mine = _alarm(alarm, scene, width)
        if rows and len(rows) + len(mine) > most:
            more = f" +{len(alarms) - place} more: ! shows all "
            last = "".join(text for text, _ in rows[-1]).rstrip() + "  "
            return [*rows[:-1], spread(width, [(last, rows[-1][0][1])], [(more, "bold red")])]
        rows += mine
    return rows


def _alarm_style(alarm: "AlarmLine") -> str:
    """Red for what stops work, yellow for what makes it slower."""
    return "bold yellow" if alarm.code.startswith("degraded") else "bold red"


def _alarm(alarm: "AlarmLine", scene: Scene, width: int) -> list[Row]:
    """One alarm in one to three rows; one that a person has seen in one, and dim."""
    since = parse(alarm.since)
    when = "" if since is None else f"since {day(since, scene.now)[:-3]}, {coarse(scene.now - since)} "
    sign, style = ("•", "dim") if alarm.acknowledged else ("!", _alarm_style(alarm))
    rows = [spread(width, [(f" {sign} {clean(alarm.message)}  ", style)], [(when, "dim")])]
    if alarm.acknowledged:
        return rows
    affects = f"   affects: {clean(alarm.affects)}" if alarm.affects else ""
    fix = f"   fix: {clean(alarm.fix)}" if alarm.fix else ""
    both = affects + fix
    lines = [both] if cell_len(both) < width else [affects, fix]
    return rows + [row(width, (line, "")) for line in lines if line]
