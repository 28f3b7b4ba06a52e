"""The word, sign and colour of each state of a task or an engine; never a colour alone."""

from typing import TYPE_CHECKING, NamedTuple

from daemon.contracts.wire.states import state_word
from introeval_tui.rows.format import clock, parse

if TYPE_CHECKING:
    from daemon.contracts.wire.status import EngineReport
    from daemon.contracts.wire.tasks import TaskLine


class Look(NamedTuple):
    """How a state is shown: a sign, a word and a style."""

    sign: str
    word: str
    style: str


_HELD = ("‖", "yellow")
_BACKOFF = ("↻", "yellow")
_STATUS = {
    "uploaded": ("◌", "dim"),
    "stt_pending": ("◌", ""),
    "stt_processing": ("●", "bold cyan"),
    "stt_complete": ("◇", ""),
    "eval_pending": ("◇", ""),
    "eval_processing": ("◆", "bold magenta"),
    "mistral_complete": ("◇", ""),
    "llama_processing": ("◆", "bold magenta"),
    "completed": ("✓", ""),
    "failed": ("✗", "bold red"),
    "cancelled": ("⊘", "dim"),
}
_OUTCOME = {
    "evaluated": ("✓", "green"),
    "needs_review": ("•", "bold yellow"),
    "unscorable": ("•", "yellow"),
}
_KIND = {
    "alarm": ("!", "bold red"),
    "degraded": ("•", "bold yellow"),
    "waiting": ("◌", "bold yellow"),
    "refused": ("✗", "red"),
}
_ENGINE = {
    "stopped": Look("■", "stopped", "dim"),
    "starting": Look("↻", "starting", "yellow"),
    "ready": Look("●", "ready", "bold green"),
    "stopping": Look("↻", "stopping", "yellow"),
    "degraded": Look("•", "degraded", "bold yellow"),
    "missing": Look("✗", "missing", "bold red"),
    "crash_loop": Look("✗", "crash loop", "bold red"),
    "unreachable": Look("✗", "unreachable", "bold red"),
    "denied": Look("✗", "denied", "bold red"),
    "failed": Look("✗", "failed", "bold red"),
}
_NODE = {
    "works": Look("●", "works", "green"),
    "joining": Look("◌", "joining", "dim"),
    "draining": Look("‖", "draining", "yellow"),
    "differs": Look("✗", "differs", "bold red"),
    "refused": Look("✗", "refused", "bold red"),
    "away": Look("○", "away", "bold yellow"),
}
_DECIDED = Look("✓", "decided", "bold green")
FINAL = frozenset({"completed", "failed", "cancelled"})
RUNNING = frozenset({"stt_processing", "eval_processing", "llama_processing"})


def look(task: "TaskLine", now: float) -> Look:
    """The look of a task's state."""
    if task.held and task.status not in FINAL:
        return Look(_HELD[0], "held", _HELD[1])
    if _backs_off(task, now):
        return Look(_BACKOFF[0], "backoff", _BACKOFF[1])
    if task.decided_by is not None and task.status in FINAL:
        return _DECIDED
    if task.acknowledged and task.status in FINAL:
        return outcome(task.outcome, task.status)._replace(style="dim")
    return outcome(task.outcome, task.status)


def outcome(outcome: str | None, status: str = "completed") -> Look:
    """The look of a task that has ended; without an outcome, of its status."""
    ended = outcome if status in FINAL else None
    sign, style = _OUTCOME.get(ended or "") or _STATUS.get(status, ("•", ""))
    return Look(sign, state_word(status, ended), style)


def kind(name: str) -> Look:
    """The look of what wants a person, by its kind."""
    sign, style = _KIND.get(name) or _OUTCOME.get(name) or _STATUS.get(name, ("•", "bold yellow"))
    return Look(sign, name.replace("_", " "), style)


def _backs_off(task: "TaskLine", now: float) -> bool:
    not_before = parse(task.not_before)
    return not_before is not None and not_before > now and task.status not in FINAL | RUNNING


def reason(task: "TaskLine", now: float) -> str:
    """Why a task wants a person, or what it waits for; empty where its state says all."""
    if task.demo and task.status == "completed":
        return f"DEMO, no grade{': ' if task.reason else ''}{task.reason}"
    if "not_for_grades" in task.flag_codes and task.status == "completed":
        return f"NO GRADE, see its rater's card{': ' if task.reason else ''}{task.reason}"
    if task.decided_by is not None and task.status in FINAL:
        return f"{'-' if task.rating is None else task.rating}/10, by {task.decided_by or 'somebody'}"
    if task.reason:
        return f"seen: {task.reason}" if task.acknowledged else task.reason
    if task.rating is not None and task.delivered_at:
        return f"{task.rating}/10"
    if task.status == "failed":
        return f"{task.error_code or 'error'}: {task.error_message or ''}"
    if task.status in FINAL:
        return "" if task.delivered_at else "its result is not delivered yet"
    if task.held:
        return "held by an operator"
    if task.first and task.status not in RUNNING:
        return "put first by an operator"
    return f"next attempt at {clock(parse(task.not_before), seconds=True)}" if _backs_off(task, now) else ""


def engine(state: str) -> Look:
    """The look of an engine's state."""
    return _ENGINE.get(state, Look("•", state, ""))


def node(standing: str) -> Look:
    """The look of what a node does for the class."""
    return _NODE.get(standing, Look("•", standing, ""))


def engine_name(engine: "EngineReport") -> str:
    """The name of an engine with its model, which is named once."""
    return engine.name if engine.model in engine.name else f"{engine.name} {engine.model}"


def group_name(group: list[str]) -> str:
    """`STT`, `EVAL` (both models), or the one model that is loaded."""
    stages = set(group)
    if not stages:
        return "nothing"
    if stages == {"stt"}:
        return "STT"
    if "stt" in stages:
        return "ALL"
    return "EVAL" if len(stages) > 1 else f"EVAL:{group[0]}"


def group_style(group: list[str]) -> str:
    """The colour of a group, the same in every panel."""
    if "stt" in group:
        return "cyan"
    return "magenta" if group else "dim"
