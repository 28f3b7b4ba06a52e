"""The progress of each running attempt."""

from daemon.contracts.signal import Signal
from daemon.contracts.values import Ticket


class Progress:
    """Owns the progress: engines report it, the end of an attempt removes it, observers read it."""

    def __init__(self) -> None:
        self.changed = Signal[[]]()
        self._done: dict[int, float] = {}

    def __call__(self, ticket: Ticket, done: float) -> None:
        """Report the share of an attempt that is done, from 0 to 1."""
        self._done[ticket.task_id] = done
        self.changed()

    def of(self, task_id: int) -> float | None:
        """The share of a task's attempt that is done, from 0 to 1; None where it is not known."""
        return self._done.get(task_id)

    def end(self, task_id: int) -> None:
        """Remove a task's progress: its attempt is over."""
        self._done.pop(task_id, None)
