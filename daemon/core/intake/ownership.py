"""Whose file it is by the operating system, beside whose it says it is by its name.

Anybody can write a name. Where each student has an account on the machine or the share, the account that
owns a file tells who handed it in.
"""

from dataclasses import dataclass
from typing import Literal

OTHER_ACCOUNT = "other_account"
"""The flag of a video whose student has another one that another account handed in."""

OwnerRule = Literal["ignore", "record", "require"]
"""What the account that owns a file means: see `[intake] owner`."""


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
        """Whether a file of one account may take the place of one of the other, of the same student."""
        if account is None or other is None or account == other:
            return True
        return not self.for_everybody.isdisjoint((account, other))
