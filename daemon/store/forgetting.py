"""The records of a student, and their deletion."""

import json
import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path, PurePath

from peewee import Expression, chunked

from daemon.contracts.documents import Kind
from daemon.core.errors import IllegalTransition, UnknownStudent
from daemon.core.intake.kinds import is_package
from daemon.core.intake.naming import printable, temporary_name
from daemon.core.keeping.traces import Traces, is_reason_of, is_spelling_of, names_student
from daemon.core.tasks.task import FINAL
from daemon.store import audit, classes, users
from daemon.store.class_models import ClassRow
from daemon.store.database import Database, overwrite, reads, writes
from daemon.store.models import ClaimRow, DocumentRow, EventRow, KeptFileRow, PhaseRow, TaskRow, UserRow

_FINAL = tuple(status.value for status in FINAL)
_AT_ONCE = 400  # SQLite allows at least 999 variables in a statement
_ACTORS = (EventRow.actor, TaskRow.acknowledged_by, DocumentRow.acknowledged_by, ClassRow.opened_by)


@dataclass(frozen=True, slots=True)
class StudentRecords:
    """All that is kept of a student: ids of tasks, claims and documents about refusals, paths of videos, and
    names of files of the outbox. `deposits` are claims of packages with a file of theirs, and of rosters;
    `alike` are ids of other students that differ in their spelling alone.
    After the deletion `traces` must not be found anywhere.
    """

    student: str
    traces: Traces
    alike: frozenset[str]
    tasks: tuple[int, ...] = ()
    claims: tuple[str, ...] = ()
    deposits: tuple[str, ...] = ()
    reasons: tuple[int, ...] = ()
    entries: int = 0  # of rosters
    videos: tuple[Path, ...] = ()
    documents: tuple[str, ...] = ()

    @property
    def known(self) -> bool:
        """Whether the database knows the student."""
        return bool(self.tasks or self.claims or self.reasons or self.entries)


@reads
def kept_of(db: Database, student: str, inbox: Path) -> StudentRecords:
    """The records of a student, whichever spelling or name on a roster is given. A refused file can be a
    student's by its path below `inbox` alone.

    Raises UnknownStudent, and IllegalTransition while a task is open or a video is being claimed.
    """
    student = _id_of(db, student)
    rows = list(TaskRow.select().where(TaskRow.user_id == student).execute(db))
    alike = _alike(db, student)
    claims = list(_claims_of(db, student, alike, inbox))
    _check_nothing_open(student, rows, claims)
    claim_ids = tuple(claim.id for claim in claims)
    reasons, others = _reasons_of(db, student, alike, claim_ids)
    entries = [entry for _, _, entry in classes.listed_as(db, student)]
    if not (rows or claims or reasons or entries):
        raise UnknownStudent(f"nothing is kept of a student {student!r}; run: introeval tasks")
    documents = [*chain(*(_documents(db, DocumentRow.task_id == row.id) for row in rows)), *reasons]
    own = frozenset([*(each.name for each in documents), *claim_ids, *_own_digests(db, student, rows)])
    return StudentRecords(
        student,
        Traces(
            student, frozenset(_own_names(db, claims, others)), own | {each.email for each in entries} - {""}
        ),
        alike,
        tasks=tuple(row.id for row in rows),
        claims=claim_ids,
        deposits=tuple(_deposits_of(db, claims, reasons, inbox)),
        reasons=tuple(reason.id for reason in reasons),
        entries=len(entries),
        videos=tuple(Path(row.file_path) for row in rows if row.video != "gone"),
        # a full outbox can hold an unfinished document under its temporary name
        documents=tuple(name for d in documents for name in (d.name, temporary_name(d.name, d.id))),
    )


def _id_of(db: Database, student: str) -> str:
    """The id by which the database knows a student. Raises IllegalTransition where it may be several's."""
    if found := users.spellings(db, [student]):
        return found[student]
    listed = classes.ids_of(db, student) or [student]
    if len(listed) > 1:
        told = f"the rosters have several students of the name {student}: {', '.join(listed)}"
        raise IllegalTransition(f"{told}; name one by the id")
    return users.spellings(db, listed).get(listed[0], listed[0])


def _alike(db: Database, student: str) -> frozenset[str]:
    rows = UserRow.select(UserRow.username).execute(db)
    return frozenset(row.username for row in rows if is_spelling_of(row.username, student, {student}))


def _check_nothing_open(student: str, rows: Iterable[TaskRow], claims: Iterable[ClaimRow]) -> None:
    for row in rows:
        if row.status not in _FINAL:
            raise IllegalTransition(f"task {row.id} is {row.status}; cancel it, then forget {student}")
    if any(claim.step in ("seen", "spooled") for claim in claims):
        raise IllegalTransition(f"a video of {student} is being claimed; wait for it, then try again")


def forget(db: Database, student: str, inbox: Path, *, at: float, actor: str | None) -> None:
    """Delete the records of a student, and overwrite them. The ids of their tasks are never used again.
    `actor` has ordered it.

    Raises as `kept_of`, and StoreError also when all is deleted but another program prevents overwriting.
    """
    _delete(db, student, inbox, at, actor)
    overwrite(db)


@writes
def _delete(db: Database, student: str, inbox: Path, at: float, actor: str | None) -> None:
    kept = kept_of(db, student, inbox)
    student = kept.student
    audit.forget(db, kept.traces, kept.tasks, at=at, actor=actor)
    TaskRow.delete().where(TaskRow.user_id == student).execute(db)  # cascades to documents and history
    for ids in chunked(kept.reasons, _AT_ONCE):
        DocumentRow.delete().where(DocumentRow.id.in_(ids)).execute(db)
    for some in chunked(kept.claims, _AT_ONCE):
        ClaimRow.delete().where(ClaimRow.id.in_(some)).execute(db)
    for claim in kept.claims:
        first = f"rejected/{claim}".encode()
        KeptFileRow.delete().where(KeptFileRow.name.between(first, first + b"\xff")).execute(db)
    classes.strike(db, student)
    UserRow.delete().where(UserRow.username == student).execute(db)
    for column in _ACTORS:  # a student's account may be an operator's
        column.model.update({column: None}).where(column == student).execute(db)
    named = Traces(student).in_text()
    for phase in PhaseRow.select(PhaseRow.id, PhaseRow.holders, PhaseRow.refused).execute(db):
        if named.found(f"{phase.holders} {phase.refused}".encode()):
            PhaseRow.update(holders="[]", refused=None).where(PhaseRow.id == phase.id).execute(db)


def _claims_of(db: Database, student: str, alike: Collection[str], inbox: Path) -> Iterator[ClaimRow]:
    told = ClaimRow.select(ClaimRow.student).where(ClaimRow.student.is_null(False)).distinct()
    mine = [row.student for row in told.execute(db) if is_spelling_of(row.student, student, alike)]
    yield from ClaimRow.select().where(ClaimRow.student.in_(mine)).execute(db)
    for claim in ClaimRow.select().where(ClaimRow.student.is_null()).execute(db).iterator():
        if names_student(_below(claim, inbox), student):
            yield claim


def _deposits_of(
    db: Database, claims: Iterable[ClaimRow], reasons: Iterable[DocumentRow], inbox: Path
) -> Iterator[str]:
    """The claims of packages with a file of these claims or of these refusals in them, and of rosters."""
    refused = [json.loads(bytes(row.content)).get("path") or "" for row in reasons]
    paths = [bytes(claim.path) for claim in claims]
    deposits = ClaimRow.student.is_null() & ClaimRow.reason.is_null()
    for one in ClaimRow.select().where(deposits).execute(db).iterator():
        inside, below = bytes(one.path) + b"/", printable(f"{_below(one, inbox)}/")
        taken = any(path.startswith(inside) for path in paths)
        if not is_package(one.filename) or taken or any(path.startswith(below) for path in refused):
            yield one.id


def _below(claim: ClaimRow, inbox: Path) -> PurePath:
    path = Path(os.fsdecode(bytes(claim.path)))
    return path.relative_to(inbox) if path.is_relative_to(inbox) else PurePath(path.name)


def _documents(db: Database, condition: Expression) -> list[DocumentRow]:
    return list(DocumentRow.select(DocumentRow.id, DocumentRow.name).where(condition).execute(db))


def _reasons_of(
    db: Database, student: str, alike: Collection[str], claims: Collection[str]
) -> tuple[list[DocumentRow], set[str]]:
    """The documents about refusals of these claims or that name the student (a claim is kept no longer than
    its file), and the names of the refused files of everybody else.
    """
    mine: list[DocumentRow] = []
    others: set[str] = set()
    for row in DocumentRow.select().where(DocumentRow.kind == Kind.REASON.value).execute(db).iterator():
        said = json.loads(bytes(row.content))
        if said.get("claim_id") in claims or is_reason_of(said, student, alike):
            mine.append(row)
        else:
            others.add(said.get("filename", ""))
    return mine, others


def _own_names(db: Database, claims: Iterable[ClaimRow], others: Collection[str]) -> Iterator[str]:
    """The names of the student's files that nobody else's file has."""
    mine = {claim.id for claim in claims}
    for name in {claim.filename for claim in claims}.difference(others):
        same = ClaimRow.select(ClaimRow.id).where(ClaimRow.filename == name).execute(db)
        if all(claim.id in mine for claim in same):
            yield name


def _own_digests(db: Database, student: str, rows: Iterable[TaskRow]) -> Iterator[str]:
    """The SHA-256 of the student's videos that nobody else has submitted."""
    for digest in {row.sha256 for row in rows if row.sha256}:  # "" if it was too large to be read
        others = (TaskRow.sha256 == digest) & (TaskRow.user_id != student)
        if not TaskRow.select(TaskRow.id).where(others).limit(1).execute(db):
            yield digest
