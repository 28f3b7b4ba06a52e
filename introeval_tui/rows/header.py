"""The rows above the table: link and phase, progress, GPU, counts and the class clock. Pure."""

from typing import TYPE_CHECKING

from rich.cells import cell_len

from introeval_tui.rows import words
from introeval_tui.rows.cells import Piece, Row, fit, row, spread
from introeval_tui.rows.class_clock import class_clock
from introeval_tui.rows.format import ahead, bar, clock, coarse, gigabytes, number, parse
from introeval_tui.rows.state import Link, Scene

if TYPE_CHECKING:
    from daemon.contracts.wire.status import DaemonStatus, GpuState

_WAITS_EVAL = ("stt_complete", "eval_pending", "mistral_complete")
_RUNS_EVAL = ("eval_processing", "llama_processing")
_URGENT = ("alarm", "failed", "refused")
_WARM, _HOT = 60.0, 90.0  # percent of use
_FULL = 0.95  # of the GPU's memory


def top_rows(scene: Scene, width: int) -> list[Row]:
    """The 7 rows above the table in a narrow terminal, also before the first answer."""
    status = scene.known.status
    if status is None:
        return [title(scene, width), *(row(width) for _ in range(6))]
    return dimmed(
        scene,
        [
            title(scene, width),
            _stt(status, scene, width),
            _eval(status, scene, width),
            gpu_line(status.gpu, width),
            _counts(status, width),
            _engines(status, width),
            _class(status, scene, width),
        ],
    )


def wide_rows(scene: Scene, width: int) -> list[Row]:
    """The 4 rows above the table in a wide terminal, where other panels show GPU and engines."""
    status = scene.known.status
    if status is None:
        return [title(scene, width), *(row(width) for _ in range(3))]
    half = width // 2
    phases = [*_stt(status, scene, half), *_eval(status, scene, width - half)]
    return dimmed(scene, [title(scene, width), phases, _counts(status, width), _class(status, scene, width)])


def dimmed(scene: Scene, rows: list[Row]) -> list[Row]:
    """The rows, without colours but for the title when the figures are old."""
    if not scene.stale:
        return rows
    return [rows[0], *([(text, "dim") for text, _ in pieces] for pieces in rows[1:])]


def title(scene: Scene, width: int) -> Row:
    """The first row: the link, the phase, and the daemon's mode."""
    known, status = scene.known, scene.known.status
    if known.link is Link.DOWN:
        return _offline(scene, width)
    if known.link is Link.FOREIGN:
        said = " the daemon has another version of the protocol: read-only. Update, and open it again"
        return [(fit(said, width), "black on yellow")]
    if status is None:
        return spread(
            width, [(" INTROEVAL ", "bold"), ("… connecting to ", "dim"), (scene.socket, "dim")], []
        )
    link: Piece = ("● live", "green")
    if scene.stale:
        link = (f"◐ stale {int(known.age(scene.monotonic))}s", "bold yellow")
    elif scene.frozen:
        link = ("‖ frozen", "bold yellow")
    left = [(" INTROEVAL ", "bold"), link, (f"  {clock(scene.now)}   ", ""), *_phase(status, scene)]
    right: list[Piece] = [(" DEMO: no grades ", "black on yellow")] if status.demo else []
    if scene.read_only or not status.may_change:
        right.append((" read-only ", "dim"))
    return spread(width, left, [*right, *wanted(status), mode(status, scene.now)])


def wanted(status: "DaemonStatus") -> list[Piece]:
    """The number of things that want a person."""
    count = sum(status.attention.values())
    if not count:
        return []
    urgent = any(status.attention.get(kind) for kind in _URGENT)
    return [(f" ATTENTION {count} ", "bold white on red" if urgent else "black on yellow")]


def _offline(scene: Scene, width: int) -> Row:
    known = scene.known
    down = int(scene.monotonic - (known.down_since or scene.monotonic))
    wait = max(0, round((known.next_try_at or scene.monotonic) - scene.monotonic))
    said = f" ○ daemon offline {down // 60:02d}:{down % 60:02d}, attempt {known.tries}, "
    said += f"next in {wait}s (R now)  {known.reason}"
    when = "" if known.status is None else f" as of {clock(parse(known.status.now), seconds=True)} "
    room = width - len(when)
    return [(fit(said, room), "bold white on red"), (fit(when, width - room), "bold white on red")]


def _phase(status: "DaemonStatus", scene: Scene) -> list[Piece]:
    name = words.group_name(status.group)
    pieces: list[Piece] = [(name, f"bold {words.group_style(status.group)}")]
    since = parse(status.phase_since)
    if since is not None and status.group:
        pieces.append((f" {coarse(scene.now - since)}", ""))
    if status.batch is not None:
        pieces.append((f"   batch {status.batch.done}/{status.batch.total}", ""))
    following = parse(status.next_switch_at)
    if following is not None and not scene.stale:
        pieces.append((f"   switch in {ahead(following - scene.now)}", ""))
    return pieces


def mode(status: "DaemonStatus", now: float) -> Piece:
    """The daemon's mode: SWITCHING, PAUSED, DRAINING, RUN or IDLE."""
    held_up = " PAUSED" if status.paused else f" DRAINING {status.left} left" if status.draining else ""
    if status.switching is not None:
        since = parse(status.switching.since)
        for_s = "" if since is None else f" {max(0, int(now - since))}s"
        usual = "" if status.switching.usual_s is None else f" of ~{status.switching.usual_s:.0f}s"
        to = words.group_name(status.switching.to)
        return (f"{held_up} SWITCHING to {to}{for_s}{usual} ", f"black on {'yellow' if held_up else 'cyan'}")
    if held_up:
        return (f"{held_up} ", "black on yellow")
    return (" RUN ", "black on green") if status.left or status.group else (" IDLE ", "reverse")


def _stt(status: "DaemonStatus", scene: Scene, width: int) -> Row:
    counts = status.counts
    engine = next((e for e in status.engines if e.stage == "stt"), None)
    model = f"{engine.name} {engine.model}".strip() if engine is not None else ""
    batch = status.batch
    if batch is not None and batch.total:
        done, total = batch.done, batch.total
    else:
        done, total = (
            0,
            counts.get("uploaded", 0) + counts.get("stt_pending", 0) + counts.get("stt_processing", 0),
        )
    said = model if "stt" in status.group else "waiting" if total else "nothing to do"
    return _meter("STT", "cyan", done, total, said, width)


def _eval(status: "DaemonStatus", scene: Scene, width: int) -> Row:
    waits = sum(status.counts.get(name, 0) for name in _WAITS_EVAL)
    runs = sum(status.counts.get(name, 0) for name in _RUNS_EVAL)
    said = f"{runs} run, {waits} wait" if runs else f"{waits} wait" if waits else "nothing to do"
    done, total = (status.clock.done, status.clock.total) if status.clock is not None else (0, waits + runs)
    return _meter("EVAL", "magenta", done, total, said, width)


def _meter(name: str, colour: str, done: int, total: int, said: str, width: int) -> Row:
    room = max(5, min(50, width - 8 - 9 - 18))
    share = done / total if total else 0.0
    return row(
        width,
        (f" {name:<6}", f"bold {colour}"),
        (bar(share, room), colour),
        (fit(f" {done}/{total}", 9), ""),
        (fit(f"  {said}", max(0, width - 7 - room - 9)), ""),
    )


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


def _counts(status: "DaemonStatus", width: int) -> Row:
    pieces, right = _task_counts(status), _figures(status, width)
    room = width - 1 - sum(len(text) for text, _ in pieces)
    while right and sum(len(text) for text, _ in right) > room:
        right.pop(0)
    return spread(width, pieces, [*right, (" ", "")] if right else [])


def _task_counts(status: "DaemonStatus") -> list[Piece]:
    counts = status.counts
    stt = counts.get("stt_pending", 0) + counts.get("stt_processing", 0)
    waits = sum(counts.get(name, 0) for name in _WAITS_EVAL)
    runs = sum(counts.get(name, 0) for name in _RUNS_EVAL)
    failed = counts.get("failed", 0)
    pieces: list[Piece] = [
        (f" queued {counts.get('uploaded', 0)}", ""),
        (f"  stt {stt}", "cyan" if stt else ""),
        (f"  wait-eval {waits}", ""),
        (f"  eval {runs}", "magenta" if runs else ""),
        (f"  done {counts.get('completed', 0)}", "green"),
        (f"  FAILED {failed}", "bold red" if failed else "dim"),
    ]
    if status.held:
        pieces.append((f"  held {status.held}", "yellow"))
    if status.undelivered:
        pieces.append((f"  undelivered {status.undelivered}", "yellow"))
    if status.inbox is not None and status.inbox.waiting:
        pieces.append((f"  inbox {status.inbox.waiting}", ""))
    return pieces


def _figures(status: "DaemonStatus", width: int) -> list[Piece]:
    """The figures on the right, the most important last: without room the first is left out first."""
    right: list[Piece] = []
    if status.rates.tasks_per_h is not None:
        right.append((f"  {status.rates.tasks_per_h:.1f}/h", ""))
    if status.rates.mean_s is not None and width >= 100:
        right.append((f"  {coarse(status.rates.mean_s)} a video", ""))
    if status.disk is not None:
        full = status.disk.free_mb < status.disk.min_free_mb
        right.append((f"  disk {gigabytes(status.disk.free_mb)}G free", "bold red" if full else ""))
    return right


def _engines(status: "DaemonStatus", width: int) -> Row:
    pieces: list[Piece] = [(" ", "")]
    for engine in status.engines:
        look = words.engine(engine.state)
        pieces += [
            (fit(f"{engine.name} ", min(len(engine.name) + 1, 18)), ""),
            (f"{look.sign} {look.word}   ", look.style),
        ]
    return row(width, *pieces)


def _class(status: "DaemonStatus", scene: Scene, width: int) -> Row:
    if status.inbox is not None and not status.inbox.available:
        return row(width, (fit(f" the inbox {status.inbox.path} is not available", width), "bold red"))
    pieces = class_clock(status.clock, scene)
    why = f"{status.why}: {status.why_detail}" if status.why_detail else status.why
    if status.inbox is not None and not status.left and not status.group:
        why = f"waiting for videos in {status.inbox.path}"
    room = max(0, width - 1 - sum(cell_len(text) for text, _ in pieces))
    return row(width, (" ", ""), *pieces, (fit(why, room), "dim"))
