"""Slots for work on videos, assigned so that no account's videos delay another's."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager


class FairSlots:
    """A semaphore that is fair to holders.

    Of those waiting, the holder with the fewest slots is first, and of equals the earliest. `spare` further
    slots are only for holders without any: the first work of one does not wait for the end of long work of
    another who has all the usual slots.
    """

    def __init__(self, slots: int, spare: int) -> None:
        self._slots = slots
        self._spare = spare
        self._held: Counter[Hashable] = Counter()
        self._waiting: list[tuple[Hashable, asyncio.Future[None]]] = []

    @asynccontextmanager
    async def hold(self, holder: Hashable) -> AsyncIterator[None]:
        """Wait for a slot for `holder`, and hold it in the context."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((holder, turn))
        self._hand_out()
        try:
            await turn
            yield
        finally:
            if turn.done() and not turn.cancelled():
                self._held -= Counter([holder])
            else:
                self._waiting = [each for each in self._waiting if each[1] is not turn]
            self._hand_out()

    def _hand_out(self) -> None:
        while allowed := [each for each in self._waiting if self._may_begin(each[0])]:
            first = min(allowed, key=lambda each: self._held[each[0]])
            self._waiting.remove(first)
            holder, turn = first
            if not turn.cancelled():
                self._held[holder] += 1
                turn.set_result(None)

    def _may_begin(self, holder: Hashable) -> bool:
        taken = self._held.total()
        return taken < self._slots or (not self._held[holder] and taken < self._slots + self._spare)
