"""Signals: how a part tells others of what happens to it, without knowing who listens."""

from collections.abc import Callable
from typing import Generic, ParamSpec

P = ParamSpec("P")


class Signal(Generic[P]):
    """Something that happens again and again. `daemon.app.assembly` connects who listens."""

    def __init__(self) -> None:
        self._listeners: list[Callable[P, object]] = []

    def connect(self, *listeners: Callable[P, object]) -> None:
        """Have these called each time, after those that are connected already."""
        self._listeners += listeners

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Tell all listeners, in the order in which they were connected. Raises what one of them raises."""
        for listener in self._listeners:
            listener(*args, **kwargs)
