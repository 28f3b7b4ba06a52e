"""The changes of a task: one function for success, one for a fault, one for a result that is revised.

All take the present task and give the changed one; `after_fault` gives the event as well. Only they decide
retries, suspicion and failure.
"""

from dataclasses import dataclass, replace

from daemon.core.errors import Blame, Fault, IllegalTransition
from daemon.core.tasks.task import ENDS_AS, FINAL, STAGE_OF, Event, Outcome, Status, Task, next_status

_BACKOFF_FIRST_S = 5.0
BACKOFF_MOST_S = 60.0
_DEATHS_ALONE = 2  # a single one may be chance


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The number of failures at one stage after which a task is `failed`."""

    max_retry_count: int = 3


def backoff_s(failures: int) -> float:
    """Seconds to wait after the n-th failure in a row: 5, 10, 20, 40, 60, 60, ..."""
    return min(BACKOFF_MOST_S, _BACKOFF_FIRST_S * 2.0 ** min(failures - 1, 10))


def advance(task: Task, event: Event, *, batch_id: int | None = None) -> Task:
    """The task after `event`, which needs no judgement.

    A start begins a new attempt; reaching another stage resets its counts. A task that ends keeps them,
    since they say why. Raises IllegalTransition.
    """
    status = next_status(task.status, event)
    after = replace(task, status=status)
    if event is Event.ADMITTED and batch_id is not None:
        return replace(after, batch_id=batch_id)
    if event is Event.STARTED:
        return replace(after, attempt=task.attempt + 1)
    if status not in FINAL and STAGE_OF[status] is not task.stage:
        return replace(after, retry_count=0, suspicion=0, deaths_alone=0, not_before=0.0)
    return after


def revised(task: Task, outcome: Outcome) -> Task:
    """The task after its result was composed anew, without work: the next revision of a task that ended.

    A failed one that a person rates is completed, and failed again once that is taken back. Raises
    IllegalTransition for a task that is open or cancelled.
    """
    status = ENDS_AS.get(outcome, Status.COMPLETED)
    if not {task.status, status} <= {Status.COMPLETED, Status.FAILED}:
        raise IllegalTransition(f"a task that is {task.status} has no result to revise")
    return replace(task, status=status, revision=task.revision + 1)


def after_fault(task: Task, fault: Fault, now: float, policy: RetryPolicy) -> tuple[Event, Task]:
    """The event and the task after an attempt of a running task ended with `fault`.

    1. A requested cancel takes precedence.
    2. A permanent fault fails at once.
    3. An engine that died or failed with the task in hand makes it a suspect, to be retried alone:
       if the task is the cause, it must not come first again and keep the others waiting. One that had not
       begun with it changes nothing.
    4. Two deaths alone fail. An engine's fault short of a death is never counted.
    5. The task's own fault is counted; below the limit it is released with a backoff.

    Raises IllegalTransition where the table forbids it.
    """
    if task.cancel_requested:  # 1
        return _to(task, Event.CANCELLED)
    if fault.blame is Blame.PERMANENT:  # 2
        return _to(task, Event.FAILED)
    if not fault.begun:  # 3
        return _to(task, Event.RELEASED)
    if fault.died or fault.blame is Blame.ENGINE:  # 3
        alone = task.deaths_alone + (fault.died and task.suspicion > 0)
        suspect = replace(task, suspicion=task.suspicion + 1, deaths_alone=alone, not_before=now)
        return _to(suspect, Event.FAILED if alone >= _DEATHS_ALONE else Event.RELEASED)  # 4
    failures = task.retry_count + 1  # 5
    if failures >= policy.max_retry_count:
        return _to(replace(task, retry_count=failures), Event.FAILED)
    return _to(replace(task, retry_count=failures, not_before=now + backoff_s(failures)), Event.RELEASED)


def _to(task: Task, event: Event) -> tuple[Event, Task]:
    return event, advance(task, event)
