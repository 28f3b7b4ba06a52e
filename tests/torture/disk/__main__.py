"""A worker of the torture of the disk: `python -m tests.torture.disk instants|errors`, started by `campaign`.

Its output is a line of JSON for each finding, and one with the counts at the end.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from tests.torture.days.clock import Clock, pin
from tests.torture.disk.calls import PRELOAD, build_shim


def main() -> int:
    """Run, and return 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog="tests.torture.disk")
    parser.add_argument("part", choices=["instants", "errors"])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--share", default="0/1", help="K/N: this worker is the K-th of N")
    parser.add_argument("--every", type=int, default=1, help="only each so many-th call")
    parser.add_argument("--only", default="", help="run one again: CALL:LOSS or CALL:ERROR")
    asked = parser.parse_args()
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None  # where an fsync costs nothing
    with tempfile.TemporaryDirectory(prefix="introeval-disk-", dir=memory) as tmp:
        if PRELOAD not in os.environ or os.environ.get("PYTHONHASHSEED") != "0":
            os.environ |= {PRELOAD: str(build_shim(Path(tmp))), "PYTHONHASHSEED": "0"}
            command = [sys.executable, "-m", "tests.torture.disk", *sys.argv[1:]]
            return os.spawnv(os.P_WAIT, sys.executable, command)
        clock = Clock()
        pin(clock)
        from tests.torture.disk import errors, instants  # only now: the daemon keeps `time.time` as a default
        from tests.torture.disk.scene import Stage
        from tests.torture.disk.share import Share

        part = {"instants": instants.run, "errors": errors.run}[asked.part]
        share = Share(asked.every, *map(int, asked.share.split("/")))
        stage = Stage(Path(tmp), asked.seed, clock)
        findings = 0
        for line in part(stage, share, asked.only):
            findings += "kind" in line
            print(json.dumps(line), flush=True)
    return int(findings > 0)


if __name__ == "__main__":
    raise SystemExit(main())
