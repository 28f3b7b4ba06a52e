"""What the dashboard knows at a moment: one value, made anew by the poller, read by everything that draws."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from introeval_tui.rows.format import parse

if TYPE_CHECKING:
    from daemon.contracts.wire.base import EventLine
    from daemon.contracts.wire.status import DaemonStatus, GpuHistory
    from daemon.contracts.wire.tasks import TaskPage

STALE_S = 3.0
PAGE = 250  # tasks asked for at once: enough to scroll for a while, and quickly read


class Link(StrEnum):
    """How the dashboard stands with the daemon."""

    STARTING = "starting"  # the first answer is not here yet
    UP = "up"
    DOWN = "down"
    FOREIGN = "foreign"  # it speaks another version of the wire


class ListView(StrEnum):
    """Which tasks are listed."""

    OPEN = "open"
    FAILED = "failed"
    DONE = "done"
    ALL = "all"


class OrderBy(StrEnum):
    """By what the list is ordered; the daemon does it."""

    QUEUE = "queue"
    AGE = "age"
    STUDENT = "student"
    STATUS = "status"
    ETA = "eta"


@dataclass(frozen=True, slots=True)
class Query:
    """Which page of which list: what `/tasks` is asked."""

    view: ListView = ListView.OPEN
    order: OrderBy = OrderBy.QUEUE
    descending: bool = False
    text: str = ""
    offset: int = 0

    @property
    def params(self) -> list[tuple[str, str]]:
        """The query of the request."""
        params = {
            ListView.OPEN: [("open", "true")],
            ListView.FAILED: [("status", "failed")],
            ListView.DONE: [("status", "completed")],
            ListView.ALL: [],
        }[self.view] + [("order", self.order.value)]
        if self.descending:
            params.append(("descending", "true"))
        if self.text:
            params.append(("q", self.text))
        return [*params, ("offset", str(self.offset)), ("limit", str(PAGE))]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was last heard, and when: `at` and the other moments are of the dashboard's monotonic clock."""

    link: Link = Link.STARTING
    reason: str = ""
    mend: str = ""
    down_since: float | None = None
    tries: int = 0
    next_try_at: float | None = None
    at: float | None = None
    status: "DaemonStatus | None" = None
    page: "TaskPage | None" = None
    query: Query = field(default_factory=Query)  # that `page` answers
    gpu: "GpuHistory | None" = None
    failures: "TaskPage | None" = None
    events: "tuple[EventLine, ...]" = ()

    def age(self, monotonic: float) -> float:
        """Seconds since the last answer; 0 before the first."""
        return 0.0 if self.at is None else max(0.0, monotonic - self.at)

    def stale(self, monotonic: float, refresh_s: float) -> bool:
        """Whether what is known may not be taken for what is, when it is asked for every `refresh_s`."""
        old = self.age(monotonic) > max(STALE_S, refresh_s + STALE_S - 1)
        return self.status is not None and (self.link is Link.DOWN or old)

    def news(self, before: "Snapshot") -> bool:
        """Whether it says more than that time has gone by since `before`."""
        now, then = self.status, before.status
        if now is None or then is None or now.switching is not None or self.link is not before.link:
            return True
        if self.link is not Link.UP or before.age(self.at or 0.0) > STALE_S - 1:
            return True
        if any(one is not other for one, other in zip(self.parts, before.parts, strict=True)):
            return True
        return now.model_copy(update={"now": then.now}) != then

    @property
    def parts(self) -> tuple[object, ...]:
        """What is replaced only when it was asked for anew."""
        return (self.page, self.gpu, self.failures, self.events, self.query)


@dataclass(frozen=True, slots=True)
class Scene:
    """A snapshot and what is needed to draw it.

    `now` is the daemon's clock, carried on by ours since it answered; `monotonic` is ours.
    """

    known: Snapshot
    now: float
    monotonic: float
    socket: str = ""
    read_only: bool = False
    frozen: bool = False
    refresh_s: float = 1.0

    @property
    def stale(self) -> bool:
        """Whether the figures are to be shown as old."""
        return self.known.stale(self.monotonic, self.refresh_s)

    @property
    def forbidden(self) -> str:
        """Why nothing may be changed now, in one line; empty when it may."""
        known = self.known
        if known.link is Link.FOREIGN:
            return "read-only: the daemon is of another version"
        if known.status is None or self.stale:
            return "the daemon does not answer: nothing can be changed now"
        if self.read_only:
            return "read-only: opened with --read-only"
        if not known.status.may_change:
            return "read-only: changes are for its user, root and the operators' group"
        return ""


def daemon_now(known: Snapshot, wall: float, monotonic: float) -> float:
    """The daemon's clock now: what it said last, and the time since. Ours, before it said anything."""
    said = parse(known.status.now) if known.status is not None else None
    return wall if said is None else said + known.age(monotonic)
