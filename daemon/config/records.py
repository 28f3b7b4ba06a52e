"""The tables of what is handed over, what is kept, and who is told. See `daemon.config.sections`."""

from pathlib import Path
from typing import Literal, Self

from pydantic import model_validator

from daemon.config.sections import Count, NotNegative, Positive, Settings
from daemon.core.class_rules import CountingRule, ReleaseRule
from daemon.core.notices import NoticeFilter, NoticeKind, Receiver


class ReviewSettings(Settings):
    """What a class hands over."""

    release: ReleaseRule = "flagged"
    """Which results leave for a grade book without a person's decision: `all`; all but the `flagged`; `none`.
    A result without a rating never leaves."""
    counts: CountingRule = "newest"
    """Which of several videos of one student counts: the `newest` or the `first`, but for cancelled ones.
    Where another account has handed in for the student, the one that somebody decides on."""


class ExportSettings(Settings):
    """What a class gives to other systems, and to its students."""

    grade_titles: tuple[str, ...] = ("Grade",)
    """The titles that the column of the grade may have in Moodle's grading worksheet: it is in Moodle's
    language."""
    feedback_titles: tuple[str, ...] = ("Feedback comments",)
    """The same of the column of the feedback."""
    contact: str = ""
    """A sentence on each student's page that says whom to ask for a person's look."""


class RetentionSettings(Settings):
    """How long each kind of thing is kept. The files of the outbox are yours, and no time deletes them."""

    archive_days: NotNegative = 30.0
    """Days for videos after the delivery, for refused files, and for copies of the database that are made
    before an update; 0 keeps none. A class may have its own for its videos."""
    result_days: Positive | Literal["forever"] = "forever"
    """Days after the delivery for which the database keeps a task's transcript, form, ratings, results and
    history, and after a class was closed its roster. Nothing of an open class is deleted."""
    record_days: NotNegative = 30.0
    """Days for which `introeval events` and `introeval replay` can go back."""
    notice_days: NotNegative = 30.0
    """Days for which a notice waits for a receiver of `[hooks]` that does not answer."""


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


class HookSettings(Settings):
    """The lab's own programs that are told of each outcome, delivery and decision, in order for each task. A
    notice is sent again until it is answered: by exit code 0, or by a status 2xx. See docs/hooks.md.
    """

    command: tuple[str, ...] = ()
    """A program and its arguments; it gets the notice as JSON on its standard input."""
    webhook: str = ""
    """A URL to which the same JSON is sent by POST, signed."""
    secret_file: Path | None = None
    """The file with the key of the signature, in base64: `openssl rand -base64 32`. A webhook needs it."""
    events: tuple[NoticeKind, ...] = tuple(NoticeKind)
    """The kinds of notices that are sent."""

    @model_validator(mode="after")
    def _has_secret(self) -> Self:
        if self.webhook and self.secret_file is None:
            raise ValueError("webhook needs secret_file; to make one, run: openssl rand -base64 32")
        return self

    @property
    def wanted(self) -> NoticeFilter:
        """The notices to keep for sending."""
        told = {Receiver.COMMAND: self.command, Receiver.WEBHOOK: self.webhook}
        return NoticeFilter(tuple(each for each, where in told.items() if where), frozenset(self.events))


class LogSettings(Settings):
    """The log. It names tasks by their numbers, and neither students nor files."""

    hash_ids: bool = False
    """Whether a line about a task also has a keyed hash of its student's id as `student`, so that the lines
    of one student can be followed without a name. The key is `log.key` in the state folder, and `introeval
    forget` replaces it."""
