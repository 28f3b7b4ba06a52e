"""A store on a real file, which is checked for consistency after each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.store import Database, open_store
from tests.integration.stores import assert_consistent


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "introeval.db"


@pytest.fixture
def store(path: Path) -> Iterator[Database]:
    with open_store(path) as opened:
        yield opened
    assert_consistent(path)
