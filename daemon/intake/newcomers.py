"""New students who bring several videos at once: the name may be a word that many files begin with."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from daemon.contracts.values import Claim
from daemon.core.intake.naming import printable
from daemon.intake.alarm import IntakeAlarm

_FEWEST = 3
_AT_ONCE_S = 60.0
_TOLD_S = 3600.0
_PLAIN_ID_DIGITS = 2


@dataclass(slots=True)
class _Newcomer:
    student: str
    since: float
    owner: int
    sizes: set[int] = field(default_factory=set)

    @property
    def is_many(self) -> bool:
        return len(self.sizes) >= _FEWEST


class Newcomers:
    """The students that the database did not know, for a minute each. For one thread at a time.

    Videos of different sizes count as different, since none has been read yet.
    """

    def __init__(self) -> None:
        self._new: dict[str, _Newcomer] = {}

    def see(self, claims: Sequence[Claim], known: Collection[str]) -> None:
        """Count claims that are made now; `known` are the students of the database."""
        for claim in claims:
            if claim.student is None:
                continue
            new = self._new.get(claim.student.casefold())
            if new is None and claim.student not in known:
                new = _Newcomer(claim.student, claim.claimed_at, claim.owner)
                self._new[claim.student.casefold()] = new
            if new is not None and claim.claimed_at - new.since <= _AT_ONCE_S:
                new.sizes.add(claim.size_bytes)

    def shares_name(self, student: str) -> bool:
        """Whether several students may have handed in under this name, which has no number as ids have."""
        new = self._new.get(student.casefold())
        return new is not None and new.is_many and sum(c.isdigit() for c in student) < _PLAIN_ID_DIGITS

    def alarms(self, now: float) -> list[IntakeAlarm]:
        """An alarm for each of the last hour who brought several; the others are forgotten."""
        for key, new in list(self._new.items()):
            if now - new.since > (_TOLD_S if new.is_many else _AT_ONCE_S):
                del self._new[key]
        return [_alarm(new) for new in self._new.values() if new.is_many]


def _alarm(new: _Newcomer) -> IntakeAlarm:
    name = printable(new.student)
    told = f"{len(new.sizes)} different videos came within a minute under the new name {name}"
    return IntakeAlarm("many_at_once", name, told, owner=new.owner)
