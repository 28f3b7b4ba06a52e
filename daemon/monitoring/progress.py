"""How much of each attempt under way is done."""

from daemon.contracts.signal import Signal
from daemon.contracts.values import Ticket


class Progress:
    """The one owner of these shares: engines tell them, an attempt's end forgets them, observers ask."""

    def __init__(self) -> None:
        self.changed = Signal[[]]()
        self._done: dict[int, float] = {}

    def __call__(self, ticket: Ticket, done: float) -> None:
        """Of this attempt is done so much, from 0 to 1."""
        self._done[ticket.task_id] = done
        self.changed()

    def of(self, task_id: int) -> float | None:
        """The share of a task's attempt, from 0 to 1; None where none is known."""
        return self._done.get(task_id)

    def end(self, task_id: int) -> None:
        """The attempt is over."""
        self._done.pop(task_id, None)
