"""What wants a person in a running daemon, and acknowledging it."""

from collections.abc import Awaitable, Callable

from daemon.config.load import Config
from daemon.config.terms import terms_of
from daemon.contracts.ports import SupervisorSource
from daemon.contracts.task_query import AttentionQuery
from daemon.contracts.wire.attention import AttentionPage
from daemon.contracts.wire.words import Verb
from daemon.core.errors import IllegalTransition
from daemon.monitoring.alarms import Alarms
from daemon.monitoring.attention import Live, page
from daemon.monitoring.events import Events
from daemon.store import audit, documents
from daemon.store.database import Database
from daemon.store.session import Session


class Attention:
    """What wants a person. `ask` makes a request for a task."""

    def __init__(
        self,
        config: Config,
        session: Session,
        alarms: Alarms,
        events: Events,
        work: SupervisorSource,
        ask: Callable[..., Awaitable[object]],
        clock: Callable[[], float],
    ) -> None:
        self._terms = terms_of(config)
        self._session, self._alarms, self._events = session, alarms, events
        self._work, self._ask, self._clock = work, ask, clock

    @property
    def live(self) -> Live:
        """What is in no table, now."""
        alarms = (alarm.line for alarm in self._alarms.all)
        return Live.of(alarms, self._work.view.tasks, self._terms, self._clock())

    async def page(self, wanted: AttentionQuery) -> AttentionPage:
        """A page of it. Raises StoreError."""
        return await self._session.read(page, wanted, self.live, self._clock())

    async def acknowledge(self, key: str, actor: str) -> None:
        """Record that a person has seen the thing of this key; see AttentionLine.

        Raises StoreError, UnknownTask, and IllegalTransition when it wants nobody.
        """
        kind, _, name = key.partition(":")
        if kind == "task" and name.isdecimal():
            await self._ask(Verb.ACKNOWLEDGE, int(name), actor=actor)
            return
        seen = False
        if kind == "alarm":
            seen = self._alarms.acknowledge(name, actor)
            if seen:  # kept in memory only: with a crash before the entry it is gone, too
                await self._session.until_durable(self._record_alarm, name, actor)
        elif kind == "refused":
            now = self._clock()
            seen = await self._session(documents.acknowledge_refused, name, now, actor)
        if not seen:
            raise IllegalTransition(f"nothing named {key} wants a person; see: introeval attention")
        what = "a refused file" if kind == "refused" else f"the alarm {name.partition(' ')[0]}"
        self._events.add("order", f"{what} is acknowledged", actor=actor)  # neither names a student

    def _record_alarm(self, db: Database, code: str, actor: str) -> None:
        audit.append(
            db,
            at=self._clock(),
            actor=actor,
            what=Verb.ACKNOWLEDGE.value,
            subject=f"alarm {code.partition(' ')[0]}",  # the rest can name a file
            before={"acknowledged": False},
            after={"acknowledged": True},
        )
