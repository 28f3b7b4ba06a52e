"""Answers the control socket's questions from the record of a day, as the daemon would have at a time in it.

What is open comes from the recording. A task that has ended is shown as it was recorded then; one that ended
before the day is read from the database, and so is a task's history, up to that time.
"""

import json
from bisect import bisect_right
from collections.abc import Callable
from pathlib import Path
from typing import Any

from daemon.contracts.task_query import AttentionQuery, TaskQuery
from daemon.contracts.wire.attention import AttentionLine, AttentionPage
from daemon.contracts.wire.base import EventLine, LogLine
from daemon.contracts.wire.status import DaemonStatus, GpuHistory, PhaseSpan
from daemon.contracts.wire.tasks import RefusedLine, TaskDetail, TaskPage
from daemon.contracts.wire.words import LogSource
from daemon.core.errors import RecordUnreadable, UnknownTask
from daemon.core.keeping import frames
from daemon.core.keeping.frames import State
from daemon.core.tasks.task import FINAL
from daemon.core.timestamps import from_iso, to_iso
from daemon.gpu.history import KEPT, KEPT_S
from daemon.monitoring import queries
from daemon.monitoring.events import RING, Events
from daemon.monitoring.logs import last_lines
from daemon.monitoring.recorded_page import Line, page
from daemon.store import documents, lists, recording, reports
from daemon.store.database import Database
from daemon.store.lists import WINDOW
from daemon.store.session import Session

_GAP_S = 15.0  # without a recording: the daemon did not run
_REFUSED = 500
_LOG_LINES = 2000
_FINAL = frozenset(status.value for status in FINAL)


class Playback:
    """Implements `api.protocols.Answers` and `ShownWanting` at the time of `now`, in epoch seconds."""

    def __init__(self, session: Session, log: Path, now: Callable[[], float] = lambda: 0.0) -> None:
        self._session, self._log, self.now = session, log, now
        self._stretches: list[tuple[int, float, float]] = []
        self._ended: dict[int, list[tuple[float, Line]]] = {}
        self._older: dict[int, Line] = {}
        self._events: list[EventLine] = []
        self._open: tuple[int, list[tuple[float, State]]] = (0, [])

    async def load(self, begin: float, end: float) -> list[tuple[float, float]]:
        """Read what is needed. Gives the times that were recorded. Raises RecordUnreadable, StoreError."""
        self._stretches = await self._session(recording.stretches, begin, end)
        if not self._stretches:
            raise RecordUnreadable("nothing is recorded of that time")
        for id_, *_ in self._stretches:
            self._index(await self._session(recording.frames, id_))
        older = await self._session(_ended_before, self._stretches[0][1])
        self._older = {line["id"]: line for line in older if line["id"] not in self._ended}
        before = await self._session(recording.last_events, RING, begin)
        self._events = [*before, *await self._session(recording.events_between, begin, end, 0, -1)]
        spans: list[tuple[float, float]] = []
        for _, began, ended in self._stretches:
            if spans and began - spans[-1][1] < _GAP_S:
                began, ended = spans[-1][0], max(spans.pop()[1], ended)
            spans.append((began, ended))
        return spans

    def _index(self, packed: bytes) -> None:
        """Remember each line with which a task has ended."""
        known: dict[str, Line] = {}
        for text in frames.text(packed).splitlines():
            at, changes = json.loads(text)
            for id_, changed in changes.get("tasks", {}).items():
                line = known[id_] = {**known.get(id_, {}), **(changed or {})}
                if line["status"] in _FINAL:
                    self._ended.setdefault(int(id_), []).append((at, line))

    async def _state(self) -> tuple[float, State]:
        """The last frame until now, with its time."""
        now = self.now()
        place = max(0, bisect_right(self._stretches, now, key=lambda stretch: stretch[1]) - 1)
        id_ = self._stretches[place][0]
        if self._open[0] != id_:
            self._open = (id_, list(frames.states(await self._session(recording.frames, id_))))
        found = self._open[1]
        if not found:
            raise RecordUnreadable("this part of the recording was deleted meanwhile")
        return found[max(0, bisect_right(found, now, key=lambda frame: frame[0]) - 1)]

    # --- the answers

    @property
    def events(self) -> Events:
        """The events until now."""
        now = to_iso(self.now())
        until = bisect_right(self._events, now, key=lambda event: event.at)
        return Events(self.now, kept=self._events[max(0, until - RING) : until])

    async def healthy(self) -> None:
        """Return: there is a recording."""

    async def status(self, *, may_change: bool = False) -> DaemonStatus:
        """The daemon's status then; nothing can be changed."""
        at, state = await self._state()
        told = self.events.recent(1)
        seq = int(1000 * max([at, *(from_iso(event.at) for event in told)]))
        return DaemonStatus(**{**state["status"], "now": to_iso(self.now()), "seq": seq})

    async def tasks(self, wanted: TaskQuery) -> TaskPage:
        """A page of tasks then."""
        _, state = await self._state()
        opened = [state["tasks"][str(id_)] for id_ in state["queue"] if str(id_) in state["tasks"]]
        known = {line["id"] for line in opened} | set(state["queue"])
        ended = self._finals(self.now())
        return page(wanted, opened, [line for line in ended if line["id"] not in known], state["status"])

    def _finals(self, now: float) -> list[Line]:
        found = list(self._older.values())
        for lines in self._ended.values():
            if place := bisect_right(lines, now, key=lambda line: line[0]):
                found.append(lines[place - 1][1])
        return found

    async def page(self, wanted: AttentionQuery) -> AttentionPage:
        """A page of what wanted a person then; of many, the first were recorded."""
        _, state = await self._state()
        counts = state["status"]["attention"]
        kinds = [kind.value for kind in wanted.kinds] or list(counts)
        lines = [state["attention"][key] for key in state["wanting"]]
        shown = [line for line in lines if line["kind"] in kinds][wanted.offset :][: wanted.limit]
        return AttentionPage(
            total=sum(counts.get(kind, 0) for kind in kinds),
            counts=counts,
            lines=[AttentionLine(**{**line, "verb": None}) for line in shown],
        )

    async def task(self, task_id: int) -> TaskDetail:
        """One task with its history until now. Raises UnknownTask."""
        now = to_iso(self.now())
        detail = await self._session(queries.task_detail, task_id, self.now())
        if detail.claimed_at > now:
            raise UnknownTask(f"there was no task {task_id} yet")
        _, state = await self._state()
        ended = {line["id"]: line for line in self._finals(self.now())}
        line = state["tasks"].get(str(task_id)) or ended.get(task_id, {})
        held = detail.model_copy(
            update={
                "history": [entry for entry in detail.history if entry.at <= now],
                "documents": [each for each in detail.documents if (each.delivered_at or "") <= now],
                "flags": detail.flags if not line or line["status"] in _FINAL else [],
                "set_aside": detail.set_aside if not line or line["status"] in _FINAL else [],
            }
        )
        return TaskDetail(**{**held.model_dump(), **line, "can": []})

    async def results(self, task_id: int) -> list[dict[str, Any]]:
        """The results of a task until now, oldest first. Raises UnknownTask."""
        await self._session(queries.task_detail, task_id, self.now())
        return [json.loads(each) for each in await self._session(documents.results, task_id, self.now())]

    async def stages(self, task_id: int) -> dict[str, Any]:
        """The results of those stages that had ended until now. Raises UnknownTask."""
        found = await self._session(reports.stages, task_id)
        ended = {entry.event for entry in (await self.task(task_id)).history}
        late = () if "extracted" in ended else ("profile",) if "transcribed" in ended else tuple(found)
        return {name: None if name in late else part for name, part in found.items()}

    async def refused(self, limit: int) -> list[RefusedLine]:
        """The files that were refused until now, the newest first."""
        now = to_iso(self.now())
        every = await self._session(queries.refused, _REFUSED)
        return [line for line in every if line.at <= now][:limit]

    async def kept_events(self, since: float, until: float, after: int, limit: int) -> list[EventLine]:
        """As `Observer.kept_events`, until now."""
        return await self._session(recording.events_between, since, min(until, self.now()), after, limit)

    async def gpu(self) -> GpuHistory:
        """The GPU's last minutes then, and the last phases."""
        now = self.now()
        points = await self._session(recording.points_between, now - KEPT_S, now, KEPT)
        phases = await self._session(queries.phases, queries.PHASES, now)
        return GpuHistory(points=points, phases=[_as_it_was(span, to_iso(now)) for span in phases])

    async def logs(self, source: LogSource, task_id: int | None, lines: int) -> list[LogLine]:
        """What is left of the lines of a log until now."""
        now = to_iso(self.now())
        found = last_lines(self._log, source, task_id, _LOG_LINES)
        return [line for line in found if line.at is None or line.at <= now][-lines:]

    async def metrics(self) -> tuple[bytes, str]:
        """Nothing: no figures were recorded."""
        return b"", "text/plain"


def _ended_before(db: Database, until: float) -> list[Line]:
    """The last tasks that ended before a time."""
    rows = lists.ended_before(db, until, WINDOW)
    return [queries.task_line(row, db.terms, until).model_dump() for row in rows]


def _as_it_was(span: PhaseSpan, at: str) -> PhaseSpan:
    """A phase without what was not known yet."""
    unknown: dict[str, Any] = {}
    if span.ended_at is not None and span.ended_at > at:
        unknown = {"ended_at": None, "tasks": 0}
    if span.ready_at is not None and span.ready_at > at:
        of_switch = ("ready_at", "switch_s", "freed_mb", "foreign_mb", "needed_mb", "margin_mb")
        unknown |= dict.fromkeys(of_switch) | {"holders": []}
    return span.model_copy(update=unknown)
