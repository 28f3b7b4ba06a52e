"""The orders for the whole daemon, and which of them change something now: no other is offered, or kept."""

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the commands read the words of the orders, and the rest takes long to import
    from daemon.core.schedule.decision import View


class Order(StrEnum):
    """An order for the whole daemon."""

    PAUSE = "pause"
    RESUME = "resume"
    DRAIN = "drain"
    GO = "go"


def useful(view: "View") -> list[Order]:
    """The orders that change something. `go` does while there is a claim that no earlier one covers."""
    changing = {
        Order.PAUSE: not view.paused,
        Order.RESUME: view.paused or view.draining,
        Order.DRAIN: not view.draining,
        Order.GO: bool(view.tasks) and view.last_claim_at > view.go_at,
    }
    return [order for order, changes in changing.items() if changes]
