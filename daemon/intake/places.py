"""Where a claimed file can be: under its own name, hidden beside it, in the spool, or refused."""

import os
from dataclasses import dataclass
from pathlib import Path

from daemon.core.naming import CLAIM_PREFIX, rejected_name, suffix
from daemon.durable import make_folder
from daemon.values import Claim


@dataclass(frozen=True, slots=True)
class Places:
    """The folders of the state that a claim's file goes through."""

    spool: Path
    rejected: Path

    @classmethod
    def below(cls, state: Path) -> "Places":
        """The places in a state folder, which are made. Raises OSError."""
        places = cls(state / "spool", state / "rejected")
        make_folder(places.spool)
        make_folder(places.rejected)
        return places

    def spooled(self, claim: Claim) -> Path:
        """Where a file lies that becomes a task."""
        return self.spool / f"{claim.id}{suffix(claim.filename)}"

    def refused(self, claim: Claim) -> Path:
        """Where a file lies that is refused."""
        return self.rejected / rejected_name(claim.id, claim.filename)

    def target(self, claim: Claim) -> bytes:
        """Where the claim takes its file."""
        return os.fsencode(self.refused(claim) if claim.student is None else self.spooled(claim))


def hidden(claim: Claim) -> bytes:
    """The claim's own name for its file, in the file's own folder, where one claimer alone can win."""
    return os.path.join(os.path.dirname(claim.path), os.fsencode(f"{CLAIM_PREFIX}{claim.id}"))


def put_back_names(claim: Claim) -> tuple[bytes, bytes]:
    """The names under which a file goes back into the inbox: its own, or one that nobody has."""
    stem, dot = os.path.splitext(claim.path)
    return claim.path, stem + b"-" + claim.id[-12:].encode() + dot
