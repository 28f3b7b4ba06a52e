"""What the screens ask of the app: they know this much of it and no more."""

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
        """All that is needed to draw."""
        ...

    @property
    def asks(self) -> "Client":
        """The connection for what is asked beside the polling."""
        ...

    @property
    def said(self) -> tuple[str, str] | None:
        """The message that stands now, and its style."""
        ...

    def say(self, message: str, style: str = "bold yellow") -> None:
        """Show a message for some seconds."""
        ...

    def show_list(self, query: "Query") -> None:
        """List other tasks."""
        ...

    def may_change(self) -> bool:
        """Whether the operator may change things now; if not, it is said why."""
        ...

    def ask_for(self, verb: str, tasks: "Sequence[TaskLine]") -> None:
        """Ask the daemon for something for some tasks."""
        ...

    def set_deadline(self, said: str) -> None:
        """Send a deadline as it was written."""
        ...
