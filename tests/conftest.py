"""What all tests share."""

import pytest
from hypothesis import settings

from tests.docker.engine import containers, engine, engine_apart

__all__ = ["anyio_backend", "containers", "engine", "engine_apart"]

settings.register_profile("untimed", deadline=None)  # the machine's load is no property of the code
settings.load_profile("untimed")


@pytest.fixture
def anyio_backend() -> str:
    """The daemon is written for asyncio."""
    return "asyncio"
