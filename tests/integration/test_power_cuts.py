"""A power cut after some calls of a class, calls that fail, and what the model of the disk forgets."""

import json
import os
import random
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.torture.disk.alike import Reader
from tests.torture.disk.calls import Call
from tests.torture.disk.model import Disk, Loss, State

ROOT = Path(__file__).parents[2]


def worker(*arguments: str, below: Path = ROOT) -> tuple[list[dict[str, str]], dict[str, int]]:
    """Run a worker, and give its findings and its last counts."""
    command = [sys.executable, "-m", "tests.torture.disk", *arguments]
    environ = {**os.environ, "PYTHONPATH": str(below)}
    ran = subprocess.run(command, cwd=below, env=environ, capture_output=True, text=True, timeout=280)
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    assert lines, ran.stderr
    return [line for line in lines if "kind" in line], lines[-1]


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    (tmp_path / "old").write_bytes(b"before")
    return Disk(tmp_path)


def call(what: str, inode: int = 0, other: int = 0, name: str = "", new: str = "", **more: object) -> Call:
    given = {"error": 0, "at": 0, "data": b"", **more}
    return Call(what=what, inode=inode, other=other, name=name.encode(), new=new.encode(), **given)  # type: ignore[arg-type]


def left(disk: Disk, loss: Loss) -> dict[str, bytes]:
    return {path.decode(): content for path, _, content in disk.after(loss, random.Random(1)).files}


def test_a_file_survives_with_its_content_and_its_name_synced_each_by_itself(
    disk: Disk, tmp_path: Path
) -> None:
    root = tmp_path.stat().st_ino
    disk.play(call("create", 1, root, "new"))
    disk.play(call("write", 1, data=b"whole"))
    assert left(disk, Loss.NOTHING) == {"old": b"before", "new": b"whole"}
    assert left(disk, Loss.TORN) == {"old": b"before", "new": b"wh"}
    assert left(disk, Loss.CONTENT) == {"old": b"before", "new": b""}
    disk.play(call("sync", 1))
    assert left(disk, Loss.ALL) == {"old": b"before"}
    disk.play(call("sync", root))
    assert left(disk, Loss.ALL) == {"old": b"before", "new": b"whole"}


def test_what_a_failed_fsync_has_left_out_no_later_one_writes(disk: Disk, tmp_path: Path) -> None:
    disk.play(call("create", 1, tmp_path.stat().st_ino, "new"))
    disk.play(call("sync", tmp_path.stat().st_ino))
    disk.play(call("write", 1, data=b"whole"))
    disk.play(call("sync", 1, error=5))
    disk.play(call("sync", 1))
    assert left(disk, Loss.NOTHING)["new"] == b"whole"
    assert left(disk, Loss.ALL)["new"] == b""


def test_databases_are_alike_when_sqlite_reads_the_same(tmp_path: Path) -> None:
    def state() -> State:
        names = [path.name for path in sorted(tmp_path.glob("introeval.db*")) if "-shm" not in path.name]
        files = [(b"var/" + name.encode(), 1, (tmp_path / name).read_bytes()) for name in names]
        return State((), tuple(files))

    (tmp_path / "reader").mkdir()
    reader = Reader(tmp_path / "reader")
    db = sqlite3.connect(tmp_path / "introeval.db", isolation_level=None)
    db.executescript("PRAGMA journal_mode=WAL; PRAGMA cache_size=1; CREATE TABLE t (x)")
    before = state()
    db.execute("BEGIN")
    db.executemany("INSERT INTO t VALUES (?)", [("x" * 4000,)] * 20)  # more than the cache: it is written
    written = state()
    db.execute("COMMIT")
    after = state()
    assert before.files != written.files
    assert reader.key(before) == reader.key(written) != reader.key(after)
    torn = State((), (*after.files[:-1], (*after.files[-1][:2], after.files[-1][2][:-100])))
    assert reader.key(torn) == reader.key(before)


def test_a_class_comes_through_power_cuts() -> None:
    findings, counts = worker("instants", "--every", "250")
    assert not findings
    assert counts["calls"] > 1500
    assert counts["cuts"] > counts["states"] > 10
    assert counts["second"] >= 2


def test_a_class_comes_through_calls_that_fail() -> None:
    findings, counts = worker("errors", "--every", "97")
    assert not findings
    assert counts["errors"] > 3
    assert counts["away"] >= 1
    assert counts["power cuts"] >= 1
