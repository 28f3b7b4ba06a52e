"""The results of a class in the order of doubt, as a person who decides on them needs them."""

from typing import Any

from daemon.contracts.wire.base import WireModel
from daemon.contracts.wire.tasks import TaskLine

MOST_LINES = 100
"""In one answer: a result has some ten kilobytes."""


class ReviewLine(WireModel):
    """A result to decide on. `name` is that of the roster; `held` says why it may not leave for a grade book.

    `doubts` are the reasons to look at it, in words, the weightiest first. `result` is the last one of the
    task as it is in the outbox, with its transcript, form, figures and quotes.
    """

    task: TaskLine
    name: str = ""
    standing: str
    held: str = ""
    doubts: list[str]
    result: dict[str, Any]


class ReviewPage(WireModel):
    """A page of them, the most doubtful first.

    `total` counts those on all pages; `left` those of the class that nobody has decided on, and that are not
    released.
    """

    class_name: str
    total: int
    left: int
    lines: list[ReviewLine]
