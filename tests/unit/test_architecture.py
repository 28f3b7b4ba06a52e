"""The rules of the house, proved: floors, the core's purity, what the daemon's process never loads, sizes."""

import ast
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

import daemon

CHECKOUT = Path(__file__).resolve().parents[2]
CORE = CHECKOUT / "daemon" / "core"
ROOMS = ("daemon", "introeval_tui")
MOST_LINES = 300
REQUIREMENTS = ["requirements.txt", "requirements-run.txt", "requirements-cuda.txt"]
REQUIREMENTS += ["requirements-cluster.txt"]
HEAVY = ("faster_whisper", "ctranslate2", "av", "xllamacpp", "textual", "ray", "docker", "requests")


def run_python(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *args], cwd=CHECKOUT, capture_output=True, text=True, timeout=120, check=False
    )


def top_level_imports(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def test_daemon_is_ours_and_not_python_daemon() -> None:
    assert Path(daemon.__file__).resolve() == CHECKOUT / "daemon" / "__init__.py"


def test_imports_keep_to_the_floors() -> None:
    lint = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    result = run_python("-c", lint, "--no-cache", "--no-logo")
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("module", sorted(path.relative_to(CORE).as_posix() for path in CORE.rglob("*.py")))
def test_core_imports_only_the_standard_library_and_pydantic(module: str) -> None:
    allowed = sys.stdlib_module_names | {"daemon", "pydantic", "pydantic_core", "typing_extensions"}
    assert set(top_level_imports((CORE / module).read_text(encoding="utf-8"))) <= allowed


@pytest.mark.parametrize("module", ["daemon.app.run", "daemon.app.embedded_engines", "daemon.cli"])
def test_the_daemons_process_loads_nothing_heavy(module: str) -> None:
    program = f"import sys, {module}; print(*sorted(set(sys.modules) & set({HEAVY!r})))"
    result = run_python("-c", program)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == []


def pins(file: str) -> set[str]:
    lines = (CHECKOUT / file).read_text(encoding="utf-8").splitlines()
    return {line.split(" ")[0] for line in lines if "==" in line}


def test_the_service_gets_the_very_packages_that_were_tested() -> None:
    assert pins("requirements-run.txt") < pins("requirements.txt")


@pytest.mark.parametrize("file", REQUIREMENTS)
def test_every_python_gets_the_very_packages_that_were_tested(file: str) -> None:
    names = [pin.partition("==")[0] for pin in pins(file)]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("file", REQUIREMENTS)
def test_every_pin_has_hashes_and_no_address(file: str) -> None:
    text = (CHECKOUT / file).read_text(encoding="utf-8")
    assert "--hash=sha256:" in text
    assert "://" not in text


def modules() -> list[Path]:
    return sorted(path for room in ROOMS for path in (CHECKOUT / room).rglob("*.py"))


def test_a_module_has_at_most_three_hundred_lines() -> None:
    """A function's branches have their limit in ruff's C901, which counts loops and handlers, too."""
    lines = {each: len(each.read_text(encoding="utf-8").splitlines()) for each in modules()}
    long = {each.relative_to(CHECKOUT).as_posix() for each, count in lines.items() if count > MOST_LINES}
    assert long == set(), f"to be split: {sorted(long)}"


def public_classes(module: Path) -> Iterator[str]:
    for node in ast.parse(module.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield node.name


def test_no_two_public_classes_share_a_name() -> None:
    homes: defaultdict[str, list[str]] = defaultdict(list)
    for module in modules():
        for name in public_classes(module):
            homes[name].append(module.relative_to(CHECKOUT).as_posix())
    assert {name: several for name, several in homes.items() if len(several) > 1} == {}
