"""The limits of what is claimed."""

from collections.abc import Callable
from dataclasses import dataclass, field

from daemon.contracts.values import Claim
from daemon.core.errors import Blame, Fault
from daemon.core.intake.ownership import Ownership
from daemon.core.intake.students import Names


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a video, and how its name and owner are judged. `may_set_roster` says whether a roster of
    an account counts, by its number: a student could take others off it.
    """

    max_duration_s: float = 900.0
    max_size_bytes: int = 4096 * 1024 * 1024
    names: Names = field(default_factory=Names)
    done_marker: str = ""
    ownership: Ownership = field(default_factory=Ownership)
    may_set_roster: Callable[[int], bool] = lambda owner: False

    def too_large(self, claim: Claim) -> Fault:
        """The fault of a file that is larger than allowed."""
        size, most = claim.size_bytes / 1e6, self.max_size_bytes / 1e6
        told = f"{claim.filename} has {size:.1f} MB, and {most:.1f} are allowed; send a smaller one"
        return Fault(Blame.PERMANENT, "too_large", told)

    def too_long(self, claim: Claim, duration_s: float) -> Fault | None:
        """The fault of a video of this duration; None if it is not too long."""
        if duration_s <= self.max_duration_s:
            return None
        told = f"{claim.filename} lasts {duration_s:.0f} s, and {self.max_duration_s:.0f} are allowed"
        return Fault(Blame.PERMANENT, "too_long", f"{told}; send a shorter one")
