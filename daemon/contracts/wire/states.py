"""The words for the states of a task, on screen and in the commands. The first paint loads this module."""

STATES = {
    "uploaded": "queued",
    "stt_pending": "in batch",
    "stt_processing": "stt",
    "stt_complete": "wait-eval",
    "eval_pending": "wait-eval",
    "eval_processing": "extract",
    "mistral_complete": "wait-rate",
    "llama_processing": "rate",
    "completed": "done",
    "failed": "failed",
    "cancelled": "cancelled",
}
"""The word for each status of a task, on the screen and in the commands."""


def state_word(status: str, outcome: str | None = None) -> str:
    """The word for a task's state: its outcome once it has ended, else its status."""
    return outcome.replace("_", " ") if outcome else STATES.get(status, status.replace("_", " "))
