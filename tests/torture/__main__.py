"""`python -m tests.torture [PART ...] [--short] [--seed N]`: prove that nothing is lost and nothing doubled.

Without a part it runs all of them, with progress, and prints one table at the end.
"""

import argparse
import sys
from collections.abc import Callable

from rich.console import Console

from tests.torture.days.campaign import run_days
from tests.torture.disk.campaign import run_errors, run_instants
from tests.torture.mutations import run_mutations
from tests.torture.soak import run_soak
from tests.torture.table import Report, show

_HOURS, _SHORT_HOURS = 2000.0, 32.0

Tell = Callable[[str], None]


def _days(short: bool, seed: int, tell: Tell) -> Report:
    return run_days(_SHORT_HOURS if short else _HOURS, seed, tell)


def _mutations(short: bool, seed: int, tell: Tell) -> Report:
    return run_mutations(short, tell)


def _soak(short: bool, seed: int, tell: Tell) -> Report:
    return run_soak(short, tell)


_PARTS: dict[str, Callable[[bool, int, Tell], Report]] = {
    "days": _days,
    "instants": run_instants,
    "errors": run_errors,
    "mutations": _mutations,
    "soak": _soak,
}


def main(arguments: list[str]) -> int:
    """Run, and return 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("part", nargs="*", choices=[*_PARTS, []], help="all without one")
    parser.add_argument("--short", action="store_true", help="a look, in two minutes")
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    asked = parser.parse_args(arguments)
    console = Console(stderr=True)
    reports = []
    with console.status("") as status:

        def tell(line: str) -> None:
            if console.is_terminal:
                status.update(line)
            else:
                print(line, file=sys.stderr, flush=True)

        for name in asked.part or _PARTS:
            reports.append(_PARTS[name](asked.short, asked.seed, tell))
    show(reports, Console(width=None if sys.stdout.isatty() else 150))
    return int(any(report.failed for report in reports))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
