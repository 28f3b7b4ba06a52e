"""Taking up a task once more after it ended: to which waiting state it goes back.

Each such step raises the revision and begins the attempts anew. `REOPENINGS` is the table of what is
allowed, as `task.TRANSITIONS` is for a task under way.
"""

from dataclasses import dataclass

from daemon.core.errors import IllegalTransition
from daemon.core.tasks.task import FINAL, WAITING, Outcome, Status

REOPENINGS: frozenset[tuple[Status, Status]] = frozenset(
    (final, waiting)
    for final in FINAL
    for waiting in WAITING
    if (final, waiting) != (Status.COMPLETED, Status.UPLOADED)  # a transcript that was had is kept
)


@dataclass(frozen=True, slots=True)
class FinishedTask:
    """What stands of a task when it is to be taken up again.

    same for rating. `video_kept` is False when its retention is over.
    """

    id: int
    status: Status
    outcome: Outcome | None
    has_transcript: bool
    form_tried: bool
    has_form: bool
    video_kept: bool


def retried(task: FinishedTask) -> Status:
    """The state from which a retry goes on: where a failed or cancelled task stood; what gave nothing,
    else rating, for one that needs review.

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
    """The state from which a task with an outcome is rated by a new rubric, with `extract` from the form on.

    Raises IllegalTransition, also for what is unscorable: what nobody said is never rated.
    """
    if task.outcome not in (Outcome.EVALUATED, Outcome.NEEDS_REVIEW):
        raise IllegalTransition(
            f"task {task.id} is {task.outcome or task.status}: only one that was evaluated or needs review "
            "can be rated again"
        )
    return _checked(task, Status.STT_COMPLETE if extract else Status.MISTRAL_COMPLETE)


def _checked(task: FinishedTask, to: Status) -> Status:
    if (task.status, to) not in REOPENINGS:
        raise IllegalTransition(f"task {task.id} is {task.status}: it is not over yet")
    if to is Status.UPLOADED and not task.video_kept:
        raise IllegalTransition(
            f"the retention of task {task.id}'s video is over; have the student send it again"
        )
    return to
