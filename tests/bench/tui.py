"""`tui`: what the dashboard costs, in a pseudo-terminal of 120x40 at one refresh a second."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psutil

from daemon.core.timestamps import to_iso
from tests.bench.bytecode import kept_in
from tests.bench.figures import ROUNDS, Figure, Options, at_most, in_turn, median_of, percentile, ratio_of
from tests.bench.process import cpu_s
from tests.tui.fake_daemon import NOW, FakeDaemon, a_refusal, in_process, in_thread, task
from tests.tui.terminal import Terminal, dashboard, terminal

PAINTS = 21
KEYS = 100
WATCHED_S = 20.0
SETTLING_S = 3.0
MANY = 5000
WANTING = 500
BETWEEN_KEYS_S = 0.3  # so that they meet the refresh of each second at every moment
_EMPTY = """
from textual.app import App
from textual.widgets import Label


class Empty(App):
    def compose(self):
        yield Label("MARKER")


Empty().run()
"""


def measure(options: Options) -> Iterator[Figure]:
    """First paint, bytes, processor, memory, and how fast a key is answered."""
    with tempfile.TemporaryDirectory() as folder:
        for part in (_paint, _at_work, _keys):
            yield from part(Path(folder))


def _paint(folder: Path) -> list[Figure]:
    """The three in turn, so that whatever else the machine does meets all of them. The first round, which
    makes the bytecode, does not count.
    """
    bytecode = kept_in(folder)
    empty = folder / "empty.py"
    empty.write_text(_EMPTY)
    with in_thread(FakeDaemon(folder / "up.sock")) as fake:
        ways = {
            "an empty Textual app": ([str(empty)], "MARKER"),
            "daemon up": (dashboard(fake.path), "STUDENT"),
            "daemon down": (dashboard(folder / "none"), "STUDENT"),
        }
        paints = {name: partial(_first_paint_ms, *way, bytecode) for name, way in ways.items()}
        in_turn(paints, 1)
        times = in_turn(paints, PAINTS)
    bare = times["an empty Textual app"]
    return [
        *(median_of(f"first paint, {name}", mine, "ms") for name, mine in times.items()),
        *(
            ratio_of(f"first paint, {name}, to an empty app", times[name], bare, "x", at_most(1.25))
            for name in ("daemon up", "daemon down")
        ),
    ]


def _first_paint_ms(arguments: list[str], marker: str, environment: dict[str, str]) -> float:
    with terminal(arguments, 120, 40, **environment) as seen:
        return 1000 * seen.until(lambda: marker.encode() in seen.written)


@contextmanager
def _open(fake: FakeDaemon) -> Iterator[Terminal]:
    with in_thread(fake), terminal(dashboard(fake.path)) as seen:
        _settle(seen)
        yield seen


def _settle(seen: Terminal) -> None:
    seen.until(lambda: seen.shows("live") and seen.shows("s005"))
    seen.pump(SETTLING_S)


def _at_work(folder: Path) -> list[Figure]:
    """Nothing changes; then three of thirty tasks change each second."""
    fake = FakeDaemon(folder / "work.sock", tasks=[task(number) for number in range(1, 31)])
    for number in (1, 2, 3):
        fake.change(number, status="stt_processing", progress=0.1)
    moving = False

    def move(daemon: FakeDaemon) -> None:
        if moving:
            step(daemon)

    fake.before = move
    with _open(fake) as seen:
        idle_bytes, idle_cpu = _watch(seen)
        moving = True
        work_bytes, work_cpu = _watch(seen)
        memory = psutil.Process(seen.pid).memory_info().rss / 1e6
    return [
        median_of("nothing changes, bytes", idle_bytes, "B/s", at_most(50)),
        median_of("nothing changes, processor", idle_cpu, "% of a core", at_most(0.4)),
        median_of("three tasks change, bytes", work_bytes, "B/s", at_most(1500)),
        median_of("three tasks change, processor", work_cpu, "% of a core", at_most(1.5)),
        Figure("resident memory", memory, "MB", at_most(60)),
    ]


def step(daemon: FakeDaemon) -> None:
    """Let a second of work be seen: three tasks go on, and the GPU's use changes."""
    seconds = daemon.status.seq
    for number in (1, 2, 3):
        daemon.change(number, progress=0.10 + (seconds % 80) / 100)
    gpu = daemon.status.gpu.model_copy(update={"utilisation": 50 + seconds % 40})
    daemon.says(now=to_iso(NOW + seconds / 3), gpu=gpu)


def _watch(seen: Terminal) -> tuple[list[float], list[float]]:
    """Bytes a second, and the share of a core in percent, of each round."""
    process, written, shares = psutil.Process(seen.pid), [], []
    for _ in range(ROUNDS):
        before = cpu_s(process)
        written.append(seen.pump(WATCHED_S) / WATCHED_S)
        shares.append(100 * (cpu_s(process) - before) / WATCHED_S)
    return written, shares


def _keys(folder: Path) -> list[Figure]:
    """From a key to the first byte of its answer: with thousands of open tasks of which some change, and in
    the list of what wants a person.
    """
    fake = FakeDaemon(folder / "many.sock", tasks=[task(number) for number in range(1, MANY + 1)])
    fake.refused = [a_refusal(number, who=f"u{number:03d}") for number in range(WANTING)]
    fake.before = step
    with in_process(fake), terminal(dashboard(fake.path)) as seen:
        _settle(seen)
        tasks = _times(seen)
        seen.press(b"!")
        seen.until(lambda: seen.shows(f"Attention {WANTING}"), 60)
        seen.pump(SETTLING_S)
        wanting = _times(seen)
    return [
        *_latency(f"{MANY:,} open tasks", tasks),
        *_latency(f"{WANTING} things that want a person", wanting),
    ]


def _times(seen: Terminal) -> list[float]:
    """Milliseconds from each key to its answer."""
    times = []
    for _ in range(KEYS):
        seen.pump(BETWEEN_KEYS_S)
        began = time.perf_counter()
        seen.press(b"j")
        seen.more(1.0)
        times.append(1000 * (time.perf_counter() - began))
    return times


def _latency(what: str, times: list[float]) -> list[Figure]:
    return [
        median_of(f"a key with {what}, median", times, "ms"),
        Figure(f"a key with {what}, 95th percentile", percentile(times, 95), "ms", at_most(30)),
    ]
