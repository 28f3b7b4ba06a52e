"""Takes what the dashboard shows as a state of `daemon.core.keeping.frames`, as cheaply as it can.

The line of a task is read from the database only when the task has changed, was in an event, or has ended
and is not delivered yet. What only the running daemon knows (progress, estimates) costs no query.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol

from daemon.contracts.task_query import AttentionQuery
from daemon.contracts.wire.attention import AttentionPage
from daemon.contracts.wire.base import EventLine
from daemon.contracts.wire.status import DaemonStatus
from daemon.contracts.wire.tasks import TaskLine
from daemon.core.keeping.frames import EMPTY, State
from daemon.core.tasks.task import FINAL, Task
from daemon.monitoring.events import Events

MOST = 1000  # open tasks, in the order of service
_AT_ONCE = 200
_WATCHED = 200
_WANTING = 100
_AGAIN = 30  # looks
_NOT_SHOWN = {"now", "seq", "may_change", "can"}


class Subject(Protocol):
    """The observer, as the camera sees it."""

    events: Events

    async def status(self) -> DaemonStatus:
        """The daemon's status. Raises StoreError."""
        ...

    def queued(self) -> list[Task]:
        """The open tasks in the order of service."""
        ...

    async def lines(self, ids: Sequence[int]) -> list[TaskLine]:
        """The lines of tasks. Raises StoreError."""
        ...

    def live(self, task_id: int, *, held: bool) -> dict[str, Any]:
        """The fields of a line that only the running daemon knows."""
        ...


class Camera:
    """Looks at the daemon through its observer and at what `wanting` gives. Used on the loop's thread."""

    def __init__(
        self, subject: Subject, wanting: Callable[[AttentionQuery], Awaitable[AttentionPage]]
    ) -> None:
        self._subject, self._wanting = subject, wanting
        self.forget()

    def forget(self) -> None:
        """Know nothing any more, so that the next look reads everything again."""
        self._tasks: Mapping[int, Task] = {}
        self._lines: dict[int, dict[str, Any]] = {}
        self._watched: dict[int, None] = {}  # ended, and not delivered yet; the oldest first
        self._event = self._subject.events.last_id
        self._state: State = EMPTY
        self._seen: int | None = None
        self._looks = 0

    @property
    def idle(self) -> bool:
        """Whether no task is open and nothing has changed that has a sequence number."""
        return not (self._tasks or self._watched) and self._subject.events.seq == self._seen

    async def look(self) -> State:
        """What the dashboard shows now. Raises StoreError."""
        status = _shown(await self._subject.status())
        wanting = await self._attention(status["attention"])
        if self._subject.events.seq != self._seen or self._watched:
            seen = self._subject.events.seq
            await self._read()
            self._seen = seen
        if _alike(status, self._state["status"]):
            status = self._state["status"]
        self._state = {
            "status": status,
            "tasks": {str(id_): line for id_, line in self._lines.items()},
            "attention": wanting,
            "queue": list(self._tasks),
            "wanting": list(wanting),
        }
        return self._state

    async def _attention(self, counts: Mapping[str, int]) -> dict[str, Any]:
        """What wants a person, by its key: read again with news and, since waits grow, now and then."""
        self._looks += 1
        quiet = self._subject.events.last_id == self._event and self._looks % _AGAIN
        if not counts or (quiet and counts == self._state["status"].get("attention")):
            return self._state["attention"] if counts else {}
        page = await self._wanting(AttentionQuery(limit=_WANTING))
        return {line.key: line.model_dump(mode="json", exclude={"verb"}) for line in page.lines}

    async def _read(self) -> None:
        """Read the lines that may have changed."""
        subject = self._subject
        every = subject.queued()
        queue = {task.id: task for task in every[:MOST]}
        news = subject.events.newer(self._event)
        self._watch(news, {task.id for task in every})
        changed = [id_ for id_, task in queue.items() if self._tasks.get(id_) is not task]
        mentioned = (event.task_id for event in news if event.task_id in queue)
        read: dict[int, dict[str, Any]] = {}
        wanted = list(dict.fromkeys([*changed, *mentioned, *self._watched]))
        for begin in range(0, len(wanted), _AT_ONCE):
            for line in await subject.lines(wanted[begin : begin + _AT_ONCE]):
                read[line.id] = line.model_dump(mode="json", exclude={"can"})
        for id_ in [id_ for id_ in self._watched if id_ not in read or _is_over(read[id_])]:
            del self._watched[id_]
        kept = {id_: self._refreshed(id_) for id_ in queue if id_ in self._lines}
        self._lines, self._tasks = kept | read, queue
        self._event = news[-1].id if news else self._event

    def _watch(self, news: Iterable[EventLine], open_ids: Collection[int]) -> None:
        """Follow tasks that have ended, and those in events that are not open, until they are delivered."""
        told = (event.task_id for event in news if event.task_id is not None)
        ended = [id_ for id_ in [*self._watched, *self._tasks, *told] if id_ not in open_ids]
        self._watched = dict.fromkeys(ended[-_WATCHED:])

    def _refreshed(self, id_: int) -> dict[str, Any]:
        line = self._lines[id_]
        live = self._subject.live(id_, held=line["held"])
        return line if all(line[key] == value for key, value in live.items()) else {**line, **live}


def _is_over(line: Mapping[str, Any]) -> bool:
    """Whether nothing more comes of a task. What was delivered may be its earlier revision."""
    return line["delivered_at"] is not None and line["status"] in FINAL


def _shown(status: DaemonStatus) -> dict[str, Any]:
    return status.model_dump(mode="json", exclude=_NOT_SHOWN)


def _alike(one: State, other: State) -> bool:
    """Whether both show the same: of the free space, tenths of a GB."""
    same = all(value == other.get(key) for key, value in one.items() if key != "disk")
    return same and _free(one) == _free(other)


def _free(status: State) -> float | None:
    disk = status.get("disk")
    return disk and round(disk["free_mb"] / 1024, 1)
