"""What wants a person: alarms and long waits from the running parts, the rest from the database.

Nothing here grows with the number of finished tasks: the counts are kept by triggers, and a page is read
through an index of what nobody has acknowledged.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from daemon.contracts.task_query import AttentionQuery
from daemon.contracts.wire.attention import AttentionLine, AttentionPage
from daemon.contracts.wire.status import AlarmLine
from daemon.contracts.wire.tasks import RefusedLine
from daemon.contracts.wire.words import AttentionKind
from daemon.core.content.reasons import Advice, advice
from daemon.core.intake.naming import Refused
from daemon.core.tasks.offers import Terms, waits_long
from daemon.core.tasks.task import FINAL, Outcome, Task
from daemon.core.timestamps import to_iso
from daemon.monitoring import queries
from daemon.store import lists, reports
from daemon.store.database import Database
from daemon.store.reports import Listed

_OUTCOMES = {
    AttentionKind.FAILED: Outcome.FAILED,
    AttentionKind.UNSCORABLE: Outcome.UNSCORABLE,
    AttentionKind.NEEDS_REVIEW: Outcome.NEEDS_REVIEW,
}
_OF_WAITS = "alert_oldest_wait"  # each task that waits long stands by itself
_AFTER_REFUSAL: dict[str, str] = {
    Refused.DUPLICATE: "nothing; the same video is a task already",
    Refused.HANDED_IN: "tell the student that only the first video counts",
}


@dataclass(frozen=True, slots=True)
class Live:
    """What wants a person and is in no table: alarms, and open tasks that wait too long, the newest first."""

    alarms: Sequence[AlarmLine] = ()
    late: Sequence[Task] = ()

    @classmethod
    def of(cls, alarms: Iterable[AlarmLine], tasks: Iterable[Task], terms: Terms, now: float) -> "Live":
        """Those of all alarms and open tasks that nobody has acknowledged."""
        late = [task for task in tasks if waits_long(task, terms, now) and not task.acknowledged]
        return cls(
            [alarm for alarm in alarms if not alarm.acknowledged and alarm.code != _OF_WAITS],
            sorted(late, key=lambda task: -task.id),
        )


def counts(db: Database, live: Live) -> dict[str, int]:
    """How much wants a person, by kind, the most urgent first."""
    stored = reports.wanting(db)
    degraded = sum(_kind_of(alarm) is AttentionKind.DEGRADED for alarm in live.alarms)
    now = {
        AttentionKind.ALARM: len(live.alarms) - degraded,
        AttentionKind.DEGRADED: degraded,
        AttentionKind.WAITING: len(live.late),
    }
    every = {kind.value: now.get(kind, stored.get(kind.value, 0)) for kind in AttentionKind}
    return {kind: n for kind, n in every.items() if n}


def page(db: Database, wanted: AttentionQuery, live: Live, now: float) -> AttentionPage:
    """A page of what wants a person, the most urgent kind first and in it the newest."""
    counted = counts(db, live)
    chosen = wanted.kinds or frozenset(AttentionKind)
    kinds = [kind for kind in AttentionKind if kind in chosen and kind.value in counted]
    lines: list[AttentionLine] = []
    skip = wanted.offset
    for kind in kinds:
        n, left = counted[kind.value], wanted.limit - len(lines)
        if skip < n and left:
            lines += _of_kind(db, kind, live, now, skip, left)
        skip = max(0, skip - n)
    return AttentionPage(total=sum(counted[kind.value] for kind in kinds), counts=counted, lines=lines)


def _of_kind(
    db: Database, kind: AttentionKind, live: Live, now: float, skip: int, most: int
) -> Iterable[AttentionLine]:
    match kind:
        case AttentionKind.ALARM | AttentionKind.DEGRADED:
            mine = [alarm for alarm in reversed(live.alarms) if _kind_of(alarm) is kind]
            return map(_of_alarm, mine[skip : skip + most])
        case AttentionKind.WAITING:
            rows = lists.by_ids(db, [task.id for task in live.late[skip : skip + most]])
        case AttentionKind.REFUSED:
            return map(_of_refused, queries.refused(db, most, wanting_only=True, offset=skip))
        case _:
            rows = lists.wanting(db, _OUTCOMES[kind], most, skip)
    told = ((row, advice(row, row.error_message, db.terms, now)) for row in rows)
    return [_of_task(kind, row, why) for row, why in told if why is not None]


def _kind_of(alarm: AlarmLine) -> AttentionKind:
    return AttentionKind.DEGRADED if alarm.code.startswith("degraded") else AttentionKind.ALARM


def _of_alarm(alarm: AlarmLine) -> AttentionLine:
    return AttentionLine(
        key=f"alarm:{alarm.code}",
        kind=_kind_of(alarm).value,
        at=alarm.since,
        who=None,
        what=alarm.affects,
        reason=alarm.message,
        next=alarm.fix,
    )


def _of_refused(line: RefusedLine) -> AttentionLine:
    code, _, reason = line.reason.partition(": ")  # the code is for tools
    return AttentionLine(
        key=f"refused:{line.claim_id}",
        kind=AttentionKind.REFUSED.value,
        at=line.at,
        who=line.student or (line.account and f"account {line.account}"),
        what=line.path or line.filename,
        reason=reason or line.reason,
        next=_AFTER_REFUSAL.get(code, "tell the student, who can send it again as the reason says"),
    )


def _of_task(kind: AttentionKind, row: Listed, why: Advice) -> AttentionLine:
    at = row.claimed_at if row.status not in FINAL else row.ended_at or row.last_updated
    return AttentionLine(
        key=f"task:{row.id}",
        kind=kind.value,
        at=to_iso(at),
        who=row.student,
        what=row.filename,
        reason=why.reason,
        next=why.next,
        verb=why.verb,
        task_id=row.id,
    )
