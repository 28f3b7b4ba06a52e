"""What all tests share."""

import pytest

from tests.docker.engine import containers, engine, engine_apart

__all__ = ["anyio_backend", "containers", "engine", "engine_apart"]


@pytest.fixture
def anyio_backend() -> str:
    """The daemon is written for asyncio."""
    return "asyncio"
