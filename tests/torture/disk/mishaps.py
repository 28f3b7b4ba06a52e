"""What can have happened to a lab while its daemon was down, besides the cut itself."""

import random
from enum import StrEnum

from tests.torture.days import outside
from tests.torture.days.lab import Lab, Moment

_BACK_S = 45.0  # on average, until a share is mounted again


class Mishap(StrEnum):
    """One thing that is not there at the start."""

    NONE = ""
    INBOX_AWAY = "inbox"
    OUTBOX_AWAY = "outbox"
    DATABASE_LOST = "database"


def befall(lab: Lab, mishap: Mishap, dice: random.Random) -> None:
    """Let it happen, before the daemon starts."""
    if mishap is Mishap.DATABASE_LOST:
        for path in lab.state.glob("introeval.db*"):
            path.unlink()
        lab.forgot = True
    elif mishap:
        outside.take_away(lab, mishap.value)
        back = Moment(lab.clock.now + dice.expovariate(1 / _BACK_S), "back", (mishap.value,))
        lab.agenda = sorted([*lab.agenda, back], key=lambda moment: moment.at)
