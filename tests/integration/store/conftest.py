"""A store on a real file, which is checked for consistency after each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.store import SqliteStore
from tests.integration.stores import assert_consistent


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "introeval.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    with SqliteStore(path) as opened:
        yield opened
    assert_consistent(path)
