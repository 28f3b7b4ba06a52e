"""Names: those of a file's documents and copies, and why a file is refused.

Everything in a file name comes from a student. All names that leave this module are safe in a path.
"""

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath, PurePosixPath
from typing import Literal

Resubmission = Literal["all", "newest", "reject"]
"""The effect of another video of the same student: see `[intake] resubmission`."""

STUDENT_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
LONGEST_PATH = 300
"""Characters of a path that a lab's own patterns are tried on: it bounds the time that one can take."""
CLAIM_PREFIX = ".introeval-"
_SLUG_LENGTH = 80
_OF_DEVICES = frozenset(
    {"con", "prn", "aux", "nul"} | {f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10)}
)
"""Names that Windows keeps for devices, with whatever suffix."""
_STUDENT_BYTES = 200  # a folder's name may have 255, and document names need the rest


class Refused(StrEnum):
    """The reasons why a file can't become a task."""

    NO_STUDENT = "no_student"
    NO_MEDIA_TYPE = "no_media_type"
    ARCHIVE = "archive"
    SPECIAL_FILE = "special_file"
    DUPLICATE = "duplicate"
    HANDED_IN = "handed_in"
    VANISHED = "vanished"
    NOT_OWNER = "not_owner"
    ROSTER = "roster"


@dataclass(frozen=True, slots=True)
class Refusal:
    """The reason of a refusal: a stable code for tools, and a line that tells the student what to do."""

    code: Refused
    message: str

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


@dataclass(frozen=True, slots=True)
class Named:
    """The content of a name: the student, and the file's name as a person may read it."""

    student: str
    filename: str


def printable(name: str) -> str:
    """A file name in NFC on one line: undecodable bytes and what can't be seen are shown escaped."""
    escaped = "".join(c if c.isprintable() else _escaped(c) for c in unicodedata.normalize("NFC", name))
    return unicodedata.normalize("NFC", escaped)  # a mark that follows composes with what an escape ends in


def slug(filename: str) -> str:
    """The stem of a file name in `[A-Za-z0-9_-]`, at most 80 characters, never empty."""
    plain = unicodedata.normalize("NFKD", PurePath(filename).stem).encode("ascii", "ignore").decode()
    cleaned = re.sub(r"[^A-Za-z0-9_-]+", "-", plain).strip("-")[:_SLUG_LENGTH].strip("-")
    return cleaned or "video"


def suffix(filename: str) -> str:
    """The suffix of a file name in lower case, with its dot; empty when it is not plain."""
    last = PurePath(filename).suffix.lower()
    return last if re.fullmatch(r"\.[a-z0-9]{1,10}", last) else ""


def outbox_folder(student: str) -> str:
    """The student's folder below the outbox. Windows can open it too, and no two students share one."""
    if student.split(".")[0].rstrip(" ").casefold() in _OF_DEVICES:
        student = f"_{student}"  # no id begins so
    return f"{student}_" if student.endswith((".", " ", "_")) else student


def result_name(student: str, task_id: int, filename: str, revision: int = 1) -> str:
    """The path of a result below the outbox."""
    again = f".r{revision}" if revision > 1 else ""
    return f"{outbox_folder(student)}/{task_id:04d}-{slug(filename)}{again}.result.json"


def receipt_name(student: str, task_id: int, filename: str) -> str:
    """The path of a receipt below the outbox."""
    return f"{outbox_folder(student)}/{task_id:04d}-{slug(filename)}.receipt.json"


def reason_name(claim_id: str, filename: str) -> str:
    """The path of a refusal's reason below the outbox. No student's id begins with `_`."""
    return f"_rejected/{claim_id}-{slug(filename)}.reason.json"


def temporary_name(name: str, document_id: int) -> str:
    """The name of a file of the outbox until it is whole; one that is never finished keeps it."""
    return str(PurePosixPath(name).with_name(f".introeval-{document_id}.tmp"))


def spool_name(claim_id: str, student: str, filename: str) -> str:
    """The name of a claimed video in the spool: it tells the student without the database."""
    return f"{claim_id}-{student}{suffix(filename)}"


def read_spool_name(name: str) -> tuple[str, str, str] | None:
    """The claim's id, the student and the suffix in a name of the spool, or None when it is not one."""
    match = re.fullmatch(r"([0-9a-f]{20})-(.+?)(\.[a-z0-9]{1,10})?", name)
    return (match[1], match[2], match[3] or "") if match and is_safe(match[2]) else None


def rejected_name(claim_id: str, filename: str) -> str:
    """The name of a refused file, or of a package or a roster, in the folder of those."""
    return f"{claim_id}-{slug(filename)}{suffix(filename)}"


def archive_name(student: str, task_id: int, filename: str) -> str:
    """The path of a finished video below the archive folder."""
    return f"{student}/{task_id:04d}-{slug(filename)}{suffix(filename)}"


def is_safe(student: str) -> bool:
    """Whether a student's id can be a folder, whatever pattern the lab has configured."""
    if not student or student.startswith((".", "_", "-")) or "/" in student or not student.isprintable():
        return False
    return len(student.encode()) <= _STUDENT_BYTES


def _escaped(c: str) -> str:
    """One character as an escape; a byte that is no UTF-8 (U+DC80 to U+DCFF, PEP 383) as that byte."""
    if "\udc80" <= c <= "\udcff":
        return f"\\x{ord(c) - 0xDC00:02x}"
    return c.encode("unicode_escape").decode()
