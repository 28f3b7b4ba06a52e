"""The tables of what is handed over, what is kept, and who is told. See `daemon.config.sections`."""

from daemon.config.sections import Count, NotNegative, Positive, Settings
from daemon.core.classes.standing import CountingRule
from daemon.core.content.release import ReleaseRule


class ReviewSettings(Settings):
    """What a class hands over."""

    release: ReleaseRule = "flagged"
    """Which results leave for a grade book without a person's decision: `all`; all but the `flagged`; `none`.
    A result without a rating never leaves."""
    counts: CountingRule = "newest"
    """Which of several videos of one student counts: the `newest` or the `first`, but for cancelled ones."""


class RetentionSettings(Settings):
    """How long videos, refused files, copies of the database and the record of each day are kept."""

    archive_days: NotNegative = 30.0
    """Days after the delivery or the refusal; 0 keeps none. Results are kept until `introeval forget`."""
    record_days: NotNegative = 30.0
    """Days for which `introeval events` and `introeval replay` can go back."""


class AlertSettings(Settings):
    """When alarms are raised, and the hooks that are told: once when one begins, and once when it clears."""

    command: tuple[str, ...] = ()
    """A program and its arguments; it gets the alarm as JSON on its standard input."""
    webhook: str = ""
    """A URL to which the same JSON is sent by POST."""
    queue_depth: Count = 200
    """More open tasks than this raise an alarm."""
    oldest_wait_min: Positive = 60.0
    """A task that has waited longer than this raises an alarm."""
    failures: Count = 5
    """So many failed tasks within an hour raise an alarm."""
