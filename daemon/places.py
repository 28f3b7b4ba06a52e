"""The inbox and the outbox: recalled from the database at the start, and accepted anew by an order."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from daemon.core.place import Memory
from daemon.journal import Journal
from daemon.place import Place
from daemon.wire import PlaceName


class Places:
    """Both places. Each of `listeners` is called when another folder has become one of them."""

    def __init__(self, inbox: Place, outbox: Place, journal: Journal) -> None:
        self.inbox, self.outbox = inbox, outbox
        self.listeners: list[Callable[[], None]] = []
        self._journal = journal

    @property
    def all(self) -> tuple[Place, Place]:
        """Both, for who reports on them."""
        return self.inbox, self.outbox

    async def accept(self, name: PlaceName) -> None:
        """Accept the folder that stands at a place now.

        Raises PlaceError where there is none, and StoreError; then nothing is accepted.
        """
        place = self.inbox if name is PlaceName.INBOX else self.outbox
        await asyncio.to_thread(place.accept)
        self._journal.events.add("order", f"accept {name}: {place.path}")
        for listener in self.listeners:
            listener()


async def recall(inbox: Path, outbox: Path, journal: Journal) -> Places:
    """The places as the database remembers them, their folders made where there were none yet.

    Raises ConfigError, StoreError, OSError.
    """
    places = Places(
        await _recall(PlaceName.INBOX, inbox, journal),
        await _recall(PlaceName.OUTBOX, outbox, journal),
        journal,
    )
    for place in places.all:
        await asyncio.to_thread(place.prepare)
    return places


async def _recall(name: PlaceName, path: Path, journal: Journal) -> Place:
    """One place. What it remembers anew is durable before its folder is used."""
    loop = asyncio.get_running_loop()
    memory = await journal(journal.store.place, name, path)

    def keep(memory: Memory) -> None:
        kept = journal(journal.store.keep_place, name, path, memory)
        asyncio.run_coroutine_threadsafe(kept, loop).result()

    return Place(name, path, memory, keep)
