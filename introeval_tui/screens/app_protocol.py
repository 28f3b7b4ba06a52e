"""The protocol of the app for its screens."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from daemon.contracts.wire.tasks import TaskLine
    from introeval_tui.actions import Pending
    from introeval_tui.link.client import Client
    from introeval_tui.link.setup import Setup
    from introeval_tui.rows.state import Query, Scene, Snapshot


class DashboardApp(Protocol):
    """The app, as its screens see it."""

    setup: "Setup"
    known: "Snapshot"
    pending: "dict[int, Pending]"
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

    def may_change(self) -> bool:
        """Whether the operator may change things now; if not, the reason is shown."""
        ...

    def ask_for(self, verb: str, tasks: "Sequence[TaskLine]") -> None:
        """Send the request `verb` for some tasks, after a confirmation where one is needed."""
        ...

    def set_deadline(self, said: str) -> None:
        """Send a deadline written as HH:MM; an empty text removes the deadline."""
        ...
