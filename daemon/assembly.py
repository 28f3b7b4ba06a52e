"""The parts of a daemon, made from its configuration and put together."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from daemon.ahead import Ahead
from daemon.alarms import Alarms
from daemon.config import Config
from daemon.core.errors import Fault
from daemon.core.lifecycle import RetryPolicy
from daemon.core.residency import MODELS
from daemon.core.scheduler import Group
from daemon.core.task import OPEN
from daemon.delivery import Delivery
from daemon.engines import prompt_tokens
from daemon.events import Events
from daemon.forecast import Forecaster
from daemon.gpu.history import GpuRecorder
from daemon.gpu.nvml import NvmlGpu
from daemon.intake.alarm import Alarm as IntakeAlarm
from daemon.intake.alarm import named
from daemon.intake.claim import Limits
from daemon.intake.intake import Intake
from daemon.journal import Journal
from daemon.metrics import Metrics
from daemon.outbox import Outbox
from daemon.placement import Placement
from daemon.plan import make_policy
from daemon.ports import Media, Node
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
    """The parts, put together; nothing runs yet. Raises StoreError."""
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
            placement.expect(prompt_tokens(config, chars))

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
    placement.on_change = forecaster.replan
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
        alarms.replace("intake_", named(lasting))

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
