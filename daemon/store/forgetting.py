"""What is kept of a student, and its end."""

import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path, PurePath

from peewee import Expression, chunked

from daemon.contracts.values import Kind
from daemon.core.errors import IllegalTransition, UnknownStudent
from daemon.core.intake.naming import temporary_name
from daemon.core.keeping.traces import Traces, names_student
from daemon.core.tasks.task import FINAL
from daemon.store.database import Database, overwrite, reads, writes
from daemon.store.models import ClaimRow, DocumentRow, KeptFileRow, TaskRow, UserRow

_FINAL = tuple(status.value for status in FINAL)
_AT_ONCE = 400  # SQLite allows at least 999 variables in a statement


@dataclass(frozen=True, slots=True)
class StudentRecords:
    """What is kept of a student: the ids of tasks, of claims and of the documents of refusals, the paths of
    videos, and the names of files of the outbox. `traces` must not be found anywhere afterwards.
    """

    student: str
    traces: Traces
    tasks: tuple[int, ...] = ()
    claims: tuple[str, ...] = ()
    reasons: tuple[int, ...] = ()
    videos: tuple[Path, ...] = ()
    documents: tuple[str, ...] = ()

    @property
    def known(self) -> bool:
        """Whether the database knows the student."""
        return bool(self.tasks or self.claims or self.reasons)


@reads
def kept_of(db: Database, student: str, inbox: Path) -> StudentRecords:
    """What is kept of a student. A refused file is a student's also by its path below `inbox` alone.

    Raises UnknownStudent, and IllegalTransition while a task is open or a video is being taken in.
    """
    rows = list(TaskRow.select().where(TaskRow.user_id == student).execute(db))
    for row in rows:
        if row.status not in _FINAL:
            raise IllegalTransition(
                f"task {row.id} of {student} is {row.status}; cancel it, then forget {student}"
            )
    claims = list(_claims_of(db, student, inbox))
    if any(claim.step in ("seen", "spooled") for claim in claims):
        raise IllegalTransition(f"a video of {student} is being taken in; wait for it, then try again")
    reasons, others = _reasons_of(db, student, {claim.id for claim in claims})
    if not (rows or claims or reasons):
        raise UnknownStudent(f"nothing is kept of a student {student!r}; see `introeval tasks`")
    documents = [one for row in rows for one in _documents(db, DocumentRow.task_id == row.id)] + reasons
    own = (one.name for one in documents), _own_digests(db, student, rows), (claim.id for claim in claims)
    return StudentRecords(
        student,
        Traces(student, frozenset(_own_names(db, claims, others)), frozenset(chain(*own))),
        tasks=tuple(row.id for row in rows),
        claims=tuple(claim.id for claim in claims),
        reasons=tuple(reason.id for reason in reasons),
        videos=tuple(Path(row.file_path) for row in rows if row.video != "gone"),
        # also what is left of a document where an outbox was full
        documents=tuple(name for d in documents for name in (d.name, temporary_name(d.name, d.id))),
    )


def forget(db: Database, student: str, inbox: Path) -> None:
    """Delete all that is kept of a student, and overwrite it. Their tasks' ids are never given again.

    Raises as `kept_of`, and StoreError also when all is deleted and another program keeps it from being
    overwritten.
    """
    _delete(db, student, inbox)
    overwrite(db)


@writes
def _delete(db: Database, student: str, inbox: Path) -> None:
    kept = kept_of(db, student, inbox)
    TaskRow.delete().where(TaskRow.user_id == student).execute(db)  # documents and history go along
    for ids in chunked(kept.reasons, _AT_ONCE):
        DocumentRow.delete().where(DocumentRow.id.in_(ids)).execute(db)
    for some in chunked(kept.claims, _AT_ONCE):
        ClaimRow.delete().where(ClaimRow.id.in_(some)).execute(db)
    for claim in kept.claims:
        first = f"rejected/{claim}".encode()
        KeptFileRow.delete().where(KeptFileRow.name.between(first, first + b"\xff")).execute(db)
    UserRow.delete().where(UserRow.username == student).execute(db)


def _claims_of(db: Database, student: str, inbox: Path) -> Iterator[ClaimRow]:
    yield from ClaimRow.select().where(ClaimRow.student == student).execute(db)
    for claim in ClaimRow.select().where(ClaimRow.student.is_null()).execute(db).iterator():
        path = Path(bytes(claim.path).decode(errors="surrogateescape"))
        relative = path.relative_to(inbox) if path.is_relative_to(inbox) else PurePath(path.name)
        if names_student(relative, student):
            yield claim


def _documents(db: Database, condition: Expression) -> list[DocumentRow]:
    return list(DocumentRow.select(DocumentRow.id, DocumentRow.name).where(condition).execute(db))


def _reasons_of(db: Database, student: str, claims: Collection[str]) -> tuple[list[DocumentRow], set[str]]:
    """Why files were refused: the documents of these claims, and those that name the student, since
    a claim is not kept longer than its file. And the names of the files of all others.
    """
    mine: list[DocumentRow] = []
    others: set[str] = set()
    for row in DocumentRow.select().where(DocumentRow.kind == Kind.REASON.value).execute(db).iterator():
        said = json.loads(bytes(row.content))
        named, filename = said.get("student_id"), said.get("filename", "")
        by_name = named is None and names_student(PurePath(filename), student)
        if said.get("claim_id") in claims or named == student or by_name:
            mine.append(row)
        else:
            others.add(filename)
    return mine, others


def _own_names(db: Database, claims: Iterable[ClaimRow], others: Collection[str]) -> Iterator[str]:
    """The names of the student's files that no file of anybody else has."""
    mine = {claim.id for claim in claims}
    for name in {claim.filename for claim in claims}.difference(others):
        same = ClaimRow.select(ClaimRow.id).where(ClaimRow.filename == name).execute(db)
        if all(claim.id in mine for claim in same):
            yield name


def _own_digests(db: Database, student: str, rows: Iterable[TaskRow]) -> Iterator[str]:
    """The SHA-256 of the student's videos that nobody else has handed in."""
    for digest in {row.sha256 for row in rows if row.sha256}:  # none of what was too large to be read
        others = (TaskRow.sha256 == digest) & (TaskRow.user_id != student)
        if not TaskRow.select(TaskRow.id).where(others).limit(1).execute(db):
            yield digest
