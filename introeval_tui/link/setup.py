"""The options with which the dashboard was opened."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Setup:
    """`socket` finds the socket, and is called after the first paint. `review` names the class whose review
    it opens with, `review_every` with all its results. Tests replace the clocks.
    """

    socket: Callable[[], Path]
    read_only: bool = False
    ascii_only: bool = False
    refresh_s: float = 1.0
    keys: dict[str, str] | None = None
    review: str | None = None
    review_every: bool = False
    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
