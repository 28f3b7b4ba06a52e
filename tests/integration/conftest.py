"""What several of these tests share."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from daemon.cli.common import Chosen
from tests.support.intake_lab import IntakeLab, lab


@pytest.fixture
def here(tmp_path: Path) -> Iterator[IntakeLab]:
    """An intake of this test's own."""
    with lab(tmp_path) as opened:
        yield opened


@pytest.fixture
def quick_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """Backoffs of milliseconds: their lengths are the subject of the lifecycle's own tests."""
    monkeypatch.setattr("daemon.core.tasks.lifecycle._BACKOFF_FIRST_S", 0.02)
    monkeypatch.setattr("daemon.core.tasks.lifecycle.BACKOFF_MOST_S", 0.05)


@pytest.fixture
def own_output() -> Iterator[None]:
    """The daemon beside a command in this process does not print where the command does."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.__stderr__))
    yield
    structlog.reset_defaults()
    Chosen.file = None
