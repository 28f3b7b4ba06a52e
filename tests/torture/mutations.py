"""The program without one of its guards, again and again: each time the named test must fail.

Each mutant is a copy of the checkout with one text replaced. A test that cannot even be collected proves
nothing, so only a failed test counts.
"""

import os
import queue
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path

from tests.support.checkout import MODELS, REPOSITORY
from tests.torture.mutants import MUTANTS, Mutant
from tests.torture.table import Report

_COPIED = ("daemon", "introeval_tui", "tests", "samples", "pyproject.toml")
_FAILED = 1  # pytest: tests ran, and some failed
_LIMIT_S = 240.0
_SHORT = 6


def run_mutations(short: bool, tell: Callable[[str], None], cores: int | None = None) -> Report:
    """Take out each guard, or a few of them for a `short` look."""
    began, cores = time.monotonic(), cores or os.cpu_count() or 1
    chosen = MUTANTS[:: len(MUTANTS) // _SHORT] if short else MUTANTS
    report = Report("mutations", "")
    with tempfile.TemporaryDirectory(prefix="introeval-mutants-") as tmp, ThreadPoolExecutor(cores) as pool:
        trees: queue.SimpleQueue[Path] = queue.SimpleQueue()
        for number in range(cores):
            trees.put(_copy(Path(tmp) / str(number)))
        missed = []
        for number, (mutant, why) in enumerate(_all(pool, trees, chosen), 1):
            tell(f"mutations: {number} of {len(chosen)}: {mutant.guard}: {why or 'caught by ' + mutant.test}")
            if why:
                missed.append(mutant)
                report.again.append(f"python -m tests.torture mutations  # {mutant.guard}: {why}")
    report.done = f"{len(chosen)} guards taken out, {len(chosen) - len(missed)} caught by their tests"
    report.broken = Counter(other=len(missed))
    report.seconds = time.monotonic() - began
    return report


def _all(
    pool: ThreadPoolExecutor, trees: "queue.SimpleQueue[Path]", chosen: Sequence[Mutant]
) -> Iterator[tuple[Mutant, str]]:
    running = {pool.submit(_try, trees, mutant): mutant for mutant in chosen}
    for done in as_completed(running):
        yield running[done], done.result()


def _try(trees: "queue.SimpleQueue[Path]", mutant: Mutant) -> str:
    """Why a mutant was not caught; empty if it was."""
    tree = trees.get()
    try:
        with mutated(tree, mutant):
            ended = _ended(tree, mutant.test)
    finally:
        trees.put(tree)
    return "" if ended == _FAILED else f"{mutant.test} ends with {ended}"


@contextmanager
def mutated(tree: Path, mutant: Mutant) -> Iterator[None]:
    """Replace the text of a mutant in a copy. Raises ValueError unless it is there exactly once."""
    file = tree / mutant.file
    whole, state = file.read_text(), file.stat()
    if whole.count(mutant.old) != 1:
        raise ValueError(f"{mutant.guard}: the text occurs {whole.count(mutant.old)} times in {mutant.file}")
    file.write_text(whole.replace(mutant.old, mutant.new))
    try:
        yield
    finally:
        file.write_text(whole)
        os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))  # what is compiled is known by this


def _copy(tree: Path) -> Path:
    for name in _COPIED:
        source, target = REPOSITORY / name, tree / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("*.svg"))
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    return tree


def _ended(tree: Path, test: str) -> int | str:
    command = [sys.executable, "-B", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", test]
    models = os.environ.get("INTROEVAL_TEST_MODELS", str(MODELS))
    environ = {**os.environ, "PYTHONPATH": str(tree), "INTROEVAL_TEST_MODELS": models}
    try:
        return subprocess.run(
            command,
            cwd=tree,
            env=environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            timeout=_LIMIT_S,
        ).returncode
    except subprocess.TimeoutExpired:
        return f"no end within {_LIMIT_S:.0f} s"
