"""The parts of a running daemon."""

from dataclasses import dataclass

from daemon.calibration.calibrations import Calibrations
from daemon.classes.classes import Classes
from daemon.cluster.machines import Machines
from daemon.config.load import Config
from daemon.contracts.values import Orders
from daemon.delivery.delivery import Delivery
from daemon.delivery.places import KnownPlaces
from daemon.forecast import Forecaster
from daemon.gpu.history import GpuRecorder
from daemon.intake.alarm import IntakeAlarm as IntakeAlarm
from daemon.intake.intake import Intake
from daemon.llm.rubric import Rubric
from daemon.monitoring.alarms import Alarms
from daemon.monitoring.events import Events
from daemon.monitoring.in_force import InForce
from daemon.monitoring.live_attention import Attention
from daemon.monitoring.notices import Notices
from daemon.monitoring.observer import Observer
from daemon.monitoring.record import Record
from daemon.store.session import Session
from daemon.supervisor.canary import Canary
from daemon.supervisor.supervisor import Supervisor
from daemon.system.systemd import Pulse


@dataclass
class Daemon:
    """The parts of a running daemon, for those who observe it."""

    config: Config
    supervisor: Supervisor
    delivery: Delivery
    intake: Intake
    session: Session
    events: Events
    alarms: Alarms
    observer: Observer
    attention: Attention
    forecaster: Forecaster
    recorder: GpuRecorder
    record: Record
    places: KnownPlaces
    rubric: Rubric
    in_force: InForce
    calibrations: Calibrations
    classes: Classes
    canary: Canary
    machines: Machines
    notices: Notices
    first_id: int
    """The id of the first task born in this run."""
    first_orders: Orders
    """The standing orders at the start."""
    born: int = 0

    @property
    def idle(self) -> bool:
        """Whether nothing is left to claim, work on, deliver or tell."""
        return self.intake.idle and self.supervisor.idle and self.delivery.idle and self.notices.idle

    @property
    def pulse(self) -> Pulse:
        """The main loop's progress, for the watchdog."""
        supervisor = self.supervisor
        group = " and ".join(sorted(supervisor.view.phase.group or ())) or "no engine loaded"
        alarms = f"; {len(self.alarms.all)} alarms" if self.alarms.all else ""
        return Pulse(
            steps=supervisor.turns + self.session.tries,
            resting=not supervisor.turning,
            said=f"{group}: {supervisor.decision.why}; {len(supervisor.tasks)} tasks open{alarms}",
        )
