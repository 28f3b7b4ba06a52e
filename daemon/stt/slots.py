"""Slots for work on videos, handed out so that one account's videos keep no other account's waiting."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager


class FairSlots:
    """Slots that holders take and give back.

    Of those who wait the one comes first who holds fewest; between equals the one who came first. `spare`
    slots beyond the usual ones are only for who holds none: however many slots one holder has taken for long
    work, another's first does not wait for the end of it.
    """

    def __init__(self, slots: int, spare: int) -> None:
        self._slots = slots
        self._spare = spare
        self._held: Counter[Hashable] = Counter()
        self._waiting: list[tuple[Hashable, asyncio.Future[None]]] = []

    @asynccontextmanager
    async def hold(self, holder: Hashable) -> AsyncIterator[None]:
        """Hold a slot for `holder`, once there is one."""
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
