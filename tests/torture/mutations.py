"""The program without one of its guards, again and again: each time the named test must fail.

Each mutant is a copy of the checkout with one text replaced. A test that cannot even be collected proves
nothing, so only a failed test counts, and on the whole program all of them must pass.
"""

import os
import queue
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path

from tests.support.checkout import MODELS, REPOSITORY
from tests.torture.cores import Cores, Worked
from tests.torture.mutants import HARNESS, MUTANTS, Mutant
from tests.torture.table import Report

_COPIED = ("daemon", "introeval_tui", "tests", "samples", "pyproject.toml")
_FAILED = 1  # pytest: tests ran, and some failed
_LIMIT_S = 240.0
_SHORT_EVERY = 6


def run_mutations(short: bool, seed: int, tell: Callable[[str], None], cores: Cores) -> Report:
    """Take out each guard, or a few of them for a `short` look; another seed takes others."""
    began = time.monotonic()
    chosen = MUTANTS[seed % _SHORT_EVERY :: _SHORT_EVERY] if short else MUTANTS
    report = Report("mutations", "")
    with tempfile.TemporaryDirectory(prefix="introeval-mutants-") as tmp:
        how: dict[Mutant | None, str] = {}
        trees: queue.SimpleQueue[Path] = queue.SimpleQueue()
        for number in range(cores.count):
            trees.put(_copy(Path(tmp) / str(number)))

        def work(mutant: Mutant | None) -> tuple[Mutant | None, Worked]:
            tree = trees.get()
            try:
                if mutant is None:  # the whole program, on which they all pass
                    return None, _ended(cores, tree, sorted({each.test for each in chosen}))
                with mutated(tree, mutant):
                    return mutant, _ended(cores, tree, [mutant.test])
            finally:
                trees.put(tree)

        with ThreadPoolExecutor(cores.count) as pool:
            running = [pool.submit(work, mutant) for mutant in (None, *chosen)]
            for number, done in enumerate(as_completed(running), 1):
                mutant, worked = done.result()
                why = _judged(mutant, worked)
                tell(f"mutations: {number} of {len(running)}{': ' + why if why else ''}")
                report.processor_s += worked.processor_s
                how[mutant] = "no" if why else "yes"
                if why:
                    report.broken["other"] += 1
                    report.again.append(f"python -m tests.torture mutations  # {why}")
    caught = len(chosen) - report.broken["other"]
    report.done = f"{len(chosen)} guards taken out, {caught} caught by their tests"
    report.guards = [(mutant.guard, mutant.test, how[mutant]) for mutant in chosen]
    report.seconds = time.monotonic() - began
    return report


def _judged(mutant: Mutant | None, worked: Worked) -> str:
    """What is wrong; empty if a mutant was caught, or the whole program passes."""
    if mutant is None:
        return (
            "" if worked.returncode == 0 else f"the tests end with {worked.returncode} on the whole program"
        )
    if worked.returncode == _FAILED:
        return ""
    return f"{mutant.guard}: {mutant.test} ends with {worked.returncode}"


@contextmanager
def mutated(tree: Path, mutant: Mutant) -> Iterator[None]:
    """Replace the text of a mutant in a copy. Raises ValueError unless it is there exactly once."""
    whole = {}
    for name, old, new in ((mutant.file, mutant.old, mutant.new), *mutant.also):
        file = tree / name
        text, state = file.read_text(), file.stat()
        if text.count(old) != 1:
            raise ValueError(f"{mutant.guard}: the text occurs {text.count(old)} times in {name}")
        whole[file] = text, (state.st_atime_ns, state.st_mtime_ns)
        file.write_text(text.replace(old, new))
    try:
        yield
    finally:
        for file, (text, times) in whole.items():
            file.write_text(text)
            os.utime(file, ns=times)  # what is compiled is known by this


def _copy(tree: Path) -> Path:
    for name in _COPIED:
        source, target = REPOSITORY / name, tree / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("*.svg"))
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    return tree


def _ended(cores: Cores, tree: Path, tests: Sequence[str]) -> Worked:
    """Run tests of pytest together, and workers of the harness one after the other, until one fails."""
    of_pytest = [test for test in tests if not test.startswith(HARNESS)]
    commands = [["pytest", "-q", "-x", "-p", "no:cacheprovider", *of_pytest]] if of_pytest else []
    commands += [test.split() for test in tests if test.startswith(HARNESS)]
    models = os.environ.get("INTROEVAL_TEST_MODELS", str(MODELS))
    environ = {**os.environ, "PYTHONPATH": str(tree), "INTROEVAL_TEST_MODELS": models}
    all_ = Worked()
    for command in commands:
        worked = Worked()
        python = [sys.executable, "-B", "-m", *command]
        with cores.working(python, environ, worked, tree, _LIMIT_S) as process:
            assert process.stdout is not None
            process.stdout.read()
        all_.processor_s += worked.processor_s
        all_.returncode = worked.returncode
        if worked.returncode:
            break
    return all_
