"""The composition root: makes the parts of the daemon from the configuration, and runs them."""

import asyncio
import contextlib
import fcntl
import grp
import os
import pwd
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from daemon import __version__, api, report
from daemon.ahead import Ahead
from daemon.alarms import Alarms
from daemon.config import Config
from daemon.core.errors import AlreadyRunning, Fault
from daemon.core.instant import to_iso
from daemon.core.lifecycle import RetryPolicy
from daemon.core.task import OPEN, Phase, phase_of
from daemon.delivery import Delivery
from daemon.engines import embedded_node, media_reader
from daemon.intake.alarm import Alarm as IntakeAlarm
from daemon.intake.claim import Limits
from daemon.intake.intake import Intake
from daemon.journal import Journal
from daemon.outbox import Outbox
from daemon.plan import estimate, make_policy
from daemon.ports import Born, Media, Node, OnAlarm, Progress
from daemon.store.reader import Reader
from daemon.store.store import SqliteStore
from daemon.supervisor import Supervisor
from daemon.wire import Alarm, BatchState, Status

log = structlog.get_logger()

DATABASE = "introeval.db"

MakeNode = Callable[[Config, Progress, OnAlarm], Node]
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
    seen: set[int] = field(default_factory=set)

    @property
    def idle(self) -> bool:
        """Whether nothing is left to take, to do or to deliver."""
        return self.intake.idle and self.supervisor.idle and self.delivery.idle

    def status(self, reader: Reader) -> Status:
        """What the system is doing now. Called on the database thread."""
        supervisor = self.supervisor
        group, extent = supervisor.group, supervisor.extent
        batch = extent.batch_id
        return Status(
            version=__version__,
            pid=os.getpid(),
            running=True,
            runtime=self.config.runtime,
            phase=(
                phase_of(min(group)) if group and len(group) == 1 else Phase.EVAL if group else Phase.STT
            ).value,
            group=sorted(group or ()),
            phase_since=None if supervisor.phase_since is None else to_iso(supervisor.phase_since),
            why=supervisor.why.value,
            paused=supervisor.orders.paused,
            batch=None if batch is None else BatchState(id=batch, done=extent.done, total=extent.total),
            counts=report.counts(reader),
            undelivered=report.undelivered(reader),
            alarms=[Alarm(code=a.code, message=a.message, since=to_iso(a.since)) for a in self.alarms.all],
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
    make_node: MakeNode = embedded_node,
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
    alarms = Alarms(time.time)
    node = make_node(config, lambda ticket, done: progress.__setitem__(ticket.task_id, done), alarms.on)
    store = await loop.run_in_executor(executor, _open_store, config)
    listener = api.bind(config.paths.socket)
    media = make_media(config)
    try:
        daemon = await _assemble(config, node, media, store, executor, progress, alarms)
        server = api.make_server(
            api.make_api(
                daemon.status,
                lambda ask: daemon.journal(ask, store),
                progress.get,
                daemon.supervisor,
                _may_change(config),
            )
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
            try:
                yield
            finally:
                stop.set()
                await taking
                settled.set()
                await working
                delivered.set()
                await delivering
                server.should_exit = True
                await serving


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
) -> Daemon:
    state = config.paths.state
    journal = Journal(store, executor, alarms, time.time)
    outbox = Outbox(config.paths.outbox, mode=int(config.outbox.mode, 8), group=config.outbox.group or None)
    delivery = Delivery(journal, outbox, state, alarms, time.time)

    def ahead(on_fault: Callable[[int, Fault], None]) -> Ahead:
        return Ahead(media, state / "decoded", on_fault)

    supervisor = Supervisor(
        node=node,
        journal=journal,
        ahead=ahead,
        policy=await journal(make_policy, config, store),
        retry=RetryPolicy(config.retry.max_retry_count),
        alarms=alarms,
        clock=time.time,
        on_final=delivery.hint,
        progress=progress,
        newest_only=config.intake.resubmission == "newest",
    )

    def born(births: Sequence[Born]) -> None:
        tasks = [birth.task for birth in births if birth.task is not None]
        daemon.seen |= {task.id for task in tasks}
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
    daemon = Daemon(config, supervisor, delivery, intake, journal, alarms)
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
    def expected(ahead: int) -> float | None:
        return estimate(store, ahead, time.time())

    store = SqliteStore(
        config.paths.state / DATABASE,
        estimate=expected,
        provenance={"program": f"introeval {__version__}"},
        resubmission=config.intake.resubmission,
    )
    return store
