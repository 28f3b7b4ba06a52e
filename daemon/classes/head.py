"""The open class with its numbers, for the status that every dashboard polls."""

from daemon.classes import shown
from daemon.config.records import ReviewSettings
from daemon.contracts.wire.status import OpenClass
from daemon.core.classes.standing import count, standings
from daemon.monitoring.events import Events
from daemon.store import classes
from daemon.store.database import Database, reads
from daemon.store.session import Session


class ClassHead:
    """The open class, counted again only after an event: whatever changes a standing is one."""

    def __init__(self, session: Session, events: Events, rules: ReviewSettings) -> None:
        self._session, self._events, self._rules = session, events, rules
        self._counted: tuple[int, OpenClass | None] | None = None

    async def __call__(self) -> OpenClass | None:
        """The open class; None where none is open. Raises StoreError."""
        last_id = self._events.last_id
        if self._counted is None or self._counted[0] != last_id:
            self._counted = last_id, await self._session.read(_counted, self._rules)
        return self._counted[1]


@reads
def _counted(db: Database, rules: ReviewSettings) -> OpenClass | None:
    one = classes.opened(db)
    if one is None:
        return None
    _, roster, tasks = shown.members(db, one.name, 0.0)
    lines = standings(roster, tasks, rules.release, rules.counts, one.deadline)
    return OpenClass(name=one.name, students=one.students, counts=dict(count(lines)))
