"""The composition root: makes the parts of the daemon from the configuration, and runs them."""

import asyncio
import contextlib
import fcntl
import grp
import os
import pwd
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from daemon import __version__, api
from daemon.ahead import Ahead
from daemon.alarms import Alarms
from daemon.alerts import Alerts
from daemon.config import Config
from daemon.core.errors import AlreadyRunning, Fault
from daemon.core.lifecycle import RetryPolicy
from daemon.core.residency import MODELS
from daemon.core.scheduler import Group
from daemon.core.task import OPEN
from daemon.delivery import Delivery
from daemon.engines import Site, make_node, media_reader, prompt_tokens
from daemon.events import Events
from daemon.forecast import Forecaster
from daemon.forget import Forgetting
from daemon.gpu.history import GpuRecorder
from daemon.gpu.nvml import NvmlGpu
from daemon.hooks import Hooks
from daemon.intake.alarm import Alarm as IntakeAlarm
from daemon.intake.claim import Limits
from daemon.intake.intake import Intake
from daemon.journal import Journal
from daemon.metrics import Metrics
from daemon.outbox import Outbox
from daemon.placement import Placement
from daemon.plan import make_policy
from daemon.ports import Born, Media, Node, Ticket
from daemon.retention import Retention
from daemon.service import Pulse
from daemon.status import Observer
from daemon.store.store import SqliteStore
from daemon.supervisor import Supervisor

log = structlog.get_logger()

DATABASE = "introeval.db"

MakeNode = Callable[[Config, Site], Node]
MakeMedia = Callable[[Config], Media]


@dataclass
class Daemon:
    """A running daemon, as its observers see it."""

    config: Config
    supervisor: Supervisor
    delivery: Delivery
    intake: Intake
    journal: Journal
    alarms: Alarms
    observer: Observer
    forecaster: Forecaster
    recorder: GpuRecorder
    seen: set[int] = field(default_factory=set)

    @property
    def idle(self) -> bool:
        """Whether nothing is left to take, to do or to deliver."""
        return self.intake.idle and self.supervisor.idle and self.delivery.idle

    @property
    def pulse(self) -> Pulse:
        """How far the main loop is, for the watchdog."""
        supervisor = self.supervisor
        group = " and ".join(sorted(supervisor.group or ())) or "no engine loaded"
        alarms = f"; {len(self.alarms.all)} alarms" if self.alarms.all else ""
        return Pulse(
            steps=supervisor.turns + self.journal.tries,
            resting=not supervisor.turning,
            said=f"{group}: {supervisor.why}; {len(supervisor.tasks)} tasks open{alarms}",
        )


@contextlib.contextmanager
def owned(state: Path) -> Iterator[None]:
    """Own the state folder for as long as the context lasts. Raises AlreadyRunning."""
    state.mkdir(parents=True, exist_ok=True)
    with (state / "daemon.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise AlreadyRunning(
                f"a daemon (process {file.read().strip() or 'unknown'}) runs on {state} already; "
                "see `introeval status`, or name another state folder"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


@contextlib.asynccontextmanager
async def running(
    config: Config,
    stop: asyncio.Event,
    make_node: MakeNode = make_node,
    make_media: MakeMedia = media_reader,
) -> AsyncIterator[Daemon]:
    """Run the daemon until `stop` or the end of the context, whichever comes first.

    The caller owns the state folder. Raises ConfigError, ModelError or StoreError before anything starts.
    """
    config.paths.inbox.mkdir(parents=True, exist_ok=True)
    config.paths.outbox.mkdir(parents=True, exist_ok=True)
    executor = ThreadPoolExecutor(1, "database")
    loop = asyncio.get_running_loop()
    progress: dict[int, float] = {}
    alarms, events = Alarms(time.time), Events(time.time)
    alarms.listeners.append(lambda alarm, lasts: events.alarm(alarm.message, lasts))

    def on_progress(ticket: Ticket, done: float) -> None:
        progress[ticket.task_id] = done
        events.changed()

    gpu = NvmlGpu()
    placement = Placement(config, (await gpu.reading()).total_mb)
    site = Site(
        placement,
        gpu.reading,
        on_progress,
        alarms.on,
    )
    node = make_node(config, site)
    store = await loop.run_in_executor(executor, _open_store, config)
    listener = api.bind(config.paths.socket)
    media = make_media(config)
    try:
        daemon = await _assemble(
            config, node, media, store, executor, progress, alarms, events, placement, gpu
        )
        forgetting = Forgetting(
            daemon.journal, daemon.delivery.still, config.paths.outbox, config.paths.state
        )
        server = api.make_server(
            api.make_api(daemon.observer, daemon.supervisor, forgetting, _may_change(config))
        )
        async with _all_running(daemon, server, listener, stop):
            yield daemon
    finally:
        listener.close()
        config.paths.socket.unlink(missing_ok=True)
        await node.aclose()
        await media.aclose()
        await loop.run_in_executor(executor, store.close)
        executor.shutdown()


@contextlib.asynccontextmanager
async def _all_running(
    daemon: Daemon, server: api.Server, listener: Any, stop: asyncio.Event
) -> AsyncIterator[None]:
    """Stop in order: take nothing new; end the work; deliver what is ready; answer no more.

    What breaks one part ends all, and is raised as it was.
    """
    settled, delivered = asyncio.Event(), asyncio.Event()
    with _unwrapped():
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(server.serve(sockets=[listener]))
            delivering = tasks.create_task(daemon.delivery.run(delivered))
            working = tasks.create_task(daemon.supervisor.run(settled, daemon.config.run.stop_grace_s))
            taking = tasks.create_task(daemon.intake.run(stop))
            watching = [tasks.create_task(watch(stop)) for watch in _watches(daemon)]
            try:
                yield
            finally:
                stop.set()
                await asyncio.gather(*watching)
                await taking
                settled.set()
                await working
                delivered.set()
                await delivering
                daemon.journal.events.close()
                server.should_exit = True
                await serving


def _watches(daemon: Daemon) -> list[Callable[[asyncio.Event], Coroutine[Any, Any, None]]]:
    """What runs beside the work until it is told to stop, and never delays it."""
    config, alarms = daemon.config, daemon.alarms
    return [
        daemon.forecaster.run,
        lambda stop: _until(stop, daemon.recorder.run()),
        Alerts(config, alarms, daemon.observer.situation).run,
        Hooks(config.alerts, alarms, time.time).run,
        Retention(daemon.journal, config.retention.archive_days, alarms, time.time).run,
    ]


async def _until(stop: asyncio.Event, endless: Coroutine[Any, Any, None]) -> None:
    """Run what has no end of its own until `stop`. Raises what it raises."""
    running = asyncio.create_task(endless)
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait([running, stopped], return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    while not running.done():  # `asyncio.wait_for` may swallow a cancellation that meets its result
        running.cancel()
        await asyncio.wait([running], timeout=0.1)
    with contextlib.suppress(asyncio.CancelledError):
        await running


@contextlib.contextmanager
def _unwrapped() -> Iterator[None]:
    """Raise the first error of a group of tasks by itself, since a user is told of one."""
    try:
        yield
    except BaseExceptionGroup as group:
        first: BaseException = group
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from group


async def _assemble(
    config: Config,
    node: Node,
    media: Media,
    store: SqliteStore,
    executor: ThreadPoolExecutor,
    progress: dict[int, float],
    alarms: Alarms,
    events: Events,
    placement: Placement,
    gpu: NvmlGpu,
) -> Daemon:
    state = config.paths.state
    journal = Journal(store, executor, alarms, time.time, events)
    outbox = Outbox(config.paths.outbox, mode=int(config.outbox.mode, 8), group=config.outbox.group or None)
    delivery = Delivery(journal, outbox, state, alarms, time.time)

    def ahead(on_fault: Callable[[int, Fault], None]) -> Ahead:
        return Ahead(media, state / "decoded", on_fault)

    async def prepare(group: Group) -> None:
        """Give the models a context that holds the longest prompt of their phase."""
        if not group.isdisjoint(MODELS):
            chars = await journal.surely(store.longest_transcript)
            if placement.expect(prompt_tokens(config, chars)):
                forecaster.replan()

    supervisor = Supervisor(
        node=node,
        journal=journal,
        ahead=ahead,
        policy=make_policy(config, placement.plan, None),
        retry=RetryPolicy(config.retry.max_retry_count),
        alarms=alarms,
        clock=time.time,
        on_final=delivery.hint,
        progress=progress,
        newest_only=config.intake.resubmission == "newest",
        on_orders=lambda orders: intake.close(closed=orders.draining),
        on_switch=lambda: forecaster.phase_ended(),
        prepare=prepare,
    )
    forecaster = Forecaster(
        supervisor,
        store,
        journal,
        lambda durations: make_policy(config, placement.plan, durations),
        time.time,
    )
    await forecaster.begin()
    store.estimate = forecaster.expected
    events.tallies.append(forecaster)

    def born(births: Sequence[Born]) -> None:
        tasks = [birth.task for birth in births if birth.task is not None]
        daemon.seen |= {task.id for task in tasks}
        for task in tasks:
            events.of_task(task, "is claimed" if task.status in OPEN else f"is claimed, and {task.status}")
        forecaster.born(tasks)
        supervisor.arrived(task for task in tasks if task.status in OPEN)
        delivery.hint()

    def intake_alarms(lasting: Sequence[IntakeAlarm]) -> None:
        alarms.replace("intake_", {f"intake_{a.code} {a.path}": a.message for a in lasting})

    intake = Intake(
        config.paths.inbox,
        state,
        store=store,
        on_database=journal,
        media=media,
        on_born=born,
        on_alarms=intake_alarms,
        settle_s=config.intake.settle_s,
        rescan_s=config.intake.rescan_s,
        poll=config.intake.poll,
        ignore=config.intake.ignore,
        min_free_bytes=config.intake.min_free_mb * 1_000_000,
        limits=Limits(
            max_size_bytes=config.intake.max_size_mb * 1_000_000,
            max_duration_s=config.intake.max_duration_s,
            student_pattern=config.intake.student_pattern,
            done_marker=config.intake.done_marker,
        ),
    )
    intake.close(closed=(await journal.orders()).draining)
    metrics = Metrics()
    events.tallies.append(metrics)
    recorder = GpuRecorder(gpu.reading, lambda: supervisor.group or ())
    observer = Observer(
        config,
        journal,
        supervisor,
        intake,
        alarms,
        progress,
        metrics,
        engines=node.reports,
        forecast=forecaster,
        gpu=recorder,
    )
    daemon = Daemon(config, supervisor, delivery, intake, journal, alarms, observer, forecaster, recorder)
    return daemon


def _may_change(config: Config) -> Callable[[int], bool]:
    """Who may change things: the daemon's user, root, and who is in the operators' group."""

    def may_change(uid: int) -> bool:
        if uid in (0, os.geteuid()):
            return True
        if not config.api.operators:
            return False
        try:
            group = grp.getgrnam(config.api.operators).gr_gid
            user = pwd.getpwuid(uid)
        except KeyError:
            return False
        return group in os.getgrouplist(user.pw_name, user.pw_gid)

    return may_change


def _open_store(config: Config) -> SqliteStore:
    return SqliteStore(
        config.paths.state / DATABASE,
        provenance={"program": f"introeval {__version__}"},
        resubmission=config.intake.resubmission,
    )
