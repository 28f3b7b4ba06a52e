"""The daemon as a whole, as the control socket tells of it: its phase, engines, GPU, folders, alarms."""

from pydantic import Field

from daemon.contracts.wire.base import WireModel

API_VERSION = 1


class AlarmLine(WireModel):
    """Something that a person should mend. It lasts until it is mended."""

    code: str
    message: str
    since: str


class BatchState(WireModel):
    """The running batch: `done` of the `total` tasks that it has so far are through stt."""

    id: int
    done: int
    total: int


class Holder(WireModel):
    """A process that holds memory of the GPU; `memory_mb` is None where the driver does not say."""

    pid: int
    user: str
    name: str
    memory_mb: float | None


class GpuState(WireModel):
    """One reading of the GPU. `absent` says why there is none; a figure that the driver lacks is None."""

    absent: str | None = None
    lost: bool = False  # there was one, and it does not answer any more
    name: str = ""
    utilisation: float | None = None  # percent
    used_mb: float | None = None
    total_mb: float | None = None
    temperature_c: float | None = None
    power_w: float | None = None
    power_limit_w: float | None = None
    holders: list[Holder] = Field(default_factory=list)


class GpuPoint(WireModel):
    """One point of the GPU's history, with what was loaded then."""

    at: str
    utilisation: float | None
    used_mb: float | None
    group: list[str]


class PhaseSpan(WireModel):
    """One time that a group was loaded, and what the switch to it cost and found, in seconds and MB."""

    group: list[str]
    started_at: str
    ready_at: str | None
    ended_at: str | None
    switch_s: float | None
    tasks: int
    freed_mb: float | None = None
    foreign_mb: float | None = None
    needed_mb: float | None = None
    margin_mb: float | None = None


class GpuHistory(WireModel):
    """The last minutes of the GPU, oldest first, and the last phases, newest first."""

    points: list[GpuPoint]
    phases: list[PhaseSpan]


class EngineReport(WireModel):
    """One engine as the operator sees it.

    `state` is one of: stopped, starting, ready, stopping, degraded, missing (no such container),
    crash_loop, unreachable (the Docker engine does not answer), denied (it refuses permission), failed.
    """

    stage: str
    name: str
    state: str
    detail: str = ""
    since: str | None = None
    model: str = ""
    memory_mb: float | None = None
    restarts: int = 0
    tokens_per_s: float | None = None


class Switching(WireModel):
    """A switch that runs: to which group, since when, and what it usually takes in seconds."""

    to: list[str]
    since: str
    usual_s: float | None


class Clock(WireModel):
    """The class clock: when all that is open now will be done, against the deadline that was set.

    The class is what was claimed since the last time that nothing was open. `expected_at` is None before
    each stage was measured; `spare_s` is negative when the deadline can't be held, and `cause` says why.
    """

    done: int
    total: int
    expected_at: str | None = None
    earliest_at: str | None = None
    latest_at: str | None = None
    deadline: str | None = None
    spare_s: float | None = None
    at_risk: bool = False
    cause: str = ""


class Inbox(WireModel):
    """The inbox: `waiting` files were seen and are not claimed yet."""

    path: str
    waiting: int
    available: bool = True
    polling: bool = False


class PlaceLine(WireModel):
    """The inbox or the outbox; `detail` says what is wrong with it, and what to do."""

    name: str
    path: str
    state: str
    detail: str = ""


class Disk(WireModel):
    """Room where the state lies, in MB; intake stops below `min_free_mb`."""

    free_mb: float
    total_mb: float
    min_free_mb: float


class Rates(WireModel):
    """How fast it goes, over the last hour of outcomes."""

    tasks_per_h: float | None = None
    mean_s: float | None = None  # from the start of a task's first try to its end, its waits left out


class DaemonStatus(WireModel):
    """What the system is doing now. `why` says what the scheduler does or waits for.

    `seq` grows with every change of a task: a client that has seen it need not ask for tasks again.
    """

    api_version: int = API_VERSION
    version: str
    pid: int | None
    running: bool
    runtime: str
    now: str = ""
    seq: int = 0
    may_change: bool = False  # whether the one who asks may change things
    phase: str
    group: list[str]
    phase_since: str | None
    switching: Switching | None = None
    next_switch_at: str | None = None
    why: str
    why_detail: str = ""
    paused: bool = False
    draining: bool = False
    left: int = 0  # open tasks that are not held: what is left until drained
    batch: BatchState | None = None
    counts: dict[str, int]
    held: int = 0
    undelivered: int
    clock: Clock | None = None
    rates: Rates = Rates()
    engines: list[EngineReport] = Field(default_factory=list)
    gpu: GpuState = GpuState(absent="not asked")
    inbox: Inbox | None = None
    places: list[PlaceLine] = Field(default_factory=list)
    disk: Disk | None = None
    alarms: list[AlarmLine] = Field(default_factory=list)
