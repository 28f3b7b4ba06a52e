"""Which folders are the inbox and the outbox: recalled at the start, and accepted anew by an order."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from daemon.core.place import Memory
from daemon.journal import Journal
from daemon.place import Place
from daemon.wire import PlaceName


async def recall(name: PlaceName, path: Path, journal: Journal) -> Place:
    """The place at `path`, as the database remembers it. Raises StoreError.

    What it remembers anew is durable before its folder is used.
    """
    loop = asyncio.get_running_loop()
    memory = await journal(journal.store.place, name, path)

    def keep(memory: Memory) -> None:
        kept = journal(journal.store.keep_place, name, path, memory)
        asyncio.run_coroutine_threadsafe(kept, loop).result()

    return Place(name, path, memory, keep)


class Acceptance:
    """Obeys the order to accept the folder that stands at a place now."""

    def __init__(self, places: Sequence[Place], journal: Journal, on_accepted: Callable[[], None]) -> None:
        self._places = {place.name: place for place in places}
        self._journal, self._on_accepted = journal, on_accepted

    async def __call__(self, name: PlaceName) -> None:
        """Accept it. Raises PlaceError where there is none, and StoreError; then nothing is accepted."""
        place = self._places[name]
        await asyncio.to_thread(place.accept)
        self._journal.events.add("order", f"accept {name}: {place.path}")
        self._on_accepted()
