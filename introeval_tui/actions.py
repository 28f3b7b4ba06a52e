"""The operator's requests: the text of each confirmation, and when a request counts as fulfilled. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from introeval_tui.rows.cells import clean
from introeval_tui.rows.words import FINAL, RUNNING

if TYPE_CHECKING:
    from daemon.contracts.wire.status import DaemonStatus
    from daemon.contracts.wire.tasks import TaskLine

_DOES = {
    "cancel": "Cancel",
    "retry": "Retry",
    "rate": "Rate again",
    "hold": "Hold",
    "release": "Release",
    "deliver": "Deliver again",
}
_COSTS = {
    "rate": "A new revision of the result is made; the current one is kept.",
    "retry": "It starts again at the stage that gave no result.",
    "hold": "Held tasks are not started until they are released.",
    "release": "They are started again in their order.",
    "deliver": "Their results are written to the outbox again.",
}
_WORK = {"stt": "transcription", "extract": "form", "rate": "rating"}
_ASKED_FIRST = frozenset({"cancel", "rate"})


@dataclass(frozen=True, slots=True)
class Pending:
    """A request for a task that is not fulfilled yet. `answered`: the daemon has accepted it."""

    verb: str
    revision: int
    answered: bool = False

    def came_true(self, task: "TaskLine") -> bool:
        """Whether the task's state shows that the request is fulfilled."""
        if not self.answered:
            return False
        if self.verb == "cancel":
            return task.status in FINAL
        if self.verb in ("retry", "rate"):
            return task.revision > self.revision or task.status not in FINAL
        if self.verb in ("hold", "release"):
            return task.held is (self.verb == "hold") or task.status in FINAL
        return True


def must_ask(verb: str, tasks: "Sequence[TaskLine]") -> bool:
    """Whether to confirm first: requests that cannot be undone, and any for several tasks."""
    return verb in _ASKED_FIRST or len(tasks) > 1


def question(verb: str, tasks: "Sequence[TaskLine]") -> list[str]:
    """The lines of a confirmation: first the request, then its consequences."""
    if len(tasks) == 1:
        task = tasks[0]
        lines = [f"{_DOES[verb]} {task.id:04d} of {clean(task.student[:64])}?", clean(task.filename[:200])]
    else:
        names = ", ".join(f"{task.id:04d}" for task in tasks[:8])
        lines = [f"{_DOES[verb]} {len(tasks)} tasks?", names + (" and others" if len(tasks) > 8 else "")]
    if verb == "cancel":
        lines += [*_lost(tasks), "Each gets a result that says it was cancelled; it can be retried."]
    else:
        lines.append(_COSTS[verb])
    return lines


def _lost(tasks: "Sequence[TaskLine]") -> list[str]:
    running = [task for task in tasks if task.status in RUNNING]
    if not running:
        return ["No running work is lost."]
    if len(running) > 1:
        return [f"The work of {len(running)} running stages is lost."]
    task = running[0]
    what = f"its {_WORK.get(task.stage or '', 'work')}"
    return [
        f"{100 * task.progress:.0f} % of {what} is lost."
        if task.progress is not None
        else f"The work done on {what} is lost."
    ]


def order_question(order: str, status: "DaemonStatus") -> list[str]:
    """The lines of the confirmation of an order for the whole daemon."""
    running = sum(status.counts.get(name, 0) for name in RUNNING)
    if order == "pause":
        return [
            "Pause the daemon?",
            f"The {running} running tasks end first; nothing new starts until you resume.",
        ]
    if order == "pause?now=true":
        return [
            "Pause now?",
            f"The attempts of {running} running tasks are lost; they start again when you resume.",
        ]
    if order == "resume":
        return ["Resume?", f"{status.left} open tasks continue."]
    if order == "drain":
        return [
            "Drain?",
            f"No new video is claimed; the {status.left} open tasks are finished without waiting for more.",
            "Resume ends the drain.",
        ]
    return [
        "Go without waiting?",
        "stt ends with the batch as it is; later videos go into the next batch.",
    ]
