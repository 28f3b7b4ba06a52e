"""The word, sign and colour of each state of a task or an engine; never a colour alone."""

from typing import TYPE_CHECKING, NamedTuple

from introeval_tui.rows.format import clock, parse

if TYPE_CHECKING:
    from daemon.contracts.wire.tasks import TaskLine


class Look(NamedTuple):
    """How a state is shown: a sign, a word and a style."""

    sign: str
    word: str
    style: str


HELD = Look("‖", "held", "yellow")
RETRYING = Look("↻", "retrying", "yellow")
_STATUS = {
    "uploaded": Look("◌", "queued", "dim"),
    "stt_pending": Look("◌", "in batch", ""),
    "stt_processing": Look("●", "STT", "bold cyan"),
    "stt_complete": Look("✓", "wait-eval", ""),
    "eval_pending": Look("✓", "wait-eval", ""),
    "eval_processing": Look("◆", "EVAL", "bold magenta"),
    "mistral_complete": Look("✓", "wait-rate", ""),
    "llama_processing": Look("◆", "EVAL", "bold magenta"),
    "completed": Look("✓", "done", "green"),
    "failed": Look("✗", "FAILED", "bold red"),
    "cancelled": Look("⊘", "cancelled", "dim"),
}
_OUTCOME = {
    "needs_review": Look("•", "review", "yellow"),
    "unscorable": Look("•", "unscorable", "yellow"),
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
_STEP = {
    "stt_processing": "transcribe",
    "eval_processing": "extract",
    "llama_processing": "rate",
    "stt_complete": "stt done",
    "eval_pending": "stt done",
    "mistral_complete": "form done",
}
FINAL = frozenset({"completed", "failed", "cancelled"})
RUNNING = frozenset({"stt_processing", "eval_processing", "llama_processing"})


def look(task: "TaskLine", now: float) -> Look:
    """The look of a task's state."""
    if task.held and task.status not in FINAL:
        return HELD
    not_before = parse(task.not_before)
    if not_before is not None and not_before > now and task.status not in FINAL | RUNNING:
        return RETRYING
    if task.status == "completed" and task.outcome in _OUTCOME:
        return _OUTCOME[task.outcome]
    return _STATUS.get(task.status, Look("•", task.status, ""))


def step(task: "TaskLine", now: float) -> str:
    """The task's current step, or why it has none."""
    if task.held and task.status not in FINAL:
        return "by operator"
    if task.status == "failed":
        return f"{task.error_code or 'error'}: {task.error_message or ''}"
    if task.status == "completed":
        return (task.outcome or "").replace("_", " ") if task.delivered_at else "not delivered yet"
    not_before = parse(task.not_before)
    if not_before is not None and not_before > now and task.status not in FINAL | RUNNING:
        return f"at {clock(not_before, seconds=True)}"
    return _STEP.get(task.status, "-")


def engine(state: str) -> Look:
    """The look of an engine's state."""
    return _ENGINE.get(state, Look("•", state, ""))


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
