"""The words of the control socket: what may be asked for, and by what."""

from enum import StrEnum


class Verb(StrEnum):
    """What may be asked for one task."""

    RETRY = "retry"
    RATE = "rate"
    CANCEL = "cancel"
    HOLD = "hold"
    RELEASE = "release"
    DELIVER = "deliver"


class Order(StrEnum):
    """What may be ordered for the whole daemon."""

    PAUSE = "pause"
    RESUME = "resume"
    DRAIN = "drain"
    GO = "go"


class PlaceName(StrEnum):
    """The folders that are shared with others."""

    INBOX = "inbox"
    OUTBOX = "outbox"


class PlaceState(StrEnum):
    """Whether a place is the folder that was known. Nothing is taken from or put into one that is not."""

    UNSEEN = "unseen"  # nobody has looked yet
    KNOWN = "known"
    UNKNOWN = "unknown"  # another folder stands there: a share is not mounted, or was exchanged
    AWAY = "away"  # it can't be opened


class TaskOrder(StrEnum):
    """In which order tasks are listed. `age` is the youngest first, `queue` the order of service.

    `queue` and `eta` are of open tasks; the finished ones come after them, the newest first.
    """

    AGE = "age"
    QUEUE = "queue"
    STUDENT = "student"
    STATUS = "status"
    ETA = "eta"


class LogSource(StrEnum):
    """Whose log a line stands in."""

    DAEMON = "daemon"
    STT = "stt"
    MEDIA = "media"
    EXTRACT = "extract"
    RATE = "rate"
