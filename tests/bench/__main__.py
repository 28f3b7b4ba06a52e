"""`python -m tests.bench [NAME...]`: run the benchmarks and print their figures beside their goals.

The exit code is 0 when every goal is met, 1 when one is missed. What can't be run here is skipped and
says so.
"""

import argparse
import json
import logging
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict

import structlog

from daemon.cli.lines import table
from tests.bench import (
    class_hearing,
    classroom,
    commands,
    damage,
    equal,
    forecast,
    hearing,
    idle,
    injection,
    intake,
    soak,
    status,
    stt,
    switch,
    tui,
)
from tests.bench.figures import Figure, Options, Skipped

BENCHMARKS: dict[str, Callable[[Options], list[Figure]]] = {
    "stt": stt.measure,
    "hearing": hearing.measure,
    "class_hearing": class_hearing.measure,
    "injection": injection.measure,
    "class": classroom.measure,
    "damage": damage.measure,
    "equal": equal.measure,
    "intake": intake.measure,
    "status": status.measure,
    "commands": commands.measure,
    "idle": idle.measure,
    "forecast": forecast.measure,
    "switch": switch.measure,
    "tui": tui.measure,
    "soak": soak.measure,
}


def main() -> int:
    """Run what the command line names, or everything."""
    usual = Options()
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measure IntroEval.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; default: all")
    parser.add_argument("--whisper", default=usual.whisper, help="Whisper model (default: %(default)s)")
    parser.add_argument(
        "--scale", type=float, default=usual.scale, help="divides a class's durations (default: %(default)g)"
    )
    parser.add_argument(
        "--minutes", type=float, default=usual.minutes, help="how long to soak (default: %(default)g)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON for other programs")
    chosen = parser.parse_args()
    if unknown := set(chosen.names) - BENCHMARKS.keys():
        parser.error(f"there is no {', '.join(sorted(unknown))}, but {', '.join(BENCHMARKS)}")
    quiet = structlog.make_filtering_bound_logger(logging.WARNING)
    structlog.configure(wrapper_class=quiet, logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    figures = _run(chosen.names or list(BENCHMARKS), Options(chosen.whisper, chosen.scale, chosen.minutes))
    if chosen.json:
        print(json.dumps([{**asdict(figure), "met": figure.met} for figure in figures], indent=2))
    else:
        print("\n".join(table(_rows(figures), None, right=(1, 3))))
    return 1 if any(figure.met is False for figure in figures) else 0


def _run(names: Sequence[str], options: Options) -> list[Figure]:
    figures = []
    for name in names:
        began = time.monotonic()
        try:
            figures += BENCHMARKS[name](options)
        except Skipped as exc:
            print(f"{name}: skipped: {exc}", file=sys.stderr)
        else:
            print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr)
    return figures


def _rows(figures: Sequence[Figure]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("name", "figure", "unit", "goal", "met")]
    for figure in figures:
        met = {True: "yes", False: "NO", None: ""}[figure.met]
        goal = "" if figure.goal is None else str(figure.goal)
        rows.append((figure.name, _shown(figure.value), figure.unit, goal, met))
    return rows


def _shown(value: float) -> str:
    """Four digits that count: a ratio of 1.032 is not 1.03."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


if __name__ == "__main__":
    sys.exit(main())
