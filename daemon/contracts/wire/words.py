"""The fixed words of the control socket: requests, orders, places, sources."""

from enum import StrEnum

from daemon.core.schedule.orders import Order as Order
from daemon.core.tasks.offers import Ruling as Ruling
from daemon.core.tasks.offers import Verb as Verb


class AttentionKind(StrEnum):
    """Why a thing wants a person, the most urgent first."""

    ALARM = "alarm"  # a problem of the system
    DEGRADED = "degraded"  # an engine works, but worse than it was configured to
    WAITING = "waiting"  # an open task that has waited longer than alerts.oldest_wait_min
    FAILED = "failed"
    REFUSED = "refused"  # a file that became no task
    UNSCORABLE = "unscorable"
    NEEDS_REVIEW = "needs_review"


class ClockState(StrEnum):
    """What the class clock says of the class and its deadline."""

    RUNNING = "running"  # no deadline is set, or nothing is forecast yet
    ON_TIME = "on_time"
    AT_RISK = "at_risk"  # it may be missed
    LATE = "late"  # it will be missed
    MISSED = "missed"  # it has passed, and tasks are open
    PAUSED = "paused"  # nothing is forecast until the work continues
    DONE = "done"


class PlaceName(StrEnum):
    """The folders that are shared with other programs and people."""

    INBOX = "inbox"
    OUTBOX = "outbox"


class PlaceState(StrEnum):
    """Whether a place is the folder that is known. In any other state no file enters or leaves it."""

    UNSEEN = "unseen"  # not checked yet
    KNOWN = "known"
    UNKNOWN = "unknown"  # another folder is there: a share is not mounted, or was replaced
    AWAY = "away"  # it can't be opened


class TaskOrder(StrEnum):
    """The order of a list of tasks. `age` is the youngest first, `queue` the order of service.

    `queue` and `eta` sort open tasks; the finished ones come after them, the newest first.
    """

    AGE = "age"
    QUEUE = "queue"
    STUDENT = "student"
    STATUS = "status"
    ETA = "eta"


class LogSource(StrEnum):
    """The process whose log a line is from."""

    DAEMON = "daemon"
    STT = "stt"
    MEDIA = "media"
    EXTRACT = "extract"
    RATE = "rate"
