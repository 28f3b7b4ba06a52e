"""The parts of a daemon, made from its configuration and put together."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from daemon.ahead import Ahead
from daemon.alarms import Alarms
from daemon.config import Config
from daemon.core.decision import Group
from daemon.core.errors import Fault
from daemon.core.lifecycle import RetryPolicy
from daemon.core.ownership import Ownership
from daemon.core.residency import MODELS
from daemon.core.task import OPEN
from daemon.delivery import Delivery
from daemon.engines import prompt_tokens
from daemon.events import Events
from daemon.forecast import Forecaster
from daemon.gpu.history import GpuRecorder
from daemon.gpu.nvml import NvmlGpu
from daemon.intake.accounts import accounts
from daemon.intake.alarm import Alarm as IntakeAlarm
from daemon.intake.alarm import named
from daemon.intake.claim import Limits
from daemon.intake.intake import Intake
from daemon.journal import Journal, Orders
from daemon.metrics import Metrics
from daemon.outbox import Outbox
from daemon.place import Place
from daemon.placement import Placement
from daemon.places import Places, recall
from daemon.plan import make_policy
from daemon.ports import Media, Node
from daemon.remains import Reconciliation
from daemon.service import Pulse
from daemon.status import Observer
from daemon.store.store import SqliteStore
from daemon.supervisor import Supervisor
from daemon.values import Born


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
    places: Places
    first_id: int
    """What is born from now on has this id or a later one."""
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
            steps=supervisor.turns + self.journal.tries,
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
    journal = Journal(store, executor, alarms, time.time, events)
    places = await recall(config.paths.inbox, config.paths.outbox, journal)
    delivery = _make_delivery(config, places.outbox, journal, alarms)
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
    forecaster = await _make_forecaster(config, supervisor, journal, placement)

    def born(births: Sequence[Born]) -> None:
        tasks = [birth.task for birth in births if birth.task is not None]
        daemon.born += len(tasks)
        for task in tasks:
            events.of_task(task, "is claimed" if task.status in OPEN else f"is claimed, and {task.status}")
        forecaster.born(tasks)
        supervisor.arrived(task for task in tasks if task.status in OPEN)
        delivery.hint()

    intake = _make_intake(config, places.inbox, journal, media, alarms, born)
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
        places=places.all,
    )
    places.listeners += [intake.hint, delivery.try_again]
    await Reconciliation(journal, alarms, config.paths.inbox, config.paths.outbox, config.paths.state)(
        time.time()
    )
    first = await journal(store.next_id)
    daemon = Daemon(
        config, supervisor, delivery, intake, journal, alarms, observer, forecaster, recorder, places, first
    )
    return daemon


def ownership(config: Config) -> Ownership:
    """What the accounts of files mean, as it is configured. Raises ConfigError."""
    return Ownership(config.intake.owner, accounts(config.intake.shared_accounts))


def _make_delivery(config: Config, place: Place, journal: Journal, alarms: Alarms) -> Delivery:
    """Assemble what puts the results into the outbox. Raises ConfigError."""
    outbox = Outbox(place, mode=int(config.outbox.mode, 8), group=config.outbox.group or None)
    return Delivery(journal, outbox, config.paths.state, alarms, time.time)


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

    def ahead(on_fault: Callable[[int, Fault], None]) -> Ahead:
        return Ahead(media, config.paths.state / "decoded", on_fault)

    async def prepare(group: Group) -> None:
        """Give the models a context that holds the longest prompt of their phase."""
        if not group.isdisjoint(MODELS):
            chars = await journal.surely(journal.store.longest_transcript)
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
        newest_only=ownership(config) if config.intake.resubmission == "newest" else None,
        on_orders=on_orders,
        on_switch=on_switch,
        prepare=prepare,
    )


async def _make_forecaster(
    config: Config, supervisor: Supervisor, journal: Journal, placement: Placement
) -> Forecaster:
    """What expects, told of all that happens and asked at each birth. Raises StoreError."""
    forecaster = Forecaster(
        supervisor,
        journal.store,
        journal,
        lambda durations: make_policy(config, placement.plan, durations),
        time.time,
    )
    await forecaster.begin()
    placement.on_change = forecaster.replan
    journal.store.estimate = forecaster.expected
    journal.events.tallies.append(forecaster)
    return forecaster


def _make_intake(
    config: Config,
    place: Place,
    journal: Journal,
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
        store=journal.store,
        on_database=journal,
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
