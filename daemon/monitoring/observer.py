"""The answers of the control socket, from the running parts and the database."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from daemon import __version__
from daemon.config.load import Config
from daemon.contracts.ports import SupervisorSource
from daemon.contracts.task_query import TaskQuery
from daemon.contracts.wire.base import EventLine, LogLine
from daemon.contracts.wire.status import (
    BatchState,
    DaemonStatus,
    EngineReport,
    GpuHistory,
    GpuState,
    Inbox,
    NodeLine,
    OpenClass,
    PlaceLine,
    Rates,
    Switching,
)
from daemon.contracts.wire.tasks import RefusedLine, TaskDetail, TaskLine, TaskPage
from daemon.contracts.wire.words import LogSource, PlaceName, PlaceState
from daemon.core.schedule.orders import useful
from daemon.core.schedule.phase_state import Extent, PhaseState
from daemon.core.tasks.task import Task
from daemon.core.timestamps import from_iso, to_iso
from daemon.monitoring import queries
from daemon.monitoring.alarms import Alarms
from daemon.monitoring.alert_rules import Situation
from daemon.monitoring.events import Events
from daemon.monitoring.live_attention import Attention
from daemon.monitoring.logs import last_lines
from daemon.monitoring.metrics import Metrics
from daemon.monitoring.progress import Progress
from daemon.monitoring.sources import ForecastSource, GpuWatch, Inlet, PlaceSource
from daemon.monitoring.status_figures import StatusReader
from daemon.store import recording, reports, users
from daemon.store.session import Session

L = TypeVar("L", bound=TaskLine)


class Observer:
    """Answers for the daemon. Used on the loop's thread; reads the database on the database thread."""

    def __init__(
        self,
        config: Config,
        session: Session,
        events: Events,
        work: SupervisorSource,
        inlet: Inlet,
        alarms: Alarms,
        progress: Progress,
        metrics: Metrics,
        wanting: Attention,
        *,
        engines: Callable[[], list[EngineReport]],
        forecast: ForecastSource | None = None,
        gpu: GpuWatch | None = None,
        places: Sequence[PlaceSource] = (),
        demo: bool = False,
        doubted: Callable[[], bool] = lambda: False,
        open_class: Callable[[], Awaitable[OpenClass | None]],
        nodes: Callable[[], list[NodeLine]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.events = events
        self._config, self._session, self._work, self._inlet = config, session, work, inlet
        self._alarms, self._progress, self._metrics = alarms, progress, metrics
        self._engines, self._forecast, self._gpu = engines, forecast, gpu
        self._places, self._clock, self._open_class = places, clock, open_class
        self._wanting, self._demo, self._doubted = wanting, demo, doubted
        self._nodes = nodes
        self._figures, self._failed = StatusReader(config, forecast, clock), list[str]()
        self._etas: Mapping[int, float] = {}
        self._queue: tuple[tuple[int, int], list[Task]] | None = None

    async def healthy(self) -> None:
        """Return if the database answers. Raises StoreError."""
        await self._session.read(reports.counts)

    async def is_student(self, account: str) -> bool:
        """Whether a student of the database has this name. Raises StoreError."""
        return bool(await self._session.read(users.known, {account}))

    async def status(self, *, may_change: bool = False) -> DaemonStatus:
        """The state of the daemon now. Raises StoreError."""
        figures = await self._session.read(self._figures.read, self._wanting.live)
        self._failed = figures.failed
        work, forecast = self._work, self._forecast
        self._foresee()
        view, orders = work.view, work.orders
        phase, held = view.phase, sum(task.held for task in view.tasks)
        return DaemonStatus(
            version=__version__,
            pid=os.getpid(),
            running=True,
            runtime=self._config.runtime,
            now=to_iso(self._clock()),
            seq=self.events.seq,
            may_change=may_change,
            phase=phase.phase.value,
            group=sorted(phase.group or ()),
            phase_since=_iso(phase.since),
            switching=self._switching(phase),
            next_switch_at=_iso(forecast.next_switch_at) if forecast else None,
            why=work.decision.why.value,
            why_detail=forecast.why_detail if forecast else "",
            paused=orders.paused,
            draining=orders.draining,
            left=len(view.tasks) - held,
            batch=_batch(phase.extent(view.tasks)),
            counts=figures.counts,
            held=held,
            refused=figures.refused,
            undelivered=figures.undelivered,
            clock=forecast.clock(orders.deadline, figures.outcomes) if forecast else None,
            open_class=await self._open_class(),
            rates=Rates(tasks_per_h=figures.speed.tasks_per_h, mean_s=figures.speed.mean_s),
            engines=self._engines(),
            gpu=self._gpu.latest if self._gpu else GpuState(absent="it is not watched"),
            inbox=self._inbox(),
            places=[self._place(place) for place in self._places],
            disk=figures.disk,
            alarms=[alarm.line for alarm in self._alarms.all],
            attention=figures.attention,
            can=[*(order.value for order in useful(view)), "deadline"] if may_change else [],
            demo=self._demo,
            calibration=figures.calibration,
            not_for_grades=self._doubted(),
            nodes=self._nodes(),
        )

    async def situation(self) -> Situation:
        """The figures that the alert rules read. Raises StoreError."""
        status, now = await self.status(), self._clock()
        view = self._work.view
        since = view.phase.switching_since
        return Situation(
            now=now,
            tasks=view.tasks,
            failed=self._failed,
            status=status,
            switching_s=None if since is None else now - since,
        )

    async def tasks(self, wanted: TaskQuery) -> TaskPage:
        """A page of tasks."""
        self._foresee()
        now, etas = self._clock(), dict(self._etas)
        page = await self._session.read(queries.task_page, wanted, self.queued(), now, etas)
        return page.model_copy(update={"tasks": [self._live(line) for line in page.tasks]})

    async def lines(self, ids: Sequence[int]) -> list[TaskLine]:
        """The lines of tasks, without those that are gone."""
        return [self._live(line) for line in await self._session.read(queries.lines, ids, self._clock())]

    async def task(self, task_id: int) -> TaskDetail:
        """One task. Raises UnknownTask."""
        self._foresee()
        return self._live(await self._session.read(queries.task_detail, task_id, self._clock()))

    async def refused(self, limit: int) -> list[RefusedLine]:
        """The last refused files, the newest first."""
        return await self._session.read(queries.refused, limit)

    async def results(self, task_id: int) -> list[dict[str, Any]]:
        """The results of a task, oldest first. Raises UnknownTask."""
        return await self._session.read(queries.results, task_id)

    async def kept_events(self, since: float, until: float, after: int, limit: int) -> list[EventLine]:
        """At most `limit` events from `since` to before `until`, oldest first; only ids above `after`."""
        found = await self._session.read(recording.events_between, since, until, after, limit)
        last = found[-1].id if found else after
        new = (e for e in self.events.unwritten if e.id > last and since <= from_iso(e.at) < until)
        return [*found, *new][:limit]

    async def stages(self, task_id: int) -> dict[str, Any]:
        """The results of a task's stages so far. Raises UnknownTask."""
        return await self._session.read(reports.stages, task_id)

    async def gpu(self) -> GpuHistory:
        """The last minutes of the GPU, and the last phases."""
        phases = await self._session.read(queries.phases, queries.PHASES)
        return GpuHistory(points=self._gpu.points() if self._gpu else [], phases=phases)

    async def logs(self, source: LogSource, task_id: int | None, lines: int) -> list[LogLine]:
        """The last lines of a log, oldest first."""
        return await asyncio.to_thread(last_lines, self._config.paths.state / "log", source, task_id, lines)

    async def metrics(self) -> tuple[bytes, str]:
        """The figures for Prometheus, and their media type."""
        return self._metrics.exposition(await self.status())

    def _foresee(self) -> None:
        """Use the newest forecast; a new one changes the lists of tasks."""
        if self._forecast is not None:
            self._forecast.refresh()
            if (etas := self._forecast.etas) is not self._etas:
                self._etas = etas
                self.events.changed()

    def queued(self) -> list[Task]:
        """The open tasks in the order of service, sorted once for each change."""
        key = (self.events.seq, self._work.turns)
        if self._queue is None or self._queue[0] != key:
            self._queue = key, queries.queue(self._work.view.tasks, self._config.batch.order)
        return self._queue[1]

    def _live(self, line: L) -> L:
        """The line, with the fields that only the running daemon knows."""
        return line.model_copy(update=self.live(line.id, held=line.held))

    def live(self, task_id: int, *, held: bool) -> dict[str, Any]:
        """The fields of a line that only the running daemon knows."""
        waits = held or self._work.orders.paused  # for a person, whose time nobody knows
        return {
            "progress": self._progress.of(task_id),
            "started_at": _iso(self._work.started.get(task_id)),
            "eta": None if waits else _iso(self._etas.get(task_id)),
        }

    def _switching(self, phase: PhaseState) -> Switching | None:
        if phase.switching_since is None:
            return None
        to = phase.last_group
        usual_s = self._forecast.usual_switch_s(to) if self._forecast else None
        return Switching(to=sorted(to or ()), since=to_iso(phase.switching_since), usual_s=usual_s)

    def _inbox(self) -> Inbox:
        path, inlet = str(self._config.paths.inbox), self._inlet
        return Inbox(path=path, waiting=inlet.waiting, available=inlet.available, polling=inlet.polling)

    def _place(self, place: PlaceSource) -> PlaceLine:
        state = place.state
        if place.name is PlaceName.INBOX and state is PlaceState.KNOWN and not self._inlet.available:
            state = PlaceState.AWAY  # the scan could not open the inbox, and has raised an alarm
        return PlaceLine(name=place.name, path=str(place.path), state=state, detail=place.detail)


def _batch(extent: Extent) -> BatchState | None:
    if extent.batch_id is None:
        return None
    return BatchState(id=extent.batch_id, done=extent.done, total=extent.total)


def _iso(at: float | None) -> str | None:
    return None if at is None else to_iso(at)
