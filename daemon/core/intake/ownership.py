"""The account that owns a file, against the student that its name gives.

Anybody can write a name. Where each student has an account on the machine or the share, the account that
owns a file tells who submitted it.
"""

from dataclasses import dataclass
from typing import Literal

OTHER_ACCOUNT = "other_account"
"""The flag of a video whose student has another video from another account."""

OwnerRule = Literal["ignore", "record", "require"]
"""The use of the account that owns a file: see `[intake] owner`."""


@dataclass(frozen=True, slots=True)
class Ownership:
    """The rule, and the accounts whose files count for every student.

    An account is its name, or its number where it has no name; None where it was not recorded.
    """

    rule: OwnerRule = "record"
    for_everybody: frozenset[str] = frozenset()

    def allows(self, account: str, student: str) -> bool:
        """Whether a file of an account may be a student's."""
        if self.rule != "require" or account in self.for_everybody:
            return True
        return account.casefold() == student.casefold()

    def counted(self, account: str | None) -> str | None:
        """The account as whose a file counts: None where it is everybody's, or was not recorded."""
        return None if account in self.for_everybody else account

    def concerns(self, account: str | None, other: str | None) -> bool:
        """Whether a file of one account may replace one of the other, of the same student."""
        if account is None or other is None or account == other:
            return True
        return not self.for_everybody.isdisjoint((account, other))
