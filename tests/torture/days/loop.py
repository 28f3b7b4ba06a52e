"""An event loop on virtual time: when nothing is ready, its clock jumps to the next timer.

What the daemon gives to a thread runs in the loop's own thread, in two steps: its effect, and later the
return of its result. Between them anything else may happen, as with threads, but in an order that the dice
decide. Calls for one executor keep their order, as on the one thread of the database.
"""

import asyncio
import contextlib
import selectors
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Executor
from typing import Any, TypeVar

from tests.torture.days.clock import Clock

T = TypeVar("T")

_SHORTEST_S, _USUAL_S = 0.0001, 0.002
_MOST_STEPS = 200_000  # of the loop without any time passing: it spins


class Hung(Exception):
    """Nothing would ever happen again, or what happens takes no time."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop. `slow` gives the seconds that a call of an executor takes longer than usual."""

    def __init__(self, clock: Clock, slow: Callable[[str], float] = lambda where: 0.0) -> None:
        self._virtual, self._slow = clock, slow
        self._free_at: dict[str, float] = {}
        self._nested = 0
        self.effect: Callable[[str], None] = lambda where: None
        """Called before each effect of a call. What it raises is raised by the call."""
        self.done: Callable[[str], None] = lambda where: None
        super().__init__(_Jumping(clock))

    def time(self) -> float:
        """Virtual seconds."""
        return self._virtual.now

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> "asyncio.Future[T]":
        """Run a call in this thread, later."""
        future: asyncio.Future[T] = self.create_future()
        if self._nested:
            future.set_result(func(*args))
            return future
        where = "threads" if executor is None else "database"
        dice = self._virtual.dice
        begins = self.time() if executor is None else max(self.time(), self._free_at.get(where, 0.0))
        ends = begins + _SHORTEST_S + dice.random() * _USUAL_S + self._slow(where)
        self._free_at[where] = ends
        waits = begins > self.time()

        def run() -> None:
            if waits and future.cancelled():
                return  # it was still waiting for the thread
            try:
                self.effect(where)
                value = func(*args)
            except Exception as exc:  # noqa: BLE001 - it is handed on
                self.call_later(dice.random() * _USUAL_S, _put, future, None, exc)
            else:
                self.call_later(dice.random() * _USUAL_S, _put, future, value, None)
                self.done(where)

        self.call_at(ends, run)
        return future

    def drive(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine that waits for executors alone, at once, as `run_coroutine_threadsafe` would."""
        with self._at_once():
            try:
                work.send(None)
            except StopIteration as exc:
                value: T = exc.value
                return value
        raise AssertionError("a call from a thread waits for more than the database")

    @contextlib.contextmanager
    def _at_once(self) -> Iterator[None]:
        self._nested += 1
        try:
            yield
        finally:
            self._nested -= 1


def _put(future: "asyncio.Future[Any]", value: Any, exc: Exception | None) -> None:
    if future.done():
        return
    if exc is not None:
        future.set_exception(exc)
    else:
        future.set_result(value)


class _Jumping(selectors.DefaultSelector):
    """A selector that waits for no one: without an event the clock jumps over the time that it may wait."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._steps = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events: list[tuple[selectors.SelectorKey, int]] = super().select(0)
        self._steps += 1
        if events or (timeout is not None and timeout <= 0):
            if self._steps > _MOST_STEPS:
                raise Hung("the loop turns without any time passing")
            return events
        if timeout is None:
            raise Hung("nothing is ready, and no timer will come")
        self._clock.now += timeout
        self._steps = 0
        return events
