"""Slots for work: one holder's long work keeps no other holder's first waiting."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from daemon.stt.slots import FairSlots

pytestmark = pytest.mark.anyio


class Crowd:
    """Holders that take a slot each and keep it until they are told."""

    def __init__(self, slots: FairSlots) -> None:
        self.slots = slots
        self.at_work: list[str] = []
        self._ends: dict[asyncio.Task[None], asyncio.Event] = {}
        self._names: dict[asyncio.Task[None], str] = {}

    async def come(self, *names: str) -> None:
        for name in names:
            end = asyncio.Event()
            task = asyncio.create_task(self._hold(name, end))
            self._ends[task], self._names[task] = end, name
        await self._settle()

    async def end(self, name: str) -> None:
        """Let the first that began under this name end."""
        task = next(task for task, who in self._names.items() if who == name and not task.done())
        self._ends[task].set()
        await self._settle()

    async def cancel(self, name: str) -> None:
        """Cancel the last that came under this name."""
        task = [task for task, who in self._names.items() if who == name][-1]
        task.cancel()
        await self._settle()

    async def leave(self) -> None:
        for task in self._names:
            task.cancel()
        await asyncio.gather(*self._names, return_exceptions=True)

    async def _hold(self, name: str, end: asyncio.Event) -> None:
        async with self.slots.hold(name):
            self.at_work.append(name)
            try:
                await end.wait()
            finally:
                self.at_work.remove(name)

    @staticmethod
    async def _settle() -> None:
        for _ in range(10):  # turns of the loop: nothing here waits for anything else
            await asyncio.sleep(0)


async def test_who_holds_none_waits_for_nobody_who_holds_all() -> None:
    crowd = Crowd(FairSlots(2, spare=1))
    await crowd.come("mallory", "mallory", "mallory", "bob")
    assert crowd.at_work == ["mallory", "mallory", "bob"]
    await crowd.leave()


async def test_there_are_no_more_than_the_usual_and_the_spare_ones() -> None:
    crowd = Crowd(FairSlots(2, spare=1))
    await crowd.come("a", "b", "c", "d")
    assert crowd.at_work == ["a", "b", "c"]
    await crowd.end("a")
    assert crowd.at_work == ["b", "c", "d"]
    await crowd.leave()


async def test_of_those_who_wait_the_one_comes_first_who_holds_fewest() -> None:
    crowd = Crowd(FairSlots(2, spare=0))
    await crowd.come("mallory", "mallory", "mallory", "bob", "mallory", "bob")
    await crowd.end("mallory")
    assert crowd.at_work == ["mallory", "bob"]
    await crowd.end("mallory")
    assert crowd.at_work == ["bob", "mallory"]
    await crowd.leave()


async def test_who_does_not_wait_any_more_takes_no_slot() -> None:
    crowd = Crowd(FairSlots(1, spare=0))
    await crowd.come("a", "b")
    await crowd.cancel("b")
    await crowd.come("c")
    await crowd.end("a")
    assert crowd.at_work == ["c"]
    await crowd.cancel("c")
    await crowd.come("d")
    assert crowd.at_work == ["d"]
    await crowd.leave()


async def test_who_is_cancelled_in_the_turn_of_getting_a_slot_gives_it_back() -> None:
    slots = FairSlots(1, spare=0)
    async with AsyncExitStack() as held:
        await held.enter_async_context(slots.hold("a"))
        crowd = Crowd(slots)
        await crowd.come("b")
    [task] = crowd._names
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await crowd.come("c")
    assert crowd.at_work == ["c"]
    await crowd.leave()
