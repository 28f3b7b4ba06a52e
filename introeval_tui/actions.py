"""The operator's requests: which can be done, how each is confirmed, and when it is fulfilled. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from introeval_tui.rows.cells import clean
from introeval_tui.rows.state import Snapshot
from introeval_tui.rows.target import ACKNOWLEDGE, Target
from introeval_tui.rows.words import FINAL, RUNNING, look

if TYPE_CHECKING:
    from daemon.contracts.wire.status import DaemonStatus

_DOES = {
    "cancel": "Cancel",
    "retry": "Retry",
    "rate": "Rate again",
    "hold": "Hold",
    "release": "Release",
    "next": "Put first",
    "in_turn": "Put back into its turn",
    "deliver": "Deliver again",
    ACKNOWLEDGE: "Acknowledge",
    "decide": "Accept",
    "undo": "Take back the decision on",
}
_COSTS = {
    "rate": "A new revision of the result is made; the current one is kept.",
    "retry": "It starts again at the stage that gave no result.",
    "hold": "Held tasks are not started until they are released.",
    "release": "They are started again in their order.",
    "next": "They go before all that do not run yet; the loaded engines may be left for them.",
    "in_turn": "They wait for their turn again.",
    "deliver": "Their results are written to the outbox again.",
    "decide": "The rating is taken as it is, and may leave for a grade book; it is delivered anew.",
    "undo": "The next revision has what the model gave.",
    ACKNOWLEDGE: "They no longer want a person; nothing else changes.",
}
_ONLY = {
    "retry": "a retry is for what failed, was cancelled or gave no rating, and can end otherwise",
    "rate": "only a task with a rating can be rated again",
    "cancel": "only an open task can be cancelled",
    "hold": "only an open task can be held",
    "release": "only a held task can be released",
    "next": "only an open task that is not held can be put first",
    "in_turn": "only a task that was put first can be put back",
    "deliver": "only a task with a result can be delivered again",
    ACKNOWLEDGE: "nothing in it wants a person",
    "decide": "only a rating on which nobody has decided can be accepted; V opens the review",
    "undo": "nobody has decided on it",
}
_NOT_NOW = {
    "pause": "the daemon is paused already",
    "pause_now": "the daemon is paused already",
    "resume": "nothing is paused or drained",
    "drain": "the daemon drains already",
    "go": "stt waits for no more videos now",
}
ORDERS = frozenset(_NOT_NOW)
"""The actions that are orders for the whole daemon."""
_WORK = {"stt": "transcription", "extract": "form", "rate": "rating"}
UNDOES = {"hold": "release", "next": "in_turn"}
"""The request that undoes another, with the same key."""
_ASKED_FIRST = frozenset({"cancel", "rate", "decide", "undo"})


@dataclass(frozen=True, slots=True)
class Pending:
    """A request for an item that is not fulfilled yet. `answered`: the daemon has accepted it."""

    verb: str
    revision: int
    answered: bool = False

    def came_true(self, item: Target) -> bool:
        """Whether the item's state shows that the request is fulfilled."""
        task = item.task
        if not self.answered or task is None:
            return self.answered
        if self.verb == "cancel":
            return task.status in FINAL
        if self.verb in ("retry", "rate", "decide", "undo"):
            return task.revision > self.revision or task.status not in FINAL
        if self.verb in ("hold", "release"):
            return task.held is (self.verb == "hold") or task.status in FINAL
        return True


def path_of(verb: str, item: Target) -> str:
    """The path of the request `verb` for an item."""
    if verb == ACKNOWLEDGE:
        return f"/attention/{quote(item.key, safe=':')}/acknowledge"
    return f"/tasks/{item.task_id}/{'decide/undo' if verb == 'undo' else verb}"


def body_of(verb: str, item: Target) -> bytes:
    """The body of the request: of a decision the revision that it is on."""
    return b'{"revision": %d}' % item.task.revision if verb == "decide" and item.task is not None else b""


def meant(verb: str, items: Sequence[Target]) -> str:
    """The request that a key means: its undoing where nothing can be held, or put first."""
    undone = UNDOES.get(verb)
    return undone if undone and not able(verb, items) and able(undone, items) else verb


def able(verb: str, items: Sequence[Target]) -> list[Target]:
    """The items for which the daemon accepts the request now."""
    return [item for item in items if item.allows(verb)]


def why_not(verb: str, items: Sequence[Target], now: float) -> str:
    """Why the request can be done for none of the items, in one line; empty when it can for at least one."""
    if not items:
        return "nothing is selected"
    if able(verb, items):
        return ""
    item, *others = items
    if others:
        return f"none of the {len(items)} marked: {_ONLY[verb]}"
    if item.task is None:
        return f"{clean(item.name)}: {_ONLY[verb]}; Enter shows it"
    return f"{item.name} is {look(item.task, now).word}: {_ONLY[verb]}"


def order_meant(action: str, status: "DaemonStatus") -> str:
    """The order that an action means: that of the key for pauses resumes where that changes something."""
    return "resume" if action == "pause" and "resume" in status.can else action


def order_not_now(order: str, status: "DaemonStatus") -> str:
    """Why an order changes nothing now, in one line; empty when it does."""
    ends_work = order == "pause_now" and any(status.counts.get(name) for name in RUNNING)
    return "" if ends_work or order.removesuffix("_now") in status.can else _NOT_NOW[order]


def no_retry(known: Snapshot) -> str:
    """Why no failed task can be retried now, in one line; empty when one can."""
    failed = known.failed
    if failed is None or not failed.total:
        return "no task has failed"
    may = able("retry", failed.items) or failed.total > len(failed.items)
    return "" if may else f"none of the {failed.total} failed tasks can be retried: it would fail again"


def must_ask(verb: str, items: Sequence[Target], left_out: int = 0) -> bool:
    """Whether to confirm first: requests that cannot be undone, and any for several items."""
    return verb in _ASKED_FIRST or len(items) + left_out > 1


def question(verb: str, items: Sequence[Target], left_out: int = 0) -> list[str]:
    """The lines of a confirmation: the request, its consequences, and how many are left out."""
    if len(items) == 1:
        item = items[0]
        of = f" of {clean(item.who[:64])}" if item.task_id is not None and item.who else ""
        lines = [f"{_DOES[verb]} {clean(item.name[:120])}{of}?", clean(item.what[:200])]
    else:
        names = ", ".join(clean(item.name[:40]) for item in items[:8])
        kind = "tasks" if all(item.task_id is not None for item in items) else "things"
        lines = [f"{_DOES[verb]} {len(items)} {kind}?", names + (" and others" if len(items) > 8 else "")]
    if left_out:
        lines.append(f"{left_out} of the {len(items) + left_out} marked cannot: {_ONLY[verb]}.")
    if verb == "cancel":
        lines += [*_lost(items), "Each gets a result that says it was cancelled; it can be retried."]
    else:
        lines.append(_COSTS[verb])
    return lines


def _lost(items: Sequence[Target]) -> list[str]:
    running = [item.task for item in items if item.task is not None and item.task.status in RUNNING]
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
    if order == "pause_now":
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
