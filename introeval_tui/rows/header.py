"""The rows above the table: link and phase, progress, GPU, counts and the class clock. Pure."""

from typing import TYPE_CHECKING

from rich.cells import cell_len

from daemon.contracts.wire.states import STATES
from introeval_tui.rows import nodes, words
from introeval_tui.rows.cells import Piece, Row, clean, fit, row, spread
from introeval_tui.rows.class_clock import class_clock, outcomes
from introeval_tui.rows.class_rows import open_class_row
from introeval_tui.rows.format import ahead, bar, clock, coarse, gigabytes, parse
from introeval_tui.rows.gpu import gpu_line
from introeval_tui.rows.state import Link, Scene

if TYPE_CHECKING:
    from daemon.contracts.wire.status import DaemonStatus

_WAITS_EVAL = ("stt_complete", "eval_pending", "mistral_complete")
_RUNS_EVAL = ("eval_processing", "llama_processing")
_URGENT = ("alarm", "failed", "refused")
_RATED = ("evaluated", "needs_review")
_COUNTED = {
    "queued": "",
    "in batch": "",
    "stt": "cyan",
    "wait-eval": "",
    "extract": "magenta",
    "wait-rate": "",
    "rate": "magenta",
    "done": "bold",
    "failed": "bold red",
    "refused": "bold red",
    "cancelled": "dim",
    "held": "yellow",
    "undelivered": "yellow",
    "inbox": "",
}


def top_rows(scene: Scene, width: int) -> list[Row]:
    """The 7 rows above the table in a narrow terminal, also before the first answer; 8 with an open class."""
    status = scene.known.status
    if status is None:
        return [title(scene, width), *(row(width) for _ in range(6))]
    work = [_stt(status, width), _eval(status, width)]
    if ended := end_rows(status, width):
        work = ended
    machine = [gpu_line(status.gpu, width), _counts(status, width), _engines(status, width)]
    rows = [title(scene, width), *work, *machine, _class(status, scene, width)]
    return dimmed(scene, [*rows, *_open_class(status, width)])


def wide_rows(scene: Scene, width: int) -> list[Row]:
    """The 4 rows above the table in a wide terminal, where other panels show GPU and engines; 5 with an open
    class.
    """
    status = scene.known.status
    if status is None:
        return [title(scene, width), *(row(width) for _ in range(3))]
    half = width // 2
    if ended := end_rows(status, width):
        rows = [ended[0], _counts(status, width), ended[1]]
    else:
        phases = [*_stt(status, half), *_eval(status, width - half)]
        rows = [phases, _counts(status, width), _class(status, scene, width)]
    return dimmed(scene, [title(scene, width), *rows, *_open_class(status, width)])


def has_class(scene: Scene) -> bool:
    """Whether a class is open, which has a row of its own."""
    return scene.known.status is not None and scene.known.status.open_class is not None


def _open_class(status: "DaemonStatus", width: int) -> list[Row]:
    said = status.open_class
    return [] if said is None else [open_class_row(said, width)]


def end_rows(status: "DaemonStatus", width: int) -> list[Row]:
    """How the class ended, and where its results are; nothing before its end."""
    said = status.clock
    if said is None or said.state != "done" or not said.total:
        return []
    outbox = next((place.path for place in status.places if place.name == "outbox"), "the outbox")
    late = f"   {status.undelivered} not delivered yet" if status.undelivered else ""
    due = f"   deadline {clock(parse(said.deadline))}" if said.deadline else ""
    demo = "   DEMO: no grades" if status.demo else ""
    return [
        row(
            width,
            (" CLASS ", "bold"),
            (
                f"{said.total} of {said.total} done: {outcomes(said)}",
                "",
            ),
        ),
        row(
            width,
            (" RESULTS ", "bold"),
            (f"in {clean(outbox)}", ""),
            (demo, "yellow"),
            (late, "yellow"),
            (due, "dim"),
        ),
    ]


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
    elif scene.replay:
        link = (scene.replay, "bold magenta")
    elif scene.frozen:
        link = ("‖ frozen", "bold yellow")
    right: list[Piece] = [(" DEMO ", "black on yellow")] if status.demo else []
    if status.not_for_grades:
        right.append((" NO GRADES ", "black on yellow"))
    if scene.read_only or not (status.may_change or scene.replay):
        right.append((" read-only ", "dim"))
    right += [*wanted(status), mode(status, scene.now)]
    hour = "  " if scene.replay else f"  {clock(scene.now)}  "
    left = [(" INTROEVAL ", "bold"), link, (hour, ""), *_phase(status, scene)]
    used = sum(cell_len(text) for text, _ in (*left, *right))
    if status.calibration is not None:
        corrected = f" calibration {status.calibration} "
        if used + len(corrected) < width:
            right.insert(0, (corrected, "dim"))
    if used > width:
        left[0] = (" ", "")
    return spread(width, left, right)


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
    said = f" ○ daemon offline for {coarse(down)}, attempt {known.tries}, next in {wait}s (R: try now)"
    when = "" if known.status is None else f" as of {clock(parse(known.status.now), seconds=True)} "
    room = width - len(when)
    return [(fit(said, room), "bold white on red"), (fit(when, width - room), "bold white on red")]


def _phase(status: "DaemonStatus", scene: Scene) -> list[Piece]:
    name = words.group_name(status.group) if status.group else ""
    pieces: list[Piece] = [(name, f"bold {words.group_style(status.group)}")]
    since = parse(status.phase_since)
    if since is not None and status.group:
        pieces.append((f" {coarse(scene.now - since)}", ""))
    if status.batch is not None:
        pieces.append((f"  batch {status.batch.done}/{status.batch.total}", ""))
    following = parse(status.next_switch_at)
    if following is not None and not scene.stale and not status.paused:
        pieces.append((f"  switch in {ahead(following - scene.now)}", ""))
    return pieces


def mode(status: "DaemonStatus", now: float) -> Piece:
    """The daemon's mode: SWITCHING, PAUSED, DRAINING, RUN or IDLE."""
    resumes = " (P resumes)" if "resume" in status.can and status.switching is None else ""
    held_up = " PAUSED" if status.paused else f" DRAINING {status.left} left" if status.draining else ""
    held_up += resumes if held_up else ""
    if status.switching is not None:
        since = parse(status.switching.since)
        for_s = "" if since is None else f" {max(0, int(now - since))}s"
        usual = "" if status.switching.usual_s is None else f" of ~{status.switching.usual_s:.0f}s"
        to = words.group_name(status.switching.to)
        return (f"{held_up} SWITCHING to {to}{for_s}{usual} ", f"black on {'yellow' if held_up else 'cyan'}")
    if held_up:
        return (f"{held_up} ", "black on yellow")
    return (" RUN ", "black on green") if status.left or status.group else (" IDLE ", "reverse")


def _stt(status: "DaemonStatus", width: int) -> Row:
    engine = next((each for each in status.engines if each.stage == "stt"), None)
    batch, counts = status.batch, status.counts
    waits = sum(counts.get(name, 0) for name in ("uploaded", "stt_pending", "stt_processing"))
    done, total = (batch.done, batch.total) if batch is not None and batch.total else (0, waits)
    if nodes.several(status) and status.clock is not None:  # each has a batch of its own
        done, total = status.clock.total - waits, status.clock.total
    name = words.engine_name(engine) if engine is not None else ""
    loaded = any("stt" in group for group in (status.group, *(node.group for node in status.nodes)))
    said = name if loaded else "wait" if total else "nothing to do"
    return _meter("STT", "cyan", done, total, said, width)


def _eval(status: "DaemonStatus", width: int) -> Row:
    """Of the class what was rated, of all that has a rating before it or behind it."""
    counts, said = status.counts, status.clock
    waits = sum(counts.get(name, 0) for name in _WAITS_EVAL)
    runs = sum(counts.get(name, 0) for name in _RUNS_EVAL)
    done, total = 0, waits + runs
    if said is not None:
        done = sum(said.outcomes.get(name, 0) for name in _RATED)
        total = said.total - sum(said.outcomes.values()) + done
    text = f"rated, {runs} at work" if runs else f"rated, {waits} wait" if waits else "rated"
    return _meter("EVAL", "magenta", done, total, text if total else "nothing to rate", width)


def _meter(name: str, colour: str, done: int, total: int, said: str, width: int) -> Row:
    room = max(5, min(50, width - 8 - 9 - 18))
    share = done / total if total else 0.0
    return row(
        width,
        (f" {name:<6}", f"bold {colour}"),
        (bar(share, room), colour),
        (fit(f" {done}/{total} {said}", max(0, width - 7 - room)), ""),
    )


def _counts(status: "DaemonStatus", width: int) -> Row:
    pieces, right = _task_counts(status), _figures(status, width)
    room = width - 1 - sum(len(text) for text, _ in pieces)
    while right and sum(len(text) for text, _ in right) > room:
        right.pop(0)
    return spread(width, pieces, [*right, (" ", "")] if right else [])


def _task_counts(status: "DaemonStatus") -> list[Piece]:
    """How many tasks are in each state that has any, in the words of the table."""
    found: dict[str, int] = dict.fromkeys(("queued", "done", "failed"), 0)
    for name, word in STATES.items():
        if count := status.counts.get(name):
            found[word] = found.get(word, 0) + count
    found |= {"refused": status.refused, "held": status.held, "undelivered": status.undelivered}
    found["inbox"] = status.inbox.waiting if status.inbox is not None else 0
    shown = [word for word in _COUNTED if found.get(word) or word in ("queued", "done", "failed")]
    return [
        (f"{'  ' if at else ' '}{word} {found[word]}", _COUNTED[word] if found[word] else "dim")
        for at, word in enumerate(shown)
    ]


def _figures(status: "DaemonStatus", width: int) -> list[Piece]:
    """The figures on the right, the most important last: without room the first is left out first."""
    right: list[Piece] = []
    if status.rates.tasks_per_h is not None:
        right.append((f"  {status.rates.tasks_per_h:.0f} tasks/h while working", ""))
    if status.rates.mean_s is not None and width >= 100:
        right.append((f"  {coarse(status.rates.mean_s)} of work each", ""))
    if status.disk is not None:
        full = status.disk.free_mb < status.disk.min_free_mb
        right.append((f"  disk {gigabytes(status.disk.free_mb)}G free", "bold red" if full else ""))
    return right


def _engines(status: "DaemonStatus", width: int) -> Row:
    if nodes.several(status):
        return nodes.nodes_line(status, width)
    pieces: list[Piece] = [(" ", "")]
    for engine in status.engines:
        look = words.engine(engine.state)
        pieces += [
            (fit(f"{engine.name} ", min(cell_len(engine.name) + 1, 18)), ""),
            (f"{look.sign} {look.word}   ", look.style),
        ]
    return row(width, *pieces)


def _class(status: "DaemonStatus", scene: Scene, width: int) -> Row:
    inbox = status.inbox
    if inbox is not None and not inbox.available:
        return row(width, (fit(f" the inbox {inbox.path} is not available", width), "bold red"))
    pieces = [] if end_rows(status, width) else class_clock(status.clock, scene)
    why = f"{status.why}: {status.why_detail}" if status.why_detail else status.why
    if inbox is not None and not status.left and not status.group:
        why = f"waiting for videos in {inbox.path}"
    room = max(0, width - 1 - sum(cell_len(text) for text, _ in pieces))
    return row(width, (" ", ""), *pieces, (fit(why, room), "dim"))
