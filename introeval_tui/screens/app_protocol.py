"""The protocol of the app for its screens."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from introeval_tui.actions import Pending
    from introeval_tui.link.client import Client
    from introeval_tui.link.setup import Setup
    from introeval_tui.rows.state import Query, Scene, Snapshot
    from introeval_tui.rows.target import Target


class DashboardApp(Protocol):
    """The app, as its screens see it."""

    setup: "Setup"
    known: "Snapshot"
    pending: "dict[str, Pending]"
    refresh_s: float

    @property
    def scene(self) -> "Scene":
        """The snapshot to draw, with the clocks."""
        ...

    @property
    def asks(self) -> "Client":
        """The connection for requests beside the polling. Raises Unreachable before there is one."""
        ...

    @property
    def said(self) -> tuple[str, str] | None:
        """The current message and its style, or None."""
        ...

    def say(self, message: str, style: str = "bold yellow") -> None:
        """Show a message for some seconds."""
        ...

    def show_list(self, query: "Query") -> None:
        """List other tasks."""
        ...

    def why_not(self, action: str) -> str:
        """Why an action for the whole daemon cannot be done now, in one line; empty when it can."""
        ...

    def can_be_done(self, why_not: str) -> bool:
        """Whether nothing is against an action; the reason is shown."""
        ...

    def ask_for(self, verb: str, items: "Sequence[Target]") -> None:
        """Send a request for those items that allow it, after a confirmation where one is needed."""
        ...

    def set_deadline(self, said: str) -> None:
        """Send a deadline written as HH:MM; an empty text removes the deadline."""
        ...

    def open_review(self, name: str, task_id: int | None = None, *, every: bool = False) -> None:
        """Open the review of a class, at a task if one is given."""
        ...
