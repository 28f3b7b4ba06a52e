"""Reopening a task after it ended: the waiting state that it goes back to.

Each reopening raises the revision and resets the attempts. `REOPENINGS` is the table of what is
allowed, as `task.TRANSITIONS` is for an open task.
"""

from dataclasses import dataclass

from daemon.core.errors import IllegalTransition
from daemon.core.tasks.task import FINAL, WAITING, Outcome, Status

REOPENINGS: frozenset[tuple[Status, Status]] = frozenset(
    (final, waiting)
    for final in FINAL
    for waiting in WAITING
    if (final, waiting) != (Status.COMPLETED, Status.UPLOADED)  # a transcript is never thrown away
)


@dataclass(frozen=True, slots=True)
class FinishedTask:
    """A finished task, as far as reopening needs it. `form_tried`: extraction gave an outcome, also one
    without a form. `video_kept`: False once the retention of its video is over.
    """

    id: int
    status: Status
    outcome: Outcome | None
    has_transcript: bool
    form_tried: bool
    has_form: bool
    video_kept: bool


def retried(task: FinishedTask) -> Status:
    """The state for a retry: a failed or cancelled task goes back to the stage where it stopped; one that
    needs review to the stage that gave no result, else to rating.

    Raises IllegalTransition, with what to do instead.
    """
    if task.status is Status.COMPLETED:
        if task.outcome is not Outcome.NEEDS_REVIEW:
            raise IllegalTransition(
                f"task {task.id} is {task.outcome or task.status}: there is nothing to retry"
            )
        return _checked(task, Status.MISTRAL_COMPLETE if task.has_form else Status.STT_COMPLETE)
    if not task.has_transcript:
        return _checked(task, Status.UPLOADED)
    return _checked(task, Status.MISTRAL_COMPLETE if task.form_tried else Status.STT_COMPLETE)


def rated_again(task: FinishedTask, *, extract: bool) -> Status:
    """The state from which a task with an outcome is rated again; with `extract`, from the form on.

    Raises IllegalTransition, also for an unscorable task: without speech there is nothing to rate.
    """
    if task.outcome not in (Outcome.EVALUATED, Outcome.NEEDS_REVIEW):
        raise IllegalTransition(
            f"task {task.id} is {task.outcome or task.status}: only one that was evaluated or needs review "
            "can be rated again"
        )
    return _checked(task, Status.STT_COMPLETE if extract else Status.MISTRAL_COMPLETE)


def _checked(task: FinishedTask, to: Status) -> Status:
    if (task.status, to) not in REOPENINGS:
        raise IllegalTransition(f"task {task.id} is {task.status}: it is still open")
    if to is Status.UPLOADED and not task.video_kept:
        raise IllegalTransition(
            f"the retention of task {task.id}'s video is over; have the student send it again"
        )
    return to
