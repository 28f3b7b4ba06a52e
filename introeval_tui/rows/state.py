"""The dashboard's state: snapshots made by the poller, read by everything that draws."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from introeval_tui.rows.format import parse

if TYPE_CHECKING:
    from daemon.contracts.wire.base import EventLine
    from daemon.contracts.wire.status import DaemonStatus, GpuHistory
    from introeval_tui.rows.target import Listing

STALE_S = 3.0
PAGE = 250  # tasks in a request: enough to scroll for a while, and quick to parse


class Link(StrEnum):
    """The state of the connection to the daemon."""

    STARTING = "starting"  # no answer yet
    UP = "up"
    DOWN = "down"
    FOREIGN = "foreign"  # the daemon has another version of the protocol


class ListView(StrEnum):
    """The list that is shown: tasks, or what wants a person."""

    OPEN = "open"
    ATTENTION = "attention"
    FAILED = "failed"
    DONE = "done"
    ALL = "all"


class OrderBy(StrEnum):
    """The order of the list, which the daemon sorts."""

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
        """The query parameters of the request for tasks."""
        params = {
            ListView.OPEN: [("open", "true")],
            ListView.FAILED: [("status", "failed")],
            ListView.DONE: [("status", "completed")],
        }.get(self.view, [])
        params = [*params, ("order", self.order.value)]
        if self.descending:
            params.append(("descending", "true"))
        if self.text:
            params.append(("q", self.text))
        return [*params, ("offset", str(self.offset)), ("limit", str(PAGE))]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The daemon's last answers. `at` and the other times are of the dashboard's monotonic clock."""

    link: Link = Link.STARTING
    reason: str = ""
    fix: str = ""
    down_since: float | None = None
    tries: int = 0
    next_try_at: float | None = None
    at: float | None = None
    status: "DaemonStatus | None" = None
    page: "Listing | None" = None
    query: Query = field(default_factory=Query)  # the query of `page`
    gpu: "GpuHistory | None" = None
    urgent: "Listing | None" = None  # the first of what wants a person
    failed: "Listing | None" = None  # the newest failed tasks
    events: "tuple[EventLine, ...]" = ()

    def age(self, monotonic: float) -> float:
        """Seconds since the last answer; 0 before the first."""
        return 0.0 if self.at is None else max(0.0, monotonic - self.at)

    def stale(self, monotonic: float, refresh_s: float) -> bool:
        """Whether the snapshot is too old to be shown as current, when polled every `refresh_s`."""
        old = self.age(monotonic) > max(STALE_S, refresh_s + STALE_S - 1)
        return self.status is not None and (self.link is Link.DOWN or old)

    def news(self, before: "Snapshot") -> bool:
        """Whether anything but the time has changed since `before`."""
        now, then = self.status, before.status
        if now is None or then is None or now.switching is not None or self.link is not before.link:
            return True
        if self.link is not Link.UP or before.age(self.at or 0.0) > STALE_S - 1:
            return True
        if self.parts != before.parts:  # by value: most pages are the same as the one two seconds before
            return True
        return now.model_copy(update={"now": then.now}) != then

    @property
    def parts(self) -> tuple[object, ...]:
        """The fields beside the status that are drawn."""
        return (self.page, self.gpu, self.urgent, self.failed, self.events, self.query)


@dataclass(frozen=True, slots=True)
class Scene:
    """A snapshot with the clocks and options that drawing needs.

    `now` is the daemon's clock, extrapolated since its last answer; `monotonic` is the dashboard's.
    """

    known: Snapshot
    now: float
    monotonic: float
    socket: str = ""
    read_only: bool = False
    frozen: bool = False
    replay: str = ""  # the badge of a day that is replayed
    refresh_s: float = 1.0

    @property
    def stale(self) -> bool:
        """Whether the figures must be shown as old."""
        return self.known.stale(self.monotonic, self.refresh_s)

    @property
    def no_forecast(self) -> bool:
        """Whether expected times say nothing: the figures are old, or nothing starts while it is paused."""
        return self.stale or (self.known.status is not None and self.known.status.paused)

    @property
    def forbidden(self) -> str:
        """Why changes are not possible now, in one line; empty when they are."""
        known = self.known
        if known.link is Link.FOREIGN:
            return "read-only: the daemon has another version"
        if known.status is None or self.stale:
            return "the daemon does not answer: nothing can be changed now"
        if self.replay:
            return "read-only: this is a recording"
        if self.read_only:
            return "read-only: opened with --read-only"
        if not known.status.may_change:
            return "read-only: only the daemon's user, root and the operators' group may change things"
        return ""


def daemon_now(known: Snapshot, wall: float, monotonic: float) -> float:
    """The daemon's clock, extrapolated since its last answer; before the first, `wall`."""
    said = parse(known.status.now) if known.status is not None else None
    return wall if said is None else said + known.age(monotonic)
