"""A run of the benchmarks as a file keeps it, and how two of them compare."""

import os
import platform
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path

import psutil
from pydantic import TypeAdapter, ValidationError

from tests.bench.figures import ROOT, Figure

PACKAGES = ("ctranslate2", "faster-whisper", "pydantic", "textual", "typer", "xllamacpp")


class Unreadable(Exception):
    """A stored run that cannot be read."""


@dataclass(frozen=True)
class Run:
    """The figures of each benchmark, the reasons of those that gave none, and where they were measured."""

    at: str
    commit: str
    load: float  # of the last minute, before it began
    machine: dict[str, str]
    versions: dict[str, str]
    figures: dict[str, list[Figure]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    def json(self) -> str:
        """What `read` reads."""
        return _RUN.dump_json(self, indent=2).decode()

    def missed(self) -> Iterator[tuple[str, Figure]]:
        """The figures whose goals are not met, with the names of their benchmarks."""
        return ((name, each) for name, made in self.figures.items() for each in made if each.met is False)


_RUN = TypeAdapter(Run)


class Verdict(StrEnum):
    """How a figure compares with the same one of an earlier run."""

    SAME = "same"
    NOISE = "noise"  # the spreads of the two overlap
    BETTER = "better"
    WORSE = "worse"
    MORE = "more"  # no goal says whether that is better
    LESS = "less"
    ONCE = "once"  # one of the two has no spread, so nobody can tell
    NEW = "new"


def read(file: Path) -> Run:
    """The run that a file keeps. Raises Unreadable."""
    try:
        return _RUN.validate_json(file.read_bytes())
    except OSError as exc:
        raise Unreadable(f"{file} cannot be read: {exc.strerror}") from exc
    except ValidationError as exc:
        raise Unreadable(f"{file} is not what --json prints: {exc.errors()[0]['msg']}") from exc


def verdict(then: Figure | None, now: Figure) -> Verdict:
    """A difference counts only where the spreads of both are known and lie apart."""
    if then is None:
        return Verdict.NEW
    if then.value == now.value:
        return Verdict.SAME
    if then.spread is None or now.spread is None:
        return Verdict.ONCE
    if then.spread[0] <= now.spread[1] and now.spread[0] <= then.spread[1]:
        return Verdict.NOISE
    more = now.value > then.value
    if now.goal is None:
        return Verdict.MORE if more else Verdict.LESS
    return Verdict.BETTER if more == now.goal.at_least else Verdict.WORSE


def differences(then: dict[str, str], now: dict[str, str]) -> list[str]:
    """One sentence for each entry that is not the same."""
    return [
        f"{name}: {then.get(name, 'unknown')} then, {now.get(name, 'unknown')} now"
        for name in sorted(then.keys() | now.keys())
        if then.get(name) != now.get(name)
    ]


def here() -> Run:
    """An empty run on this machine."""
    return Run(
        at=datetime.now().astimezone().isoformat(timespec="minutes"),
        commit=_asked("git", "-C", str(ROOT), "describe", "--always", "--dirty"),
        load=os.getloadavg()[0],
        machine={
            "processor": _processor(),
            "cores": str(len(os.sched_getaffinity(0))),
            "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
            "GPU": _asked("nvidia-smi", "--query-gpu=name", "--format=csv,noheader"),
        },
        versions={"Python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
    )


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())


def _asked(*command: str) -> str:
    """The first line that a program says; `none` where there is no such program, or it has no answer."""
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return "none"
    return said.partition("\n")[0] or "none"
