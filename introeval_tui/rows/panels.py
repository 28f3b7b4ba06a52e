"""The rows of the panels beside and under the table: GPU, engines, alarms, events, phases. Pure."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from introeval_tui.rows import words
from introeval_tui.rows.cells import Piece, Row, fit, row
from introeval_tui.rows.format import clock, coarse, gigabytes, parse, tower
from introeval_tui.rows.header import gpu_body, gpu_memory, gpu_use
from introeval_tui.rows.state import Scene

if TYPE_CHECKING:
    from daemon.contracts.wire.base import EventLine
    from daemon.contracts.wire.status import GpuHistory, GpuPoint, PhaseSpan

_SPAN_S = 300.0
_GAP_S = 15.0
_ROOMY = 60  # cells from which a panel can say more
_EVENT_STYLE = {"alarm": "bold red", "cleared": "green", "order": "yellow", "phase": "cyan"}


def gpu_rows(scene: Scene, width: int, height: int) -> list[Row]:
    """The GPU's use and memory now and over five minutes, with the loaded groups under them."""
    status = scene.known.status
    if status is None:
        return []
    gpu = status.gpu
    if gpu.absent is not None or gpu.lost:
        said = f"LOST: {gpu.absent or 'it does not answer'}" if gpu.lost else f"not found ({gpu.absent})"
        rows = [row(width, (fit(f" {said}", width), "bold red" if gpu.lost else "dim"))]
        return [*rows, *phase_rows(scene, width)[: max(0, height - 1)]]
    floors = max(1, min(6, (height - 4) // 3)) if height > 8 else 1
    cells = max(10, width - 8)
    points = buckets(scene.known.gpu, scene.now, cells)
    use = tower([_value(point, "utilisation") for point in points], 100.0, floors)
    memory = tower([_value(point, "used_mb") for point in points], gpu.total_mb or 1.0, floors)
    rows = [
        row(width, (" use  ", "bold"), *gpu_use(gpu, max(5, min(20, width - 26))), ("  ", ""), *gpu_body(gpu))
    ]
    rows += [row(width, ("      ", ""), *_coloured(line, points)) for line in use]
    rows.append(row(width, (" ", ""), *gpu_memory(gpu, max(5, min(20, width - 24)))))
    rows += [row(width, ("      ", ""), *_coloured(line, points)) for line in memory]
    rows.append(row(width, (" load ", "bold"), *_marks(points)))
    for holder in gpu.holders[: max(0, height - len(rows))]:
        said = f" used by {holder.name} of {holder.user} (pid {holder.pid}): {gigabytes(holder.memory_mb)}G"
        rows.append(row(width, (fit(said, width), "")))
    if height - len(rows) > 2:
        rows += [row(width), *phase_rows(scene, width)[: height - len(rows) - 1]]
    return rows[:height]


def buckets(history: "GpuHistory | None", now: float, cells: int) -> "list[GpuPoint | None]":
    """The newest point of each of `cells` equal spans of the last five minutes, oldest first.

    The spans are aligned to the clock, so that the graph moves only when a span ends.
    """
    each = _SPAN_S / cells
    last = int(now / each)
    found: list[GpuPoint | None] = [None] * cells
    for point in history.points if history is not None else ():
        at = parse(point.at)
        place = None if at is None else cells - 1 - (last - int(at / each))
        if place is not None and 0 <= place < cells:
            found[place] = point
    return _filled(found, round(_GAP_S / each))


def _filled(found: "list[GpuPoint | None]", most: int) -> "list[GpuPoint | None]":
    """Fill spans without a point with the one before, up to `most` in a row: readings are further apart."""
    missed = most + 1
    for place, point in enumerate(found):
        if point is not None:
            missed = 0
        elif missed < most:
            found[place] = found[place - 1]
            missed += 1
    return found


def _value(point: "GpuPoint | None", name: str) -> float | None:
    if point is None:
        return None
    value: float | None = getattr(point, name)
    return value


def _coloured(line: str, points: "Sequence[GpuPoint | None]") -> list[Piece]:
    """A line of a graph, in the colours of the groups that were loaded."""
    pieces: list[Piece] = []
    for char, point in zip(line, points, strict=True):
        style = words.group_style(point.group) if point is not None else ""
        if pieces and pieces[-1][1] == style:
            pieces[-1] = (pieces[-1][0] + char, style)
        else:
            pieces.append((char, style))
    return pieces


def _marks(points: "Sequence[GpuPoint | None]") -> list[Piece]:
    """The groups that were loaded over time: each run of one group is a mark with its name."""
    pieces: list[Piece] = []
    begin = 0
    for end in range(1, len(points) + 1):
        here = points[begin]
        group = None if here is None else here.group
        if end < len(points):
            there = points[end]
            if (None if there is None else there.group) == group:
                continue
        cells = end - begin
        if not group:
            pieces.append(("·" * cells if group == [] else " " * cells, "dim"))
        else:
            name = words.group_name(group)
            pieces.append(
                (
                    fit(name, cells) if cells < len(name) else f"{name}{'─' * (cells - len(name))}",
                    words.group_style(group),
                )
            )
        begin = end
    return pieces


def engine_rows(scene: Scene, width: int) -> list[Row]:
    """The engines with state, time in it, restarts, memory, speed and model; problems below them."""
    status = scene.known.status
    if status is None:
        return []
    rows = []
    for engine in status.engines:
        look = words.engine(engine.state)
        since = parse(engine.since)
        since_said = "" if since is None else coarse(scene.now - since)
        pieces: list[Piece] = [
            (
                " " + fit(engine.name, 24 if width >= _ROOMY else 17) + " ",
                "bold" if engine.stage in status.group else "",
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
        if engine.model:
            pieces.append((fit(engine.model, min(len(engine.model), 30)), "dim"))
        rows.append(row(width, *pieces))
        if engine.detail:
            rows.append(row(width, (fit(f"   {engine.detail}", width), look.style)))
    return rows


def event_rows(events: "Sequence[EventLine]", width: int) -> list[Row]:
    """The events, newest first."""
    rows = []
    for event in events:
        at = clock(parse(event.at), seconds=True)
        style = _EVENT_STYLE.get(event.kind, "")
        if event.status in ("failed", "completed"):
            style = "red" if event.status == "failed" else "green"
        whose = f"{event.task_id:04d} {event.student or ''} " if event.task_id is not None else ""
        text = event.message if not whose or (event.student or "") in event.message else whose + event.message
        rows.append(row(width, (f" {at} ", "dim"), (fit(text, max(0, width - 10)), style)))
    return rows


def alarm_rows(scene: Scene, width: int, most: int = 3) -> list[Row]:
    """The alarms, one line each, at most `most`; the last line then counts the others."""
    status = scene.known.status
    if status is None or not status.alarms:
        return []
    alarms = status.alarms
    rows = [row(width, (fit(f" ! {alarm.message}", width), "bold red")) for alarm in alarms[:most]]
    if len(alarms) > most:
        rows[-1] = row(
            width,
            (
                fit(f" ! and {len(alarms) - most + 1} more alarms; run: introeval status", width),
                "bold red",
            ),
        )
    return rows


def phase_rows(scene: Scene, width: int) -> list[Row]:
    """The last phases: group, duration, tasks, and the switch to it with its ledger."""
    history = scene.known.gpu
    if history is None:
        return []
    return [_phase_row(span, scene, width) for span in history.phases]


def _phase_row(span: "PhaseSpan", scene: Scene, width: int) -> Row:
    began, ended = parse(span.started_at), parse(span.ended_at)
    lasted = None if began is None else (scene.now if ended is None else ended) - began
    cost = "" if span.switch_s is None else f" switch {span.switch_s:.1f}s"
    left = f" {clock(began, seconds=True)} "
    found = ""
    if span.needed_mb is not None and width >= 70:
        found = f"  freed {gigabytes(span.freed_mb)} foreign {gigabytes(span.foreign_mb)}"
        found += f" needed {gigabytes(span.needed_mb)}G"
    return row(
        width,
        (left, "dim"),
        (fit(words.group_name(span.group), 13), words.group_style(span.group)),
        (fit(f"{coarse(lasted)}{'' if ended is not None else ' now'}", 9), ""),
        (f"{span.tasks} tasks{cost}{found}", ""),
    )
