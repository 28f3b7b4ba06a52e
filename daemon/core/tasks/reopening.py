"""Reopening a task after it ended: the waiting state that it goes back to.

Each reopening raises the revision and resets the attempts. `offers` says which tasks may be reopened;
`REOPENINGS` is the table of the ways back, as `task.TRANSITIONS` is for an open task.
"""

from daemon.core.tasks.offers import TaskFacts, Terms, Verb, check
from daemon.core.tasks.task import FINAL, WAITING, Status

REOPENINGS: frozenset[tuple[Status, Status]] = frozenset(
    (final, waiting)
    for final in FINAL
    for waiting in WAITING
    if (final, waiting) != (Status.COMPLETED, Status.UPLOADED)  # a transcript is never thrown away
)


def retried(task: TaskFacts, terms: Terms, now: float) -> Status:
    """The state for a retry: a failed or cancelled task goes back to the stage where it stopped; one that
    needs review to the stage that gave no result, else to rating.

    Raises IllegalTransition, with what to do instead.
    """
    check(task, Verb.RETRY, terms, now)
    if task.status is Status.COMPLETED:
        return Status.MISTRAL_COMPLETE if task.has_form else Status.STT_COMPLETE
    if not task.has_transcript:
        return Status.UPLOADED
    return Status.MISTRAL_COMPLETE if task.form_tried else Status.STT_COMPLETE


def rated_again(task: TaskFacts, terms: Terms, now: float, *, extract: bool) -> Status:
    """The state from which a task with an outcome is rated again; with `extract`, from the form on.

    Raises IllegalTransition, also for an unscorable task: without speech there is nothing to rate.
    """
    check(task, Verb.RATE, terms, now)
    return Status.STT_COMPLETE if extract else Status.MISTRAL_COMPLETE
