"""Signals: a part reports its events without knowing who listens."""

from collections.abc import Callable
from typing import Generic, ParamSpec

P = ParamSpec("P")


class Signal(Generic[P]):
    """An event that recurs. `daemon.app.assembly` connects the listeners."""

    def __init__(self) -> None:
        self._listeners: list[Callable[P, object]] = []

    def connect(self, *listeners: Callable[P, object]) -> None:
        """Call these on each event, after those that are connected already."""
        self._listeners += listeners

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Call all listeners, in the order in which they were connected. Raises what one of them raises."""
        for listener in self._listeners:
            listener(*args, **kwargs)
