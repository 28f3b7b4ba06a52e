"""Queries of the database that give wire types: for the control socket, and where no daemon runs."""

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from daemon.contracts.task_query import TaskQuery
from daemon.contracts.wire.status import PhaseSpan
from daemon.contracts.wire.tasks import DocumentLine, HistoryLine, RefusedLine, TaskDetail, TaskLine, TaskPage
from daemon.contracts.wire.words import TaskOrder
from daemon.core.content.reasons import advice
from daemon.core.schedule.queue import QueueOrder, in_order
from daemon.core.tasks.offers import Terms, offered
from daemon.core.tasks.task import ENDS_AS, FINAL, STAGE_OF, Outcome, Status, Task
from daemon.core.timestamps import to_iso
from daemon.store import codec, documents, lists, reports
from daemon.store.database import Database
from daemon.store.lists import Searched, SortKey, matches
from daemon.store.reports import Listed, TaskRecord

PHASES = 50  # that the daemon tells of
_REFUSED_FOR_S = 86_400.0


def counts(db: Database) -> dict[str, int]:
    """The number of tasks by status."""
    return {status.value: n for status, n in reports.counts(db).items()}


def undelivered(db: Database) -> int:
    """The number of documents that are not in the outbox yet."""
    return sum(reports.undelivered_counts(db).values())


def refused_lately(db: Database, now: float) -> int:
    """The number of files that were refused in the last 24 hours."""
    return documents.refused_since(db, now - _REFUSED_FOR_S)


def refused(db: Database, limit: int, *, wanting_only: bool = False, offset: int = 0) -> list[RefusedLine]:
    """The last refused files, the newest first. `wanting_only`: those that nobody has acknowledged."""
    rows = documents.refused(db, limit, wanting_only=wanting_only, offset=offset)
    found = ((name, json.loads(content), seen) for name, content, seen in rows)
    return [
        RefusedLine(
            at=said["at"],
            claim_id=said["claim_id"],
            filename=said["filename"],
            student=said["student_id"],
            account=said.get("account"),
            reason=said["reason"],
            document=name,
            path=said.get("path", ""),
            acknowledged=seen,
        )
        for name, said, seen in found
    ]


def accepts(wanted: TaskQuery, row: Searched) -> bool:
    """Whether a task passes the filter, but for `before`."""
    return (
        row.status in wanted.of_status
        and (not wanted.outcomes or row.outcome in wanted.outcomes)
        and (not wanted.flags or not wanted.flags.isdisjoint(codec.flag_codes(row.flags)))
        and (not wanted.text or matches(wanted.text.casefold(), row.id, row.student, row.filename))
    )


def queue(tasks: Iterable[Task], order: QueueOrder) -> list[Task]:
    """Open tasks in the order of service; those that are held come last."""
    listed = list(tasks)
    return [*in_order((t for t in listed if not t.held), order), *(t for t in listed if t.held)]


def task_page(
    db: Database,
    wanted: TaskQuery,
    queued: Sequence[Task],
    now: float,
    etas: Mapping[int, float] | None = None,
) -> TaskPage:
    """A page of tasks. `queued` are all open ones in the order of service.

    The cost depends on the open tasks and the size of the page alone, not on all that is stored.
    """
    mine = _wanted_of(queued, wanted)
    if wanted.is_searched:
        found, partial = _found(db, wanted)
        if wanted.flags:  # which only the rows have
            ids_found = {place.id for place in found}
            mine = [task for task in mine if task.id in ids_found]
        matching = [place for place in found if place.status in FINAL]
        total = len(matching)
        final = [place for place in matching if wanted.before is None or place.id < wanted.before]
    else:
        final, total = _final(db, wanted)
        partial = False
    if wanted.order in (TaskOrder.QUEUE, TaskOrder.ETA):
        if wanted.order is TaskOrder.ETA:
            mine.sort(key=lambda task: (etas or {}).get(task.id, math.inf))
        ids = [task.id for task in (reversed(mine) if wanted.descending else mine)]
        ids += [place.id for place in final]
    else:
        key = _KEYS[wanted.order]
        places = [*(SortKey(task.id, task.student, task.status) for task in mine), *final]
        ids = [place.id for place in sorted(places, key=key, reverse=wanted.descending)]
    rows = lists.by_ids(db, ids[wanted.offset : wanted.offset + wanted.limit])
    return TaskPage(
        total=len(mine) + total, tasks=[task_line(row, db.terms, now) for row in rows], partial=partial
    )


_LIFECYCLE = {status: place for place, status in enumerate(Status)}
_KEYS: dict[TaskOrder, Callable[[SortKey], tuple[Any, ...]]] = {
    TaskOrder.AGE: lambda place: (-place.id,),
    TaskOrder.STUDENT: lambda place: (place.student, place.status.value, place.id),
    TaskOrder.STATUS: lambda place: (_LIFECYCLE[place.status], -place.id),
}


def _wanted_of(tasks: Iterable[Task], wanted: TaskQuery) -> list[Task]:
    statuses, needle = wanted.of_status, wanted.text.casefold()
    return [
        task
        for task in tasks
        if task.status in statuses
        and wanted.student in (None, task.student)
        and (wanted.before is None or task.id < wanted.before)
        and (not needle or matches(needle, task.id, task.student, task.filename))
    ]


def _found(db: Database, wanted: TaskQuery) -> tuple[list[SortKey], bool]:
    """The tasks that a search finds, and whether there may be more. Open ones need none but for a flag."""
    if not wanted.flags and not wanted.of_status & FINAL:
        return [], False
    return lists.search(db, wanted.student, partial(accepts, wanted))


def _final(db: Database, wanted: TaskQuery) -> tuple[list[SortKey], int]:
    """The finished tasks that may stand on the page, and how many match."""
    statuses = wanted.of_status & FINAL
    if not statuses:
        return [], 0
    of: frozenset[Status | Outcome] = (
        frozenset(o for o in wanted.outcomes if ENDS_AS.get(o, Status.COMPLETED) in statuses)
        if wanted.outcomes
        else frozenset(statuses)
    )
    most = wanted.offset + wanted.limit
    if wanted.order is TaskOrder.STUDENT:
        places = lists.final_by_student(db, statuses, wanted.student, most, last_first=wanted.descending)
    else:
        ordered = wanted.order in (TaskOrder.AGE, TaskOrder.STATUS)
        places = [
            place
            for each in of
            for place in lists.newest_final(
                db,
                each,
                wanted.student,
                most,
                oldest_first=ordered and wanted.descending,
                before_id=wanted.before,
            )
        ]
        places.sort(key=_KEYS[TaskOrder.AGE])
    if wanted.student is not None:
        return places, lists.count_of(db, wanted.student, of)
    counted: Mapping[Any, int] = reports.outcomes(db) if wanted.outcomes else reports.counts(db)
    return places, sum(counted[each] for each in of)


def lines(db: Database, ids: Sequence[int], now: float) -> list[TaskLine]:
    """The lines of tasks, without those that are gone."""
    return [task_line(row, db.terms, now) for row in lists.by_ids(db, ids)]


def task_detail(db: Database, task_id: int, now: float) -> TaskDetail:
    """One task with its history. Raises UnknownTask."""
    return _detail(reports.task(db, task_id), db.terms, now)


def results(db: Database, task_id: int) -> list[dict[str, Any]]:
    """The results of a task as they are in the outbox, one for each revision, oldest first."""
    reports.task(db, task_id)  # UnknownTask, where there is none
    return [json.loads(content) for content in documents.results(db, task_id)]


def phases(db: Database, last: int, until: float | None = None) -> list[PhaseSpan]:
    """The last times that a group was loaded, begun until a time where one is given, the newest first."""
    return [
        PhaseSpan.model_validate(
            asdict(span)
            | {key: _iso(getattr(span, key)) for key in ("started_at", "ready_at", "ended_at")}
            | {"group": list(span.group), "holders": json.loads(span.holders)}
        )
        for span in lists.last_phases(db, last, until)
    ]


def task_line(row: Listed, terms: Terms, now: float) -> TaskLine:
    """One line of a list."""
    why = advice(row, row.error_message, terms, now)
    return TaskLine(
        id=row.id,
        student=row.student,
        filename=row.filename,
        status=row.status.value,
        stage=None if row.status in FINAL else STAGE_OF[row.status].value,
        outcome=row.outcome and row.outcome.value,
        revision=row.revision,
        retry_count=row.retry_count,
        batch_id=row.batch_id,
        duration_s=row.duration_s,
        held=row.held,
        first=row.is_first and row.status not in FINAL,
        not_before=None if row.status in FINAL else _iso(row.not_before),
        claimed_at=to_iso(row.claimed_at),
        ended_at=_iso(row.ended_at),
        delivered_at=_iso(row.delivered_at),
        estimated_completion=_iso(row.estimated_completion),
        error_code=row.error_code,
        error_message=row.error_message,
        rating=row.rating if row.status in FINAL else None,
        flag_codes=list(row.flag_codes),
        reason=why.reason if why else "",
        acknowledged=row.acknowledged,
        decided_by=row.decided_by,
        demo="demo_model" in row.flag_codes,
        can=[verb.value for verb in offered(row, terms, now)],
    )


def _detail(detail: TaskRecord, terms: Terms, now: float) -> TaskDetail:
    why = advice(detail.task, detail.task.error_message, terms, now)
    return TaskDetail(
        **task_line(detail.task, terms, now).model_dump(),
        next=why.next if why else "",
        sha256=detail.sha256,
        size_bytes=detail.size_bytes,
        flags=[flag.model_dump() for flag in detail.flags],
        set_aside=[each.model_dump(mode="json") for each in detail.set_aside],
        history=[
            HistoryLine(
                at=to_iso(entry.at),
                event=entry.event,
                from_status=entry.from_status and entry.from_status.value,
                to_status=entry.to_status.value,
                stage=entry.stage and entry.stage.value,
                attempt=entry.attempt,
                seconds=entry.seconds,
                actor=entry.actor,
                detail=entry.detail,
            )
            for entry in detail.history
        ],
        documents=[
            DocumentLine(kind=each.kind.value, name=each.name, delivered_at=_iso(each.delivered_at))
            for each in detail.documents
        ],
    )


def _iso(at: float | None) -> str | None:
    return None if at is None else to_iso(at)
