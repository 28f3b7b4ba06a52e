"""The parts of a daemon, made from its configuration and put together."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from daemon.app.engines import prompt_tokens
from daemon.config.load import Config
from daemon.contracts.ports import Media, Node
from daemon.contracts.values import Born, Orders
from daemon.core.errors import Fault
from daemon.core.intake.ownership import Ownership
from daemon.core.schedule.phase_state import Group
from daemon.core.schedule.residency import MODELS
from daemon.core.tasks.lifecycle import RetryPolicy
from daemon.core.tasks.task import OPEN
from daemon.delivery.delivery import Delivery
from daemon.delivery.outbox import Outbox
from daemon.delivery.places import KnownPlaces, recall
from daemon.delivery.remains import Reconciliation
from daemon.forecast import Forecaster
from daemon.gpu.history import GpuRecorder
from daemon.gpu.nvml import NvmlGpu
from daemon.intake.accounts import accounts
from daemon.intake.alarm import IntakeAlarm as IntakeAlarm
from daemon.intake.alarm import named
from daemon.intake.claim import Limits
from daemon.intake.intake import Intake
from daemon.monitoring.alarms import Alarms
from daemon.monitoring.events import Events
from daemon.monitoring.metrics import Metrics
from daemon.monitoring.observer import Observer
from daemon.placement.placement import Placement
from daemon.placement.policy import make_policy
from daemon.store.session import Session
from daemon.store.store import SqliteStore
from daemon.supervisor.decision_log import DecisionLog
from daemon.supervisor.journal import Journal
from daemon.supervisor.predecode import Predecoder
from daemon.supervisor.supervisor import Supervisor
from daemon.system.place import Place
from daemon.system.state_folder import DECISIONS
from daemon.system.systemd import Pulse


@dataclass
class Daemon:
    """A running daemon, as its observers see it."""

    config: Config
    supervisor: Supervisor
    delivery: Delivery
    intake: Intake
    session: Session
    events: Events
    alarms: Alarms
    observer: Observer
    forecaster: Forecaster
    recorder: GpuRecorder
    places: KnownPlaces
    first_id: int
    """What is born from now on has this id or a later one."""
    first_orders: Orders
    """What stood ordered when it started."""
    born: int = 0

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
            steps=supervisor.turns + self.session.tries,
            resting=not supervisor.turning,
            said=f"{group}: {supervisor.why}; {len(supervisor.tasks)} tasks open{alarms}",
        )


async def assemble(
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
    """The parts, put together; nothing runs yet. Raises ConfigError, StoreError."""
    session = Session(store, executor, lambda trouble: alarms.on("store", trouble))
    journal = Journal(session, time.time, events)
    places = await recall(config.paths.inbox, config.paths.outbox, session, events)
    delivery = _make_delivery(config, places.outbox, session, alarms)
    supervisor = _make_supervisor(
        config,
        node,
        media,
        journal,
        placement,
        alarms,
        progress,
        on_final=delivery.hint,
        on_orders=lambda orders: intake.close(closed=orders.draining),
        on_switch=lambda: forecaster.phase_ended(),
    )
    forecaster = await _make_forecaster(config, supervisor, session, events, placement)

    def born(births: Sequence[Born]) -> None:
        tasks = [birth.task for birth in births if birth.task is not None]
        daemon.born += len(tasks)
        for task in tasks:
            events.of_task(task, "is claimed" if task.status in OPEN else f"is claimed, and {task.status}")
        forecaster.born(tasks)
        supervisor.arrived(task for task in tasks if task.status in OPEN)
        delivery.hint()

    intake = _make_intake(config, places.inbox, session, media, alarms, born)
    orders = await journal.orders()
    intake.close(closed=orders.draining)
    metrics = Metrics()
    events.tallies.append(metrics)
    recorder = GpuRecorder(gpu.reading, lambda: supervisor.group or ())
    observer = Observer(
        config,
        session,
        events,
        supervisor,
        intake,
        alarms,
        progress,
        metrics,
        engines=node.reports,
        forecast=forecaster,
        gpu=recorder,
        places=places.all,
    )
    places.listeners += [intake.hint, delivery.try_again]
    await Reconciliation(session, alarms, config.paths.inbox, config.paths.outbox, config.paths.state)(
        time.time()
    )
    first = await session(store.next_id)
    daemon = Daemon(
        config,
        supervisor,
        delivery,
        intake,
        session,
        events,
        alarms,
        observer,
        forecaster,
        recorder,
        places,
        first,
        orders,
    )
    return daemon


def ownership(config: Config) -> Ownership:
    """What the accounts of files mean, as it is configured. Raises ConfigError."""
    return Ownership(config.intake.owner, accounts(config.intake.shared_accounts))


def _make_delivery(config: Config, place: Place, session: Session, alarms: Alarms) -> Delivery:
    """Assemble what puts the results into the outbox. Raises ConfigError."""
    outbox = Outbox(place, mode=int(config.outbox.mode, 8), group=config.outbox.group or None)
    return Delivery(session, outbox, config.paths.state, alarms, time.time)


def _make_supervisor(
    config: Config,
    node: Node,
    media: Media,
    journal: Journal,
    placement: Placement,
    alarms: Alarms,
    progress: dict[int, float],
    *,
    on_final: Callable[[], None],
    on_orders: Callable[[Orders], None],
    on_switch: Callable[[], None],
) -> Supervisor:
    """What decides, with what it decodes ahead and what it prepares a phase with."""

    def ahead(on_fault: Callable[[int, Fault], None]) -> Predecoder:
        return Predecoder(media, config.paths.state / "decoded", on_fault)

    async def prepare(group: Group) -> None:
        """Give the models a context that holds the longest prompt of their phase."""
        if not group.isdisjoint(MODELS):
            chars = await journal.session.until_durable(journal.session.store.longest_transcript)
            placement.expect(prompt_tokens(config, chars))

    return Supervisor(
        node=node,
        journal=journal,
        ahead=ahead,
        policy=make_policy(config, placement.plan, None),
        retry=RetryPolicy(config.retry.max_retry_count),
        alarms=alarms,
        clock=time.time,
        on_final=on_final,
        progress=progress,
        decision_log=DecisionLog(config.paths.state / "log" / DECISIONS),
        newest_only=ownership(config) if config.intake.resubmission == "newest" else None,
        on_orders=on_orders,
        on_switch=on_switch,
        prepare=prepare,
    )


async def _make_forecaster(
    config: Config, supervisor: Supervisor, session: Session, events: Events, placement: Placement
) -> Forecaster:
    """What expects, told of all that happens and asked at each birth. Raises StoreError."""
    forecaster = Forecaster(
        supervisor,
        session.store,
        session,
        lambda durations: make_policy(config, placement.plan, durations),
        time.time,
    )
    await forecaster.begin()
    placement.on_change = forecaster.replan
    session.store.estimate = forecaster.expected
    events.tallies.append(forecaster)
    return forecaster


def _make_intake(
    config: Config,
    place: Place,
    session: Session,
    media: Media,
    alarms: Alarms,
    on_born: Callable[[Sequence[Born]], None],
) -> Intake:
    """What takes videos out of the inbox, as it is configured."""

    def intake_alarms(lasting: Sequence[IntakeAlarm]) -> None:
        alarms.replace("intake_", named(lasting))

    return Intake(
        place.path,
        config.paths.state,
        place=place,
        store=session.store,
        on_database=session,
        media=media,
        on_born=on_born,
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
            ownership=ownership(config),
        ),
    )
