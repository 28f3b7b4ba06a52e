"""The places of a claimed file: under its own name, hidden beside it, in the spool, or refused."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from daemon.contracts.values import Claim
from daemon.core.intake.kinds import TOO_LARGE_SUFFIX
from daemon.core.intake.naming import CLAIM_PREFIX, rejected_name, spool_name
from daemon.system.durable import make_folder

_NAME_BYTES = 255  # of one component, on every usual file system
_DOT_BYTES = 32  # of the suffix that a name keeps: no video has a longer one


@dataclass(frozen=True, slots=True)
class ClaimPaths:
    """The folders of the state folder that a claim's file goes through."""

    spool: Path
    rejected: Path
    received: Path
    unpacked: Path

    @classmethod
    def below(cls, state: Path) -> "ClaimPaths":
        """The folders in a state folder; missing ones are created. Raises OSError."""
        places = cls(state / "spool", state / "rejected", state / "received", state / "unpacked")
        for folder in (places.spool, places.rejected, places.received, places.unpacked):
            make_folder(folder)
        return places

    def spooled(self, claim: Claim) -> Path:
        """The path of a file that becomes a task."""
        return self.spool / spool_name(claim.id, claim.student or "", claim.filename)

    def refused(self, claim: Claim) -> Path:
        """The path of a file that is refused."""
        return self.rejected / rejected_name(claim.id, claim.filename)

    def kept(self, claim: Claim) -> Path:
        """The path of a package or a roster, which is kept whole."""
        return self.received / rejected_name(claim.id, claim.filename)

    def member(self, claim: Claim) -> Path:
        """The path of an unpacked file until its claim is durable: in the spool it would be adopted."""
        return self.unpacked / self.spooled(claim).name

    def target(self, claim: Claim) -> Path:
        """The path to which the claim brings its file."""
        if claim.is_deposit:
            return self.kept(claim)
        return self.refused(claim) if claim.student is None else self.spooled(claim)


def hidden_name(claim: Claim) -> bytes:
    """The claim's name for its file, in the file's own folder: of several claimers one rename wins."""
    return os.fsencode(f"{CLAIM_PREFIX}{claim.id}")


def hidden(claim: Claim) -> bytes:
    """The path of a claimed file in the inbox."""
    return os.path.join(os.path.dirname(claim.path), hidden_name(claim))


def claim_id_of(path: bytes) -> str:
    """The claim id in a hidden name."""
    return os.path.basename(path).removeprefix(os.fsencode(CLAIM_PREFIX)).decode("ascii", "replace")


def put_back_names(claim: Claim) -> list[bytes]:
    """The names for a file that is put back, in order of preference: its own, then free ones."""
    return _names(claim, b"")


def aside_names(claim: Claim) -> list[bytes]:
    """The names for a file that stays in the inbox since it is too large, in order of preference."""
    return _names(claim, os.fsencode(TOO_LARGE_SUFFIX))


def _names(claim: Claim, ending: bytes) -> list[bytes]:
    """The file's own name, one with the claim's id, and one that can't be guessed.

    Everybody who may list the folder sees the claim's id in the hidden name, and could occupy the first two
    names to keep the file hidden.
    """
    own = os.path.basename(claim.path)
    stem, dot = os.path.splitext(own)
    endings = [
        b"-" + mark.encode() + dot[:_DOT_BYTES] + ending for mark in (claim.id[-12:], secrets.token_hex(8))
    ]
    names = [own + ending, *(stem[: _NAME_BYTES - len(other)] + other for other in endings)]
    return [name for name in names if len(name) <= _NAME_BYTES]
