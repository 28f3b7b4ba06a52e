"""`python -m tests.bench [NAME...]`: run the benchmarks and print their figures beside their goals.

The exit code is 0 when every goal is met, 1 when one is missed or a benchmark failed. What can't be run here
is skipped and says so.
"""

import argparse
import importlib
import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import structlog
from rich.console import Console

from tests.bench import record
from tests.bench.figures import Options, Skipped
from tests.bench.shown import tables

QUICK = ("commands", "idle", "status", "forecast", "tui", "stt", "switch")
SLOW = (
    "classroom",
    "intake",
    "damage",
    "equal",
    "class_hearing",
    "class_of_six",
    "cluster",
    "hearing",
    "injection",
    "soak",
)


def main() -> int:
    """Run what the command line names, the quick ones, or everything."""
    usual, known = Options(), (*QUICK, *SLOW)
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measure IntroEval.")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(known)}; default: {', '.join(QUICK)}"
    )
    parser.add_argument("--all", action="store_true", help="run all of them")
    parser.add_argument("--whisper", default=usual.whisper, help="Whisper model (default: %(default)s)")
    parser.add_argument(
        "--scale", type=float, default=usual.scale, help="divides a class's durations (default: %(default)g)"
    )
    parser.add_argument(
        "--minutes", type=float, default=usual.minutes, help="how long to soak (default: %(default)g)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON for other programs and --against")
    parser.add_argument("--against", type=Path, metavar="FILE", help="compare with what --json once printed")
    chosen = parser.parse_args()
    if unknown := set(chosen.names) - set(known):
        parser.error(f"there is no {', '.join(sorted(unknown))}, but {', '.join(known)}")
    try:
        then = record.read(chosen.against) if chosen.against else None
    except record.Unreadable as exc:
        parser.error(str(exc))
    quiet = structlog.make_filtering_bound_logger(logging.WARNING)
    structlog.configure(wrapper_class=quiet, logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    names = chosen.names or (known if chosen.all else QUICK)
    run = record.here()
    measure(names, Options(chosen.whisper, chosen.scale, chosen.minutes), run)
    if chosen.json:
        print(run.json())
    else:
        Console(highlight=False, markup=False).print(tables(run, then))
    return 1 if run.failed or any(run.missed()) else 0


def measure(names: Sequence[str], options: Options, run: record.Run) -> None:
    """Run the benchmarks one after the other. What one gave before it failed stands; ctrl+c ends them."""
    for name in names:
        began = time.monotonic()
        try:
            for figure in importlib.import_module(f"tests.bench.{name}").measure(options):
                run.figures.setdefault(name, []).append(figure)
        except Skipped as exc:
            run.skipped[name] = str(exc)
        except KeyboardInterrupt:
            run.failed[name] = "ended by ctrl+c; the benchmarks after it were not run"
            return
        except Exception as exc:  # noqa: BLE001 - of whatever kind: the figures of the others are not lost
            run.failed[name] = f"{type(exc).__name__}: {exc}"
        print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
