"""The inbox and the outbox: loaded from the database at a start, and changed by the order `accept`."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from daemon.contracts.signal import Signal
from daemon.contracts.wire.words import PlaceName
from daemon.core.intake.place import KnownPlace
from daemon.monitoring.events import Events
from daemon.store import settings
from daemon.store.session import Session
from daemon.system.place import Place


class KnownPlaces:
    """Both places. `accepted` is sent when another folder has become one of them."""

    def __init__(
        self, inbox: Place, outbox: Place, session: Session, events: Events, clock: Callable[[], float]
    ) -> None:
        self.inbox, self.outbox = inbox, outbox
        self.accepted = Signal[[]]()
        self._session, self._events, self._clock = session, events, clock

    @property
    def all(self) -> tuple[Place, Place]:
        """The inbox and the outbox."""
        return self.inbox, self.outbox

    async def accept(self, name: PlaceName, actor: str | None = None) -> None:
        """Accept the present folder at a place's path as that place.

        Raises PlaceError if there is none, and StoreError; then nothing is accepted.
        """
        place = self.inbox if name is PlaceName.INBOX else self.outbox
        loop, now = asyncio.get_running_loop(), self._clock()

        def keep(memory: KnownPlace) -> None:
            kept = self._session(settings.accept_place, name, place.path, memory, now, actor)
            asyncio.run_coroutine_threadsafe(kept, loop).result()

        await asyncio.to_thread(place.accept, keep)
        self._events.add("order", f"accept {name}: {place.path}", actor=actor)
        self.accepted()


async def recall(
    inbox: Path, outbox: Path, session: Session, events: Events, clock: Callable[[], float]
) -> KnownPlaces:
    """Load both places from the database, and create the folders of those that are new.

    Raises ConfigError, StoreError, OSError.
    """
    places = KnownPlaces(
        await _recall(PlaceName.INBOX, inbox, session),
        await _recall(PlaceName.OUTBOX, outbox, session),
        session,
        events,
        clock,
    )
    for place in places.all:
        await asyncio.to_thread(place.prepare)
    return places


async def _recall(name: PlaceName, path: Path, session: Session) -> Place:
    """Load one place. A change of its memory is durable before its folder is used."""
    loop = asyncio.get_running_loop()
    memory = await session(settings.place, name, path)

    def keep(memory: KnownPlace) -> None:
        kept = session(settings.keep_place, name, path, memory)
        asyncio.run_coroutine_threadsafe(kept, loop).result()

    return Place(name, path, memory, keep)
