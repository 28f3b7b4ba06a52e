"""Builds the parts of a daemon from its configuration, and connects them."""

import os
import time
from collections.abc import Sequence

from daemon.api.operators import may_hand_in_rosters
from daemon.app.cluster import make_lines, make_machines
from daemon.app.configured import canary_keys, is_demo
from daemon.app.engines import Site, prompt_tokens
from daemon.app.parts import Daemon
from daemon.calibration.calibrations import Calibrations
from daemon.classes.classes import Classes
from daemon.classes.head import ClassHead
from daemon.config.load import Config
from daemon.contracts.ports import Media, Node
from daemon.contracts.values import Born, Claim
from daemon.core.forecast.durations import PLANNED, Durations
from daemon.core.intake.ownership import Ownership
from daemon.core.intake.students import Names
from daemon.core.schedule.decision import Policy
from daemon.core.schedule.phase_state import Group
from daemon.core.schedule.residency import MODELS
from daemon.core.tasks.lifecycle import RetryPolicy
from daemon.core.tasks.task import OPEN
from daemon.delivery.delivery import Delivery
from daemon.delivery.outbox import Outbox
from daemon.delivery.places import recall
from daemon.delivery.remains import Reconciliation
from daemon.forecast import Forecaster
from daemon.gpu.history import KEPT, KEPT_S, GpuRecorder
from daemon.gpu.nvml import NvmlGpu
from daemon.intake.accounts import accounts
from daemon.intake.alarm import INTAKE, named
from daemon.intake.alarm import IntakeAlarm as IntakeAlarm
from daemon.intake.intake import Intake
from daemon.intake.limits import Limits
from daemon.intake.refusal import path_below
from daemon.monitoring.alarms import Alarms
from daemon.monitoring.camera import Camera
from daemon.monitoring.events import Events
from daemon.monitoring.in_force import InForce
from daemon.monitoring.live_attention import Attention
from daemon.monitoring.metrics import Metrics
from daemon.monitoring.notices import Notices
from daemon.monitoring.observer import Observer
from daemon.monitoring.record import Record
from daemon.placement.policy import Policies
from daemon.placement.rubric_check import check_rubric
from daemon.store import measured, phases, recording
from daemon.store.session import Session
from daemon.supervisor.canary import Canary
from daemon.supervisor.decision_log import DecisionLog
from daemon.supervisor.journal import Journal
from daemon.supervisor.known_words import KnownWords
from daemon.supervisor.predecode import Predecoder
from daemon.supervisor.rechecks import Rechecks
from daemon.supervisor.supervisor import Supervisor
from daemon.system.place import Place
from daemon.system.state_folder import DECISIONS

_IDLE_RATINGS = 2
_REFUSALS = 20  # of a burst, that each have an event


async def assemble(
    config: Config,
    node: Node,
    media: Media,
    session: Session,
    site: Site,
    alarms: Alarms,
    events: Events,
    gpu: NvmlGpu,
) -> Daemon:
    """Build and connect the parts; nothing runs yet. Raises ConfigError, StoreError."""
    journal = Journal(session, time.time, events)
    places = await recall(config.paths.inbox, config.paths.outbox, session, events, time.time)
    keys = canary_keys(config)
    words = KnownWords(media, config.paths.state / "decoded" / "canary.pcm")
    canary = Canary(node, words, session, alarms, events, time.time, keys)
    policies = Policies(config)
    auto = 0 if is_demo(config) else _IDLE_RATINGS
    times = auto if config.rate.idle_ratings == "auto" else config.rate.idle_ratings
    rechecks = Rechecks(node, session, alarms, time.time, times)
    rechecks.ended.connect(site.rubric.end_class)  # they fix the text as a class does
    supervisor = _make_supervisor(
        config, node, canary, words, rechecks, media, journal, site, alarms, policies
    )

    def plan(durations: Durations) -> Policy:
        site.placement.learnt(durations.curves)
        return policies.here(site.placement.plan, durations)

    await session(measured.on_machine, (await gpu.reading()).name or f"{os.cpu_count()} cores, no GPU")
    forecaster = Forecaster(supervisor, session, plan, time.time)
    intake = _make_intake(config, places.inbox, session, media, alarms)
    metrics = Metrics()
    recorder = GpuRecorder(gpu.reading, lambda: supervisor.view.phase.group or ())
    now = time.time()
    recorder.recall(await session(recording.points_between, now - KEPT_S, now, KEPT))
    attention = Attention(config, session, alarms, events, supervisor, supervisor.ask, time.time)
    machines = make_machines(config, site, node, supervisor)
    lines = make_lines(config, supervisor, node.reports, lambda: recorder.latest, machines)
    events.tallies.append(lines)
    observer = Observer(
        config,
        session,
        events,
        supervisor,
        intake,
        alarms,
        site.progress,
        metrics,
        attention,
        engines=node.reports,
        forecast=forecaster,
        gpu=recorder,
        places=places.all,
        demo=is_demo(config),
        doubted=lambda: site.fitness.doubted,
        open_class=ClassHead(session, events, config.review),
        nodes=lines if config.cluster.address else list,
    )
    daemon = Daemon(
        config=config,
        supervisor=supervisor,
        delivery=_make_delivery(config, places.outbox, session, alarms),
        intake=intake,
        session=session,
        events=events,
        alarms=alarms,
        observer=observer,
        attention=attention,
        forecaster=forecaster,
        recorder=recorder,
        record=Record(session, events, recorder, Camera(observer, attention.page), time.time),
        places=places,
        rubric=site.rubric,
        in_force=InForce(session, config, lambda: site.rubric.digests, time.time),
        calibrations=Calibrations(session, alarms, events, config.paths.state, time.time),
        classes=Classes(
            session,
            events,
            config.review,
            site.rubric,
            lambda folder: check_rubric(config, folder),
            supervisor.deadline,
            time.time,
        ),
        canary=canary,
        machines=machines,
        notices=Notices(config.hooks, session, alarms, time.time),
        first_id=0,
        first_orders=await journal.orders(),
    )
    _connect(daemon, metrics, site)
    await daemon.classes.resume()
    await forecaster.begin()
    intake.close(closed=daemon.first_orders.draining)
    paths = config.paths
    await Reconciliation(session, alarms, paths.inbox, paths.outbox, paths.state)(time.time())
    daemon.first_id = await session(measured.next_id)
    return daemon


def _connect(daemon: Daemon, metrics: Metrics, site: Site) -> None:
    """Connect the signals: the only place where parts learn of each other."""
    supervisor, forecaster, events = daemon.supervisor, daemon.forecaster, daemon.events
    intake, delivery = daemon.intake, daemon.delivery

    def born(births: Sequence[Born]) -> None:
        tasks = [birth.task for birth in births if birth.task is not None]
        daemon.born += len(tasks)
        for task in tasks:
            events.of_task(task, "is claimed" if task.status in OPEN else f"is claimed, and {task.status}")
        forecaster.born(tasks)
        supervisor.arrived(task for task in tasks if task.status in OPEN)
        delivery.hint()

    def refused(refusals: Sequence[tuple[Claim, str]]) -> None:
        for claim, reason in refusals[:_REFUSALS]:
            path = path_below(daemon.config.paths.inbox.absolute(), claim)
            told = f"{path} is refused: {reason.partition(': ')[2] or reason}"
            events.add("task", told, student=claim.student)
        if more := len(refusals[_REFUSALS:]):
            events.add("task", f"{more} more files are refused; see: introeval attention --kind refused")

    intake.born.connect(born)
    intake.refusals.connect(refused)
    intake.opened.connect(lambda told, account: events.add("order", told, actor=account))
    supervisor.tasks_ended.connect(delivery.hint)
    daemon.calibrations.revised.connect(delivery.hint)
    daemon.classes.decided.connect(delivery.hint)
    supervisor.orders_changed.connect(lambda orders: intake.close(closed=orders.draining))
    supervisor.orders_changed.connect(forecaster.ordered)
    supervisor.switch_began.connect(forecaster.phase_ended)
    supervisor.class_ended.connect(site.rubric.end_class, delivery.end_class)
    site.rubric.changed.connect(daemon.in_force.look)
    supervisor.rating_asked.connect(site.rubric.check)
    supervisor.rated_anew.connect(site.rubric.renew)
    daemon.canary.prompt_drifted.connect(site.rubric.release)
    forecaster.replanned.connect(supervisor.replan)
    site.placement.changed.connect(forecaster.replan)
    site.engine_returned.connect(supervisor.try_again)
    daemon.places.accepted.connect(intake.hint, delivery.try_again)
    events.tallies += [metrics, forecaster]
    daemon.alarms.changed.connect(daemon.record.refused)
    daemon.session.db.estimate = forecaster.expected


def ownership(config: Config) -> Ownership:
    """The configured rule for the accounts that own files. Raises ConfigError."""
    return Ownership(config.intake.owner, accounts(config.intake.shared_accounts))


def _make_delivery(config: Config, place: Place, session: Session, alarms: Alarms) -> Delivery:
    """Build the delivery into the outbox. Raises ConfigError."""
    outbox = Outbox(place, mode=int(config.outbox.mode, 8), group=config.outbox.group or None)
    return Delivery(session, outbox, config.paths.state, alarms, time.time)


def _make_supervisor(
    config: Config,
    node: Node,
    canary: Canary,
    words: KnownWords,
    rechecks: Rechecks,
    media: Media,
    journal: Journal,
    site: Site,
    alarms: Alarms,
    policies: Policies,
) -> Supervisor:
    """Build the supervisor with its predecoder and the preparation of a phase. Raises ConfigError."""
    placement, state = site.placement, config.paths.state

    async def prepare(group: Group) -> None:
        """Set the models' context to hold the longest prompt of their phase."""
        if not group.isdisjoint(MODELS):
            chars = await journal.session.until_durable(phases.longest_transcript)
            form = await journal.session.until_durable(phases.longest_form)
            placement.expect(prompt_tokens(site.rubric, chars, form))

    return Supervisor(
        node=node,
        canary=canary,
        words=words,
        rechecks=rechecks,
        journal=journal,
        predecoder=Predecoder(media, state / "decoded"),
        policy=policies.here(placement.plan, PLANNED),
        fit=policies.of,
        retry=RetryPolicy(config.retry.max_retry_count),
        alarms=alarms,
        clock=time.time,
        progress=site.progress,
        decision_log=DecisionLog(state / "log" / DECISIONS),
        ownership=ownership(config),
        newest_only=ownership(config) if config.intake.resubmission == "newest" else None,
        prepare=prepare,
    )


def _make_intake(config: Config, place: Place, session: Session, media: Media, alarms: Alarms) -> Intake:
    """Build the intake, which claims videos from the inbox. Raises ConfigError."""

    def intake_alarms(lasting: Sequence[IntakeAlarm]) -> None:
        alarms.replace(INTAKE, named(lasting))

    return Intake(
        place.path,
        config.paths.state,
        place=place,
        session=session,
        media=media,
        on_alarms=intake_alarms,
        settle_s=config.intake.settle_s,
        empty_s=config.intake.empty_s,
        rescan_s=config.intake.rescan_s,
        poll=config.intake.poll,
        ignore=config.intake.ignore,
        min_free_bytes=config.intake.min_free_mb * 1_000_000,
        limits=Limits(
            max_size_bytes=config.intake.max_size_mb * 1_000_000,
            max_duration_s=config.intake.max_duration_s,
            names=Names(config.intake.student_pattern, config.intake.patterns),
            done_marker=config.intake.done_marker,
            ownership=ownership(config),
            may_set_roster=may_hand_in_rosters(config.api.operators),
        ),
    )
