"""The rows about the GPU: its use and memory now and over five minutes, and the last phases. Pure."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from introeval_tui.rows import words
from introeval_tui.rows.cells import Piece, Row, fit, row
from introeval_tui.rows.format import bar, clock, coarse, gigabytes, number, parse, tower
from introeval_tui.rows.state import Scene

if TYPE_CHECKING:
    from daemon.contracts.wire.status import GpuHistory, GpuPoint, GpuState, PhaseSpan

_SPAN_S = 300.0
_GAP_S = 15.0
_WARM, _HOT = 60.0, 90.0  # percent of use
_FULL = 0.95  # of the GPU's memory


def gpu_line(gpu: "GpuState", width: int) -> Row:
    """The GPU in one row: use, memory, temperature and power."""
    if gpu.lost:
        return row(
            width,
            (" GPU   ", "bold"),
            (fit(f"LOST: {gpu.absent or 'it does not answer'}", width - 7), "bold red"),
        )
    if gpu.absent is not None:
        return row(width, (" GPU   ", "bold"), (fit(f"not found ({gpu.absent})", width - 7), "dim"))
    pieces: list[Piece] = [
        (" GPU   ", "bold"),
        *gpu_use(gpu, 12),
        ("  ", ""),
        *gpu_memory(gpu, 9),
        ("  ", ""),
    ]
    return row(width, *pieces, *gpu_body(gpu))


def gpu_use(gpu: "GpuState", cells: int) -> list[Piece]:
    """The GPU's use in percent, with a bar of `cells`."""
    use = gpu.utilisation
    style = "" if use is None else "green" if use < _WARM else "yellow" if use < _HOT else "red"
    figure = "N/A" if use is None else f"{use:.0f}%"
    return [(f"{figure:>4} ", style), (bar((use or 0.0) / 100, cells), style)]


def gpu_memory(gpu: "GpuState", cells: int) -> list[Piece]:
    """The GPU's memory in GB, with a bar of `cells`; marked with "!" when nearly full."""
    share = (gpu.used_mb or 0.0) / gpu.total_mb if gpu.total_mb else 0.0
    style = "bold red" if share > _FULL else "green"
    full = "! " if share > _FULL else " "
    return [
        (f"VRAM{full}{gigabytes(gpu.used_mb)}/{gigabytes(gpu.total_mb)}G ", style if share > _FULL else ""),
        (bar(share, cells), style),
    ]


def gpu_body(gpu: "GpuState") -> list[Piece]:
    """The GPU's temperature in °C and power in W."""
    heat = gpu.temperature_c
    style = "bold red" if heat is not None and heat >= _HOT else ""
    return [(number(heat, "C"), style), (f" {number(gpu.power_w)}/{number(gpu.power_limit_w, 'W')}", "")]


def gpu_rows(scene: Scene, width: int, height: int, *, phases: bool = True) -> list[Row]:
    """The GPU's use and memory now and over five minutes, with the loaded groups under them; and the phases,
    where no other panel shows them.
    """
    status = scene.known.status
    if status is None:
        return []
    gpu = status.gpu
    if gpu.absent is not None or gpu.lost:
        said = f"LOST: {gpu.absent or 'it does not answer'}" if gpu.lost else f"not found ({gpu.absent})"
        rows = [row(width, (fit(f" {said}", width), "bold red" if gpu.lost else "dim"))]
        return [*rows, *(phase_rows(scene, width) if phases else [])][:height]
    floors = max(1, min(6, (height - 4) // 3 if phases else (height - 3) // 2)) if height > 8 else 1
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
    if phases and height - len(rows) > 2:
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
