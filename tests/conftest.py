"""What all tests share."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """The daemon is written for asyncio."""
    return "asyncio"
