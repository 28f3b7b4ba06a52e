"""Builds the daemon from the configuration, starts its parts, and stops them in order."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import structlog

from daemon import __version__
from daemon.api.operators import kept_for, operators
from daemon.api.protocols import Controls
from daemon.api.routes import make_api
from daemon.api.server import ControlServer, bind, make_server
from daemon.app.assembly import assemble, ownership
from daemon.app.cluster import check_cluster
from daemon.app.engines import Site, media_reader
from daemon.app.nodes import make_node
from daemon.app.parts import Daemon
from daemon.config.load import Config
from daemon.config.terms import terms_of
from daemon.contracts.ports import Media, Node
from daemon.delivery.forget import Forgetting
from daemon.delivery.retention import Retention, read_clocks
from daemon.gpu.nvml import NvmlGpu
from daemon.intake.registered import Registrations
from daemon.llm.rubric import Rubric
from daemon.monitoring.alarms import Alarms
from daemon.monitoring.alert_rules import AlertRules
from daemon.monitoring.events import RING, Events
from daemon.monitoring.fitness import Accepting
from daemon.monitoring.hooks import Hooks
from daemon.monitoring.progress import Progress
from daemon.monitoring.pseudonyms import Pseudonyms
from daemon.placement.placement import Placement
from daemon.placement.rubric_check import check_rubric
from daemon.store import Database, open_store, recording
from daemon.store.fairness import cards
from daemon.store.session import Session
from daemon.system.state_folder import DATABASE

log = structlog.get_logger()

MakeNode = Callable[[Config, Site], Node]
MakeMedia = Callable[[Config], Media]


@contextlib.asynccontextmanager
async def running(
    config: Config,
    stop: asyncio.Event,
    make_node: MakeNode = make_node,
    make_media: MakeMedia = media_reader,
) -> AsyncIterator[Daemon]:
    """Run the daemon until `stop` is set or the context ends. The caller must own the state folder.

    Raises ConfigError, ModelError or StoreError before anything starts.
    """
    loop = asyncio.get_running_loop()
    progress = Progress()
    alarms = Alarms(time.time)
    gpu = NvmlGpu()
    placement = Placement(config, (await gpu.reading()).total_mb)
    check_rubric(config, config.prompts.folder)
    check_cluster(config)
    rubric = Rubric(config.prompts.folder, alarms.on)
    site = Site(placement, rubric, gpu.reading, progress, alarms.on)
    async with contextlib.AsyncExitStack() as opened:  # closes everything when a start fails, too
        executor = ThreadPoolExecutor(1, "database")
        opened.callback(executor.shutdown)
        node, media = make_node(config, site), make_media(config)
        db = await loop.run_in_executor(executor, _open_store, config)
        opened.push_async_callback(_on_thread, executor, db.close)
        listener = bind(config.paths.socket)
        # Only once the socket is ours: closing the node stops engines, which may be another daemon's.
        opened.push_async_callback(media.aclose)
        opened.push_async_callback(node.aclose)
        opened.callback(_unbind, listener, config.paths.socket)
        session = Session(db, executor, alarms.on)
        site.fitness.know(await session(cards))
        events = Events(time.time, kept=await session(recording.last_events, RING))
        if config.logs.hash_ids:
            events.pseudonym = Pseudonyms(config.paths.state)
        for alarm in alarms.all:
            events.alarm(alarm, lasts=True)
        alarms.changed.connect(events.alarm)
        progress.changed.connect(events.changed)
        daemon = await assemble(config, node, media, session, site, alarms, events, gpu)
        forgetting = Forgetting(
            daemon.session,
            daemon.record,
            events,
            daemon.delivery.still,
            config.paths,
            daemon.places.outbox,
            time.time,
        )
        forgetting.forgotten.connect(daemon.forecaster.forgotten)
        may_change, kept = operators(config.api.operators), kept_for(config.api.operators)
        server = make_server(
            make_api(
                daemon.observer,
                Controls(
                    commands=daemon.supervisor,
                    wanting=daemon.attention,
                    accept=daemon.places.accept,
                    forget=forgetting,
                    accept_rater=Accepting(site.fitness, session, events, time.time),
                    calibrations=daemon.calibrations,
                    classes=daemon.classes,
                    lenders=daemon.machines,
                    operators=may_change,
                    stopping=stop.is_set,
                ),
            ),
            kept,
        )
        async with _all_running(daemon, server, listener, stop):
            yield daemon


def _unbind(listener: socket.socket, path: Path) -> None:
    listener.close()
    try:
        path.unlink(missing_ok=True)
    except OSError as exc:  # its disk is away; the next start takes its place
        log.warning("the control socket could not be removed", path=str(path), error=exc.strerror)


async def _on_thread(executor: ThreadPoolExecutor, call: Callable[[], object]) -> None:
    await asyncio.get_running_loop().run_in_executor(executor, call)


@contextlib.asynccontextmanager
async def _all_running(
    daemon: Daemon, server: ControlServer, listener: Any, stop: asyncio.Event
) -> AsyncIterator[None]:
    """Run all parts. On leaving, stop in order: intake, supervisor, delivery, control socket.

    An error in one part stops all, and is raised as it was.
    """
    settled, delivered = asyncio.Event(), asyncio.Event()
    with _unwrapped():
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(server.serve(sockets=[listener]))
            delivering = tasks.create_task(daemon.delivery.run(delivered))
            if daemon.config.cluster.address:  # until the supervisor has ended what it gave them
                tasks.create_task(daemon.machines.run(delivered))
            working = tasks.create_task(daemon.supervisor.run(settled, daemon.config.run.stop_grace_s))
            taking = tasks.create_task(daemon.intake.run(stop))
            watching = [tasks.create_task(watch(stop)) for watch in _watches(daemon)]
            try:
                yield
            finally:
                stop.set()
                daemon.session.end_by(daemon.config.run.stop_grace_s)
                await asyncio.gather(*watching)
                await taking
                settled.set()
                await working
                delivered.set()
                await delivering
                await daemon.record.flush()
                daemon.events.close()
                server.end()
                await serving


def _watches(daemon: Daemon) -> list[Callable[[asyncio.Event], Coroutine[Any, Any, None]]]:
    """The background loops. Each runs until `stop` is set; none delays the work."""
    config, alarms = daemon.config, daemon.alarms
    return [
        daemon.forecaster.run,
        daemon.in_force.run,
        Registrations(
            daemon.session,
            config.paths.inbox,
            lambda: daemon.intake.available,
            daemon.delivery.hint,
            alarms.on,
            time.time,
        ).run,
        lambda stop: _until(stop, daemon.recorder.run()),
        daemon.record.run,
        AlertRules(config, alarms, daemon.observer.situation).run,
        Hooks(config.alerts, alarms, time.time).run,
        daemon.notices.run,
        Retention(daemon.session, config.retention, config.paths.state, alarms, read_clocks).run,
    ]


async def _until(stop: asyncio.Event, endless: Coroutine[Any, Any, None]) -> None:
    """Run an endless coroutine until `stop` is set. Raises what the coroutine raises."""
    running = asyncio.create_task(endless)
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait([running, stopped], return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    while not running.done():  # `asyncio.wait_for` may swallow a cancellation that comes with its result
        running.cancel()
        await asyncio.wait([running], timeout=0.1)
    with contextlib.suppress(asyncio.CancelledError):
        await running


@contextlib.contextmanager
def _unwrapped() -> Iterator[None]:
    """Raise the first error of an exception group alone, since users are shown one error."""
    try:
        yield
    except BaseExceptionGroup as group:
        first: BaseException = group
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from group


def _open_store(config: Config) -> Database:
    return open_store(
        config.paths.state / DATABASE,
        provenance={"program": f"introeval {__version__}"},
        resubmission=config.intake.resubmission,
        ownership=ownership(config),
        terms=terms_of(config),
        release=config.review.release,
        wanted=config.hooks.wanted,
    )
