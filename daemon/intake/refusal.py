"""Refusals of files that can't become tasks, and the documents that give students the reason."""

import os
from pathlib import Path, PurePath

from daemon.contracts.documents import Document, Kind
from daemon.contracts.values import Birth, Born, Claim
from daemon.core.classes.roster_file import MOST_BYTES
from daemon.core.content.document import Flag
from daemon.core.content.receipt import Reason, part_bytes
from daemon.core.intake import package
from daemon.core.intake.kinds import has_media_suffix, is_package, is_roster
from daemon.core.intake.known import KnownStudents
from daemon.core.intake.naming import Named, Refusal, Refused, printable, reason_name
from daemon.core.intake.ownership import Ownership
from daemon.core.intake.stability import SeenFile
from daemon.core.tasks.task import SHARED_NAME
from daemon.intake.limits import Limits

SHARED = Flag(
    code=SHARED_NAME,
    field="source",
    detail="several different videos came at once under this new name; it may be of more than one student",
)
_NOT_MEDIA = "not_media"  # the fault of a content that is no recording


def judge(
    entry: SeenFile, relative: PurePath, limits: Limits, roll: KnownStudents, account: str
) -> Named | Refusal | None:
    """The student of an entry of the inbox that `account` owns, or why it is refused; None for a deposit."""
    name = printable(relative.name)
    if entry.special:
        return Refusal(Refused.SPECIAL_FILE, f"{name} is a link or a special file; send the video itself")
    if is_roster(relative):
        return _roster(entry, name, limits, account)
    if is_package(relative.name):
        return _package(entry, name, limits)
    return owned(limits.names.read(relative, roll), roll, limits.ownership, account)


def owned(named: Named | Refusal, roll: KnownStudents, ownership: Ownership, account: str) -> Named | Refusal:
    """The student, or the refusal if the file's account may not be theirs."""
    if isinstance(named, Refusal) or ownership.allows(account, named.student):
        return named
    entry = roll.find(account)
    if entry is not None and entry.student == named.student:
        return named
    told = f"{named.filename} belongs to the account {printable(account)}, not to {named.student}"
    return Refusal(Refused.NOT_OWNER, f"{told}; submit it from your own account, under your own name")


def _roster(entry: SeenFile, name: str, limits: Limits, account: str) -> Refusal | None:
    if not limits.may_set_roster(entry.owner):
        told = f"{name} belongs to the account {printable(account)}, who may not change a class"
        return Refusal(Refused.NOT_OWNER, f"{told}; ask an operator to run: introeval class roster FILE")
    if entry.size_bytes > MOST_BYTES:
        told = f"{name} has {entry.size_bytes / 1e6:.1f} MB, and {MOST_BYTES / 1e6:.0f} are allowed"
        return Refusal(Refused.ROSTER, f"{told}; send the roster as CSV")
    return None


def _package(entry: SeenFile, name: str, limits: Limits) -> Refusal | None:
    if entry.size_bytes <= package.MOST_TIMES * limits.max_size_bytes:
        return None
    told = f"{name} has {entry.size_bytes / 1e6:.0f} MB"
    return Refusal(Refused.ARCHIVE, f"{told}, more than an archive may have; send it in parts")


def again(born: Born) -> Refusal:
    """The refusal of a student's second video: of the same content, or if only the first one counts."""
    name = born.claim.filename
    if born.refused is Refused.HANDED_IN:
        message = f"{name} comes after the video of task {born.earlier}, and only the first one counts"
        return Refusal(Refused.HANDED_IN, message)
    message = f"{name} is the same video as that of task {born.earlier}; nothing needs to be done"
    return Refusal(Refused.DUPLICATE, message)


def no_recording(birth: Birth) -> Refusal | None:
    """The refusal of a file that has no suffix of a recording and no content of one; None for any other."""
    name = birth.claim.filename
    if birth.fault is None or birth.fault.code != _NOT_MEDIA or has_media_suffix(name):
        return None
    message = (
        f"{name} does not have the suffix of a recording, and its content was read: {birth.fault.message}"
    )
    return Refusal(Refused.NO_MEDIA_TYPE, message)


def vanished(claim: Claim) -> Refusal:
    """The refusal of a file that was removed from the spool before it became a task."""
    return Refusal(Refused.VANISHED, f"{claim.filename} was removed from the spool; send it again")


def path_below(inbox: Path, claim: Claim) -> str:
    """The path of a claim's file below the inbox, as a person may read it."""
    path = PurePath(os.fsdecode(claim.path))
    return printable(str(path.relative_to(inbox) if path.is_relative_to(inbox) else path.name))


def reason_document(claim: Claim, inbox: Path, reason: str, at: str) -> Document:
    """The document that says why a file was refused, and where it lay. `at` is UTC in ISO 8601."""
    reason_part = Reason(
        claim_id=claim.id,
        filename=claim.filename,
        path=path_below(inbox, claim),
        student_id=claim.student,
        account=claim.account,
        reason=reason,
        sha256=None,
        at=at,
    )
    return Document(0, Kind.REASON, reason_name(claim.id, claim.filename), part_bytes(reason_part))
