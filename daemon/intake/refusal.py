"""Refusals of files that can't become tasks, and the documents that give students the reason."""

from pathlib import PurePath

from daemon.contracts.values import Born, Claim, Document, Kind
from daemon.core.content.receipt import Reason, part_bytes
from daemon.core.intake.naming import Named, Refusal, Refused, printable, read_name, reason_name
from daemon.core.intake.ownership import Ownership
from daemon.core.intake.stability import SeenFile


def judge(
    entry: SeenFile, relative: PurePath, student_pattern: str, ownership: Ownership, account: str
) -> Named | Refusal:
    """The student of an entry of the inbox that `account` owns, or why it is refused."""
    if entry.special:
        message = f"{printable(relative.name)} is a link or a special file; send the video itself"
        return Refusal(Refused.SPECIAL_FILE, message)
    named = read_name(relative, student_pattern)
    if isinstance(named, Named) and not ownership.allows(account, named.student):
        told = f"{named.filename} belongs to the account {printable(account)}, not to {named.student}"
        return Refusal(Refused.NOT_OWNER, f"{told}; submit it from your own account, under your own name")
    return named


def again(born: Born) -> Refusal:
    """The refusal of a student's second video: of the same content, or if only the first one counts."""
    name = born.claim.filename
    if born.refused is Refused.HANDED_IN:
        message = f"{name} comes after the video of task {born.earlier}, and only the first one counts"
        return Refusal(Refused.HANDED_IN, message)
    message = f"{name} is the same video as that of task {born.earlier}; nothing needs to be done"
    return Refusal(Refused.DUPLICATE, message)


def vanished(claim: Claim) -> Refusal:
    """The refusal of a file that was removed from the spool before it became a task."""
    return Refusal(Refused.VANISHED, f"{claim.filename} was removed from the spool; send it again")


def reason_document(claim: Claim, reason: str, at: str, sha256: str | None = None) -> Document:
    """The document that says why a file was refused. `at` is UTC in ISO 8601."""
    reason_part = Reason(
        claim_id=claim.id,
        filename=claim.filename,
        student_id=claim.student,
        account=claim.account,
        reason=reason,
        sha256=sha256,
        at=at,
    )
    return Document(0, Kind.REASON, reason_name(claim.id, claim.filename), part_bytes(reason_part))
