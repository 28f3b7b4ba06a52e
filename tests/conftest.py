"""What all tests share."""

import signal
from pathlib import Path

import pytest
from hypothesis import settings

from tests.docker.engine import containers, engine, engine_apart

TESTS = Path(__file__).parent
ALONE = (TESTS / "acceptance", TESTS / "terminal")  # whole daemons, real models, deadlines

__all__ = ["anyio_backend", "containers", "engine", "engine_apart"]

settings.register_profile("untimed", deadline=None)  # the machine's load is no property of the code
settings.load_profile("untimed")

# A shell ignores ctrl+c in what it runs in the background, which is handed down to the programs under test.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what may not run beside other tests: all in `ALONE`, and what needs the one Docker engine.

    The engine's tests and those of the terminal mostly wait, so one of each may run at a time.
    """
    for item in items:
        if item.get_closest_marker("docker") or any(folder in item.path.parents for folder in ALONE):
            item.add_marker(pytest.mark.alone)
        for kind in ("docker", "terminal"):
            if item.get_closest_marker(kind):
                item.add_marker(pytest.mark.xdist_group(kind))


@pytest.fixture
def anyio_backend() -> str:
    """The daemon is written for asyncio."""
    return "asyncio"
