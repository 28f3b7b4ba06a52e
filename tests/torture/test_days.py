"""Simulated days: the same seed gives the same day, and a broken guard is found."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


def simulated(log: Path, seed: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.torture.days", "--seed", str(seed), "--log", str(log)]
    environ = {**os.environ, "PYTHONHASHSEED": "random"}  # it must pin that by itself
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=200)


@pytest.mark.parametrize("seed", [4])
def test_one_seed_gives_the_same_day_byte_for_byte(tmp_path: Path, seed: int) -> None:
    first, second = tmp_path / "first.log", tmp_path / "second.log"
    ran = simulated(first, seed)
    assert (ran.returncode, simulated(second, seed).returncode) == (0, 0), ran.stdout + ran.stderr
    assert first.read_bytes() == second.read_bytes()
    assert first.read_bytes().count(b"\n") > 500
