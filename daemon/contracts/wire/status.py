"""The state of the whole daemon on the control socket: phase, engines, GPU, folders, alarms."""

from typing import Literal

from pydantic import Field

from daemon.contracts.wire.base import WireModel

API_VERSION = 1


class AlarmLine(WireModel):
    """A problem that a person should fix. It lasts until it is fixed.

    `message` is the cause, `affects` who or what it concerns, `fix` what to do. `acknowledged`: a person has
    seen it.
    """

    code: str
    message: str
    since: str
    affects: str = ""
    fix: str = ""
    acknowledged: bool = False


class BatchState(WireModel):
    """The running batch: `done` of its `total` tasks so far are through stt."""

    id: int
    done: int
    total: int


class Holder(WireModel):
    """A process that holds GPU memory; `memory_mb` is None where the driver does not say."""

    pid: int
    user: str
    name: str
    memory_mb: float | None


class GpuState(WireModel):
    """One reading of the GPU. `absent` says why there is none; a figure that the driver lacks is None."""

    absent: str | None = None
    lost: bool = False  # there was a GPU, and it no longer answers
    name: str = ""
    utilisation: float | None = None  # percent
    used_mb: float | None = None
    total_mb: float | None = None
    temperature_c: float | None = None
    power_w: float | None = None
    power_limit_w: float | None = None
    holders: list[Holder] = Field(default_factory=list)


class GpuPoint(WireModel):
    """One point of the GPU's history, with the group that was loaded then."""

    at: str
    utilisation: float | None
    used_mb: float | None
    temperature_c: float | None = None
    power_w: float | None = None
    group: list[str]


class PhaseSpan(WireModel):
    """One time that a group was loaded, and the cost of the switch to it, in seconds and MB.

    `holders` are processes that held foreign memory; `refused` says why the switch had to wait, or failed.
    """

    group: list[str]
    started_at: str
    ready_at: str | None
    ended_at: str | None
    switch_s: float | None
    tasks: int  # that it brought to another group or to their end
    freed_mb: float | None = None
    foreign_mb: float | None = None
    needed_mb: float | None = None
    margin_mb: float | None = None
    holders: list[Holder] = Field(default_factory=list)
    refused: str | None = None


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


NodeStanding = Literal["joining", "works", "draining", "differs", "refused", "away"]


class NodeLine(WireModel):
    """A node. `standing` is what it does for the class, and `why` what is in its way.

    `name` is empty while it is not known. `group` is loaded there, `to` is being loaded. `in_hand` counts the
    attempts that run there, `done` the tasks that ended there since the daemon began.
    """

    name: str
    address: str
    standing: NodeStanding
    why: str = ""
    group: list[str] = Field(default_factory=list)
    to: list[str] | None = None
    in_hand: int = 0
    done: int = 0
    engines: list[EngineReport] = Field(default_factory=list)
    gpu: GpuState | None = None


class Switching(WireModel):
    """A running switch: its group, its start, and its usual duration in seconds."""

    to: list[str]
    since: str
    usual_s: float | None


class Clock(WireModel):
    """The class clock: when all open tasks will be done, against the deadline that was set.

    `expected_at` is None before the first forecast; `guess` says that it is made from planned durations,
    since nothing was measured yet. `spare_s` is negative when the deadline will be missed, and `cause` says
    why. `state` is one of ClockState. `outcomes` counts the finished tasks by outcome.
    """

    done: int
    total: int
    expected_at: str | None = None
    earliest_at: str | None = None
    latest_at: str | None = None
    deadline: str | None = None
    spare_s: float | None = None
    cause: str = ""
    state: str = "running"
    guess: bool = False
    outcomes: dict[str, int] = Field(default_factory=dict)


class OpenClass(WireModel):
    """The open class. `students` are those of its roster; `counts` has the numbers of each standing, and of
    handed_in, doubled, unknown and late ones.
    """

    name: str
    students: int
    counts: dict[str, int]


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
    """Free space of the state folder's disk, in MB; intake stops below `min_free_mb`."""

    free_mb: float
    total_mb: float
    min_free_mb: float


class Rates(WireModel):
    """The speed of the work, measured on the last tasks that went through all stages.

    `tasks_per_h` counts only the time in which an attempt ran, or an engine was loaded for one: it is the
    speed while working, and does not fall in the hours in between. None before a task was rated.
    """

    tasks_per_h: float | None = None
    mean_s: float | None = None  # from the first attempt's start to the task's end, without its waits


class DaemonStatus(WireModel):
    """The state of the daemon now. `why` says what the scheduler does or waits for.

    `seq` grows with every change of a task: a client that has seen it need not ask for tasks again.
    """

    api_version: int = API_VERSION
    version: str
    pid: int | None
    running: bool
    runtime: str
    now: str = ""
    seq: int = 0
    may_change: bool = False  # whether this client may change things
    phase: str
    group: list[str]
    phase_since: str | None
    switching: Switching | None = None
    next_switch_at: str | None = None
    why: str
    why_detail: str = ""
    paused: bool = False
    draining: bool = False
    left: int = 0  # open tasks that are not held; a drain ends at 0
    batch: BatchState | None = None
    counts: dict[str, int]
    held: int = 0
    refused: int = 0  # files in the last 24 hours
    undelivered: int
    clock: Clock | None = None
    open_class: OpenClass | None = None
    rates: Rates = Field(default_factory=Rates)
    engines: list[EngineReport] = Field(default_factory=list)
    gpu: GpuState = Field(default_factory=lambda: GpuState(absent="not asked"))
    inbox: Inbox | None = None
    places: list[PlaceLine] = Field(default_factory=list)
    disk: Disk | None = None
    alarms: list[AlarmLine] = Field(default_factory=list)
    attention: dict[str, int] = Field(default_factory=dict)  # what wants a person, by kind
    can: list[str] = Field(default_factory=list)  # the orders that change something now
    not_for_grades: bool = False  # whether the last rating's fairness card says so, and nobody accepted it
    calibration: int | None = None  # the number of the one that corrects the scores
    demo: bool = False  # whether the ratings are of a demonstration model, and so no grades
    nodes: list[NodeLine] = Field(default_factory=list, exclude_if=lambda nodes: not nodes)
    """This machine's node and those that others lend; left out where no cluster is configured."""
