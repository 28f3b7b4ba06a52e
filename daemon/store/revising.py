"""Revisions of results without a model: the rating is changed, and the result composed anew."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from peewee import Expression, fn

from daemon.contracts.documents import Document, Kind
from daemon.core.content import result
from daemon.core.content.document import Evaluation, read_result
from daemon.core.errors import IllegalTransition
from daemon.core.intake.naming import result_name
from daemon.core.tasks import lifecycle
from daemon.core.tasks.offers import check_revision
from daemon.core.tasks.task import Stage, Status
from daemon.core.timestamps import from_iso
from daemon.store import audit, codec, documents, history
from daemon.store.calibration import KEY, InUse, as_rated, in_use, put_to_use
from daemon.store.database import Database, reads, writes
from daemon.store.found import find
from daemon.store.membership import Membership
from daemon.store.models import AuditRow, TaskRow
from daemon.store.reports import listed

_RATE = Stage.RATE.value


@dataclass(frozen=True, slots=True)
class Rating:
    """The rating of a finished task, with the provenance of its model's answer."""

    task_id: int
    evaluation: Evaluation
    origin: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Revised:
    """What a calibration was put to or taken from: the revised tasks, and how many others of the class keep
    the model's own figures, since `differs` is another there.
    """

    number: int
    tasks: tuple[int, ...]
    left: int = 0
    differs: tuple[str, ...] = ()


@writes
def revise(db: Database, rating: Rating, event: str, now: float, actor: str | None = None) -> None:
    """Give a finished task its next revision, with this rating: its result is composed of the last one.

    Raises UnknownTask, and IllegalTransition for a task that is open or was never rated.
    """
    task_id = rating.task_id
    row = find(db, task_id)
    check_revision(listed(row))
    last = read_result(documents.results(db, task_id)[-1])
    task = lifecycle.revised(codec.to_task(row), last.outcome)
    next_ = result.revised(last, rating.evaluation, rating.origin, now, db.release)
    TaskRow.update(
        revision=task.revision,
        llama_result=codec.dumps(rating.evaluation.model_dump()),
        provenance=codec.dumps({**json.loads(row.provenance), _RATE: rating.origin}),
        delivered_at=None,
        last_updated=now,
    ).where(TaskRow.id == task_id).execute(db)
    history.record(db, task, event, now, before=task.status, actor=actor)
    name = result_name(task.student, task.id, task.filename, task.revision)
    document = Document(0, Kind.RESULT, name, result.to_bytes(next_), task.id)
    documents.add_document(db, document, created_at=now, revision=task.revision)


@reads
def ratings_of(db: Database, of: Membership) -> list[Rating]:
    """The ratings with expected scores of the tasks of a class, by id."""
    return list(_ratings(db, of.condition))


@writes
def calibrate(db: Database, use: InUse, now: float, actor: str | None) -> Revised:
    """Use a calibration from now on, and revise the results of its class that it holds for."""
    found = ratings_of(db, _class_of(use))
    others = [use.differs(rating.origin) for rating in found]
    before = in_use(db)
    put_to_use(db, use)
    mine = [rating for rating, differs in zip(found, others, strict=True) if not differs]
    tasks = _recompose(db, mine, use, "calibrated", now, actor)
    _told(db, "calibration_applied", use, now, actor, before and before.named, {**use.named, "tasks": tasks})
    left = [differs for differs in others if differs]
    differs = tuple(sorted({key for each in left for key in each}))
    return Revised(use.calibration.number, tuple(tasks), len(left), differs)


@writes
def remove_calibration(db: Database, now: float, actor: str | None) -> Revised:
    """Use no calibration from now on, and give the results that this one corrected the model's own figures.

    Raises IllegalTransition when none is in use.
    """
    use = in_use(db)
    if use is None:
        raise IllegalTransition("no calibration is in use; to make one, run: introeval calibrate NAME")
    put_to_use(db, None)
    named = fn.json_extract(TaskRow.provenance, f"$.{_RATE}.{KEY}.sha256")
    corrected = list(_ratings(db, named == use.sha256))
    tasks = _recompose(db, corrected, None, "uncalibrated", now, actor)
    _told(db, "calibration_removed", use, now, actor, {**use.named, "tasks": tasks}, None)
    return Revised(use.calibration.number, tuple(tasks))


@writes
def recalibrate(db: Database, task_id: int, now: float, actor: str | None) -> None:
    """Revise a result of which a decision was taken back, as the others of its class were meanwhile: by the
    calibration in use, if it is of that class, and to the model's own figures where its own was removed.
    """
    use, one = in_use(db), TaskRow.id == task_id
    if use is not None:
        of_class = list(_ratings(db, one & _class_of(use).condition))
        if ratings := [each for each in of_class if not use.differs(each.origin)]:
            _recompose(db, ratings, use, "calibrated", now, actor)
            return
    removed = [each for each in _ratings(db, one) if _is_removed(db, each.origin.get(KEY))]
    _recompose(db, removed, None, "uncalibrated", now, actor)


def _is_removed(db: Database, named: Mapping[str, Any] | None) -> bool:
    """Whether what corrected a rating was taken out of use, and not followed by another one."""
    if named is None:
        return False
    of_it = AuditRow.details.contains(named["sha256"]) & AuditRow.what.startswith("calibration_")
    last = AuditRow.select(AuditRow.what).where(of_it).order_by(AuditRow.number.desc()).limit(1).scalar(db)
    return bool(last == "calibration_removed")


@writes
def calibration_made(db: Database, use: InUse, now: float, actor: str | None) -> None:
    """Record in the audit that a calibration was made."""
    _told(db, "calibration_made", use, now, actor, None, use.named)


def _class_of(use: InUse) -> Membership:
    made = use.calibration
    return Membership(made.day, from_iso(made.begins_at), from_iso(made.ends_at), made.class_id)


def _told(
    db: Database, what: str, use: InUse, now: float, actor: str | None, before: object, after: object
) -> None:
    subject = f"calibration {use.calibration.number}"
    audit.append(db, at=now, actor=actor, what=what, subject=subject, before=before, after=after)


def _recompose(
    db: Database, ratings: list[Rating], use: InUse | None, event: str, now: float, actor: str | None
) -> list[int]:
    """Revise those results that change. Gives the ids of their tasks."""
    tasks = []
    for rating in ratings:
        evaluation, origin = as_rated(rating.evaluation, rating.origin, use)
        if origin != rating.origin or evaluation != rating.evaluation:
            revise(db, Rating(rating.task_id, evaluation, origin), event, now, actor)
            tasks.append(rating.task_id)
    return tasks


def _ratings(db: Database, where: Expression) -> Iterator[Rating]:
    # What a person decided stays as it is.
    done = (TaskRow.status == Status.COMPLETED.value) & TaskRow.decision.is_null() & where
    for row in list(TaskRow.select().where(done).order_by(TaskRow.id).execute(db)):
        evaluation = codec.read_evaluation(row.llama_result)
        if evaluation is not None and evaluation.scores:
            yield Rating(row.id, evaluation, json.loads(row.provenance)[_RATE])
