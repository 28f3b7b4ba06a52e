"""`python -m tests.torture [PART ...] [--short] [--seed N]`: prove that nothing is lost and nothing doubled.

Without a part it runs all of them beside each other, with progress, and prints one table at the end; but not
`cluster`, which measures how soon a fault is seen. With INTROEVAL_WRITE_DOCS=1 a run that is not short
writes its counts into docs/promises.md.
"""

import argparse
import os
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from rich.console import Console

from tests.torture import page
from tests.torture.cluster.campaign import run_cluster
from tests.torture.cores import Cores
from tests.torture.days.campaign import run_days
from tests.torture.disk.campaign import run_errors, run_instants
from tests.torture.mutations import run_mutations
from tests.torture.soak import run_soak
from tests.torture.table import Report, show

_HOURS, _SHORT_HOURS = 2000.0, 32.0

Tell = Callable[[str], None]
Part = Callable[[bool, int, Tell, Cores], Report]


def _days(short: bool, seed: int, tell: Tell, cores: Cores) -> Report:
    return run_days(_SHORT_HOURS if short else _HOURS, seed, tell, cores)


def _cluster(short: bool, seed: int, tell: Tell, cores: Cores) -> Report:
    return run_cluster(short, seed, tell)


TOGETHER: dict[str, Part] = {  # the one that cannot be parted comes first
    "soak": run_soak,
    "instants": run_instants,
    "errors": run_errors,
    "days": _days,
    "mutations": run_mutations,
}
PARTS = TOGETHER | {"cluster": _cluster}


def main(arguments: list[str]) -> int:
    """Run, and return 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("part", nargs="*", choices=[*PARTS, []], help="without one all but cluster")
    parser.add_argument("--short", action="store_true", help="a look, in two minutes")
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    asked = parser.parse_args(arguments)
    console, cores = Console(stderr=True), Cores()
    said: dict[str, str] = {}
    with console.status("") as status:

        def tell(line: str) -> None:
            if console.is_terminal:
                said[line.partition(":")[0]] = line
                status.update("; ".join(said.values()))
            else:
                print(line, file=sys.stderr, flush=True)

        names = asked.part or [*TOGETHER]

        def part(name: str) -> Report:
            try:
                return PARTS[name](asked.short, asked.seed, tell, cores)
            except Exception:  # noqa: BLE001 - the reports of the others are shown all the same
                console.print_exception()
                again = f"python -m tests.torture {name} --seed {asked.seed}"
                return Report(name, "it broke off", Counter(other=1), [again])

        with ThreadPoolExecutor(len(names)) as pool:
            reports = list(pool.map(part, names))
    if os.environ.get("INTROEVAL_WRITE_DOCS") and not asked.short:
        page.write(reports, asked.seed)
    show(reports, Console(width=None if sys.stdout.isatty() else 150))
    return int(any(report.failed for report in reports))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
