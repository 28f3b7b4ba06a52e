"""Simulates the days of labs, one for each seed: `python -m tests.torture.days --seed N --labs L --days D`.

For each lab its findings are printed, then a line with its sum as JSON. The order of sets of words depends on
PYTHONHASHSEED, so it is part of what makes a run repeatable, and is set here where it is missing.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from tests.torture.days.clock import Clock, pin


def main() -> int:
    """Run, and return 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog="tests.torture.days")
    parser.add_argument("--seed", type=int, default=1, help="of the first lab")
    parser.add_argument("--labs", type=int, default=1)
    parser.add_argument("--days", type=int, default=1)
    parser.add_argument("--log", type=Path, help="write what happened into this file")
    parser.add_argument("--keep", type=Path, help="keep the lab in this folder, which must not exist")
    asked = parser.parse_args()
    if os.environ.get("PYTHONHASHSEED") != "0":
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "tests.torture.days", *sys.argv[1:]])
    clock = Clock()
    pin(clock)
    from tests.torture.days.warm import warm  # only now: the daemon keeps `time.time` as a default

    warm()
    failed = False
    for number in range(asked.labs):
        lab = os.fork()  # from the same warm process, whichever labs came before
        if not lab:
            broken = _simulate(asked, asked.seed + number, clock)
            sys.stdout.flush()
            os._exit(broken)
        failed |= os.waitstatus_to_exitcode(os.waitpid(lab, 0)[1]) != 0
    return int(failed)


def _simulate(asked: argparse.Namespace, seed: int, clock: Clock) -> int:
    from tests.torture.days.simulate import simulate

    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None  # where an fsync costs nothing
    with tempfile.TemporaryDirectory(prefix="introeval-days-", dir=memory) as tmp:
        lab = simulate(seed, asked.days, asked.keep or Path(tmp) / "lab", clock)
    if asked.log:
        asked.log.write_text("\n".join(lab.lines) + "\n")
    for finding in lab.findings:
        print(f"{finding.kind}: {finding.told}")
    hours = round(clock.now / 3600, 2)
    print(json.dumps({"seed": seed, "hours": hours, "uploads": len(lab.uploads), **lab.counts}))
    return int(bool(lab.findings))


if __name__ == "__main__":
    raise SystemExit(main())
