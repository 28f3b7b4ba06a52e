"""What wants a person in a real database: what is offered is accepted there, seen once, and counted."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from daemon.contracts.documents import Document, Kind
from daemon.contracts.task_query import AttentionQuery, TaskQuery
from daemon.contracts.values import Extracted, Rated, Ticket
from daemon.contracts.wire.attention import AttentionPage
from daemon.contracts.wire.status import AlarmLine
from daemon.contracts.wire.words import AttentionKind, Verb
from daemon.core.classes.decision import Wanted
from daemon.core.content.document import CRITERIA, Flag
from daemon.core.errors import Blame, Fault, IllegalTransition
from daemon.core.schedule.queue import QueueOrder
from daemon.core.tasks.offers import Ruling, Terms
from daemon.core.tasks.task import TRANSITIONS, Event, Outcome, Status, Task
from daemon.core.timestamps import to_iso
from daemon.monitoring import attention
from daemon.monitoring.attention import Live
from daemon.monitoring.queries import queue, task_detail, task_page
from daemon.store import (
    Database,
    claims,
    commits,
    deciding,
    documents,
    fairness,
    open_store,
    rechecks,
    recovery,
    reopening,
    reports,
    schema,
)
from daemon.store.membership import Membership
from daemon.store.opening import connect
from tests.integration.stores import (
    NOW,
    RATING,
    WAY,
    birth,
    born,
    change,
    claim,
    completed,
    deliver_all,
    walk,
)

LATER = NOW + 100.0
FILE_FAULT = Fault(Blame.PERMANENT, "no_audio", "the video has no sound")
TO_RATING = WAY[:-1]
ALL_FIVE = Wanted(scores=dict.fromkeys(CRITERIA, 5), reason="I listened")

ASKS: dict[Verb | Ruling, Callable[[Database, int, float], Any]] = {
    Verb.RETRY: reopening.retry,
    Verb.RATE: reopening.rate_again,
    Verb.CANCEL: reopening.request_cancel,
    Verb.HOLD: lambda store, task_id, now: reopening.hold(store, task_id, now, held=True),
    Verb.NEXT: lambda *asked: reopening.put_first(*asked, first=True),
    Verb.IN_TURN: lambda *asked: reopening.put_first(*asked, first=False),
    Verb.RELEASE: lambda store, task_id, now: reopening.hold(store, task_id, now, held=False),
    Verb.DELIVER: reopening.deliver_again,
    Verb.ACKNOWLEDGE: lambda store, task_id, now: reopening.acknowledge(store, task_id, now, "ann"),
    Ruling.DECIDE: lambda store, task_id, now: deciding.decide(store, task_id, ALL_FIVE, now, "ann"),
    Ruling.UNDO: lambda store, task_id, now: deciding.take_back(store, task_id, now, "ann"),
}
STAYS = (Verb.DELIVER, Ruling.DECIDE)

SHIPPED = Path(schema.__file__).parent / "migrations"
OLDER = """
    INSERT INTO users (username) VALUES ('anna');
    INSERT INTO processing_tasks (user_id, filename, file_path, status, outcome, error_code, ended_at) VALUES
        ('anna', 'a.mp4', '/x', 'failed', 'failed', 'no_audio', '2023-11-14T22:13:20.000000Z'),
        ('anna', 'b.mp4', '/x', 'failed', 'failed', 'worker_died', '2023-11-14T22:13:20.000000Z'),
        ('anna', 'c.mp4', '/x', 'completed', 'needs_review', NULL, '2023-11-14T22:13:20.000000Z'),
        ('anna', 'd.mp4', '/x', 'completed', 'evaluated', NULL, '2023-11-14T22:13:20.000000Z');
    INSERT INTO documents (kind, name, content, created_at)
        VALUES ('reason', '_rejected/x', x'7b7d', '2023-11-14T22:13:20.000000Z');
"""


@pytest.fixture
def store(store: Database) -> Database:
    store.terms = Terms("introeval 3", oldest_wait_s=3600.0)
    return store


def doubtful(store: Database, name: str, *codes: str) -> Task:
    """A task that needs review for these flags."""
    (task,) = born(store, birth(name, name))
    task = walk(store, task, *TO_RATING)
    flags = tuple(Flag(code=code) for code in codes)
    given = Rated(Ticket(task.id, 1, task.attempt), RATING, flags)
    return commit(store, change(task, Event.RATED, at=LATER, outcome=given))


def commit(store: Database, one: Any) -> Task:
    commits.commit(store, [one])
    after: Task = one.after
    return after


def unscorable(store: Database, name: str) -> Task:
    (task,) = born(store, birth(name, name))
    return walk(store, task, Event.ADMITTED, Event.STARTED, Event.UNSCORABLE, at=LATER)


def refuse(store: Database, name: str, at: float, code: str = "no_media_type") -> None:
    mine = replace(claim(name, None), claimed_at=at)
    claims.add(store, [mine])
    said = f"""{{"claim_id": "{name}", "filename": "notes.txt", "path": "cs1/notes.txt", "student_id": null,
        "account": "bob", "reason": "{code}: notes.txt is a text", "at": "{to_iso(at)}"}}"""
    reason = Document(0, Kind.REASON, f"_rejected/{name}-notes.reason.json", said.encode())
    claims.refuse(store, [(mine, reason)])


def in_every_state(store: Database) -> Iterator[Task]:
    """A task in each status, on the shortest way there, and of each outcome; some asked for again."""
    ways: dict[Status, tuple[Event, ...]] = {Status.UPLOADED: ()}
    while len(ways) < len(Status):
        for (status, event), to in TRANSITIONS.items():
            if status in ways:
                ways.setdefault(to, (*ways[status], event))
    for status, way in ways.items():
        (task,) = born(store, birth(f"way-{status}", f"s-{status}"))
        yield walk(store, task, *way)
    for status in (Status.UPLOADED, Status.STT_PROCESSING):
        (task,) = born(store, birth(f"held-{status}", f"h-{status}"))
        yield reopening.hold(store, walk(store, task, *ways[status]).id, NOW, held=True)
        (task,) = born(store, birth(f"cancel-{status}", f"c-{status}"))
        yield reopening.request_cancel(store, walk(store, task, *ways[status]).id, NOW)
    (task,) = born(store, birth("first", "first"))
    yield reopening.put_first(store, task.id, NOW, first=True)
    yield unscorable(store, "unscorable")
    yield doubtful(store, "quiet", "quiet")
    yield (answered := doubtful(store, "answered", "no_evidence"))
    (task,) = born(store, birth("again", "again"))
    yield reopening.rate_again(store, completed(store, task).id, NOW)
    (silent,) = born(store, birth("silent", "silent", fault=FILE_FAULT))
    yield silent
    (task,) = born(store, birth("seen", "seen", fault=FILE_FAULT))
    yield reopening.acknowledge(store, task.id, NOW, "ann")
    settled = doubtful(store, "settled", "quiet")
    deciding.decide(store, settled.id, ALL_FIVE, NOW, "ann")
    yield settled
    (rated,) = born(store, birth("rated", "rated", fault=FILE_FAULT))
    deciding.decide(store, rated.id, ALL_FIVE, NOW, "ann")
    yield rated
    yield reopening.retry(store, doubtful(store, "retried", "no_evidence").id, NOW)
    assert answered.id != silent.id


def test_no_model_rates_on_the_side_what_only_a_person_has_rated(store: Database) -> None:
    (silent,) = born(store, birth("silent", "silent", fault=FILE_FAULT))
    for task in (silent, unscorable(store, "unscorable")):
        deciding.decide(store, task.id, ALL_FIVE, NOW, "ann")
    assert rechecks.next_one(store, 0.0, 3) is None
    assert fairness.said_in(store, Membership("", 0.0, LATER)) == []


def test_what_came_to_nothing_is_rated_by_a_person_and_once_that_is_taken_back_is_as_it_was(
    store: Database,
) -> None:
    for task in list(in_every_state(store)):
        before = reports.task(store, task.id).task
        if before.outcome not in (Outcome.FAILED, Outcome.UNSCORABLE):
            continue
        made = deciding.decide(store, task.id, ALL_FIVE, LATER, "ann")
        decided = task_detail(store, task.id, NOW)
        assert (made.outcome, made.error, made.released) == (Outcome.EVALUATED, None, True)
        assert (decided.status, decided.outcome, decided.rating) == ("completed", "evaluated", 5)
        assert not {"retry", "rate"} & set(decided.can), "no model has rated it, and none is to"
        deciding.take_back(store, task.id, LATER, "ann")
        after = reports.task(store, task.id).task
        assert after == replace(before, revision=3, last_updated=LATER, acknowledged=False)


@pytest.mark.parametrize("now", [NOW + 60, NOW + 4000])
def test_in_every_state_the_store_accepts_exactly_what_is_offered(store: Database, now: float) -> None:
    tasks = list(in_every_state(store))
    listed = task_page(store, TaskQuery(), queue(recovery.open_tasks(store), QueueOrder.FAIR), now)
    assert len(listed.tasks) == len(tasks)
    seen = set()
    for line in listed.tasks:
        assert task_detail(store, line.id, now).can == line.can
        seen |= set(line.can)
        for verb, ask in ASKS.items():
            with store.atomic("IMMEDIATE") as transaction:
                if verb.value in line.can:
                    ask(store, line.id, now)
                    assert (verb.value in task_detail(store, line.id, now).can) is (verb in STAYS)
                else:
                    with pytest.raises(IllegalTransition, match=f"task {line.id}"):
                        ask(store, line.id, now)
                transaction.rollback()
    assert seen == {verb.value for verb in ASKS}, "each was offered somewhere"


def shown(store: Database, *alarms: AlarmLine, now: float = LATER, **wanted: Any) -> AttentionPage:
    live = Live.of(alarms, recovery.open_tasks(store), store.terms, now)
    return attention.page(store, AttentionQuery(**wanted), live, now)


def alarm(code: str, **fields: Any) -> AlarmLine:
    return AlarmLine(code=code, message="it is so", since=to_iso(NOW), affects="all", fix="do it", **fields)


def test_all_kinds_stand_by_urgency_and_in_each_the_newest_first(store: Database) -> None:
    born(store, birth("waits", "wes"))
    born(store, birth("mute", "max", fault=FILE_FAULT))
    unscorable(store, "una")
    first, second = doubtful(store, "rex", "quiet"), doubtful(store, "ray", "no_evidence")
    refuse(store, "r1", NOW)
    refuse(store, "r2", NOW + 1)
    alarms = alarm("disk"), alarm("degraded_rate"), alarm("alert_oldest_wait"), alarm("x", acknowledged=True)
    page = shown(store, *alarms, now=NOW + 4000)
    assert [line.kind for line in page.lines] == [
        *("alarm", "degraded", "waiting", "failed", "refused", "refused", "unscorable"),
        *("needs_review", "needs_review"),
    ]
    assert page.counts == {
        "alarm": 1, "degraded": 1, "waiting": 1, "failed": 1, "refused": 2, "unscorable": 1, "needs_review": 2
    }  # fmt: skip
    assert page.total == 9
    assert all(line.reason and line.next and line.what for line in page.lines)
    assert [line.task_id for line in page.lines[-2:]] == [second.id, first.id]
    assert [line.verb for line in page.lines[-2:]] == ["retry", None]
    assert [line.key for line in page.lines[4:6]] == ["refused:r2", "refused:r1"]
    file = page.lines[4]
    assert (file.who, file.what, file.reason) == ("account bob", "cs1/notes.txt", "notes.txt is a text")


def test_a_page_goes_over_the_kinds_and_a_filter_leaves_the_counts(store: Database) -> None:
    for number in range(3):
        doubtful(store, f"d{number}", "quiet")
        refuse(store, f"r{number}", NOW + number)
    every = [line.key for line in shown(store).lines]
    paged = [line.key for at in range(0, 6, 2) for line in shown(store, offset=at, limit=2).lines]
    assert paged == every
    assert len(every) == 6
    some = shown(store, kinds=frozenset({AttentionKind.REFUSED}), offset=1)
    assert ([line.key for line in some.lines], some.total) == (["refused:r1", "refused:r0"], 3)
    assert some.counts == {"refused": 3, "needs_review": 3}


def test_what_is_acknowledged_is_left_out_until_a_new_revision_ends_badly(store: Database) -> None:
    task = doubtful(store, "rex", "no_evidence")
    reopening.acknowledge(store, task.id, LATER, "ann")
    assert shown(store).total == 0
    detail = task_detail(store, task.id, LATER)
    assert detail.acknowledged
    assert detail.reason, "it still says why"
    (seen,) = store.execute_sql("SELECT acknowledged_at, acknowledged_by FROM processing_tasks").fetchall()
    assert seen == (to_iso(LATER), "ann")
    again = reopening.retry(store, task.id, LATER)
    walk(store, again, Event.FAILED, at=LATER)
    assert [line.kind for line in shown(store).lines] == ["failed"]


def test_that_a_wait_was_seen_does_not_hide_its_end(store: Database) -> None:
    (task,) = born(store, birth("waits", "wes"))
    reopening.acknowledge(store, task.id, NOW + 4000, "ann")
    assert shown(store, now=NOW + 4000).total == 0
    walk(store, recovery.open_tasks(store)[0], Event.FAILED, at=NOW + 5000)
    assert shown(store, now=NOW + 5000).counts == {"failed": 1}


def test_a_refusal_says_what_is_next_by_its_code(store: Database) -> None:
    for number, code in enumerate(("no_student", "duplicate", "handed_in")):
        refuse(store, f"r{number}", NOW - number, code)
    by_name, twice, later = (line.next for line in shown(store).lines)
    assert "can send it again" in by_name
    assert twice.startswith("nothing")
    assert "only the first video counts" in later


def test_a_refused_file_is_seen_once(store: Database) -> None:
    refuse(store, "r1", NOW)
    refuse(store, "r10", NOW)
    assert documents.acknowledge_refused(store, "r1", LATER, "ann")
    assert not documents.acknowledge_refused(store, "r1", LATER, "bob")
    assert not documents.acknowledge_refused(store, "unknown", LATER, "bob")
    assert [line.key for line in shown(store).lines] == ["refused:r10"]
    assert reports.wanting(store)["refused"] == 1


def test_an_older_database_counts_what_wants_a_person(tmp_path: Path) -> None:
    until, path = tmp_path / "until", tmp_path / "introeval.db"
    shutil.copytree(SHIPPED, until, ignore=shutil.ignore_patterns("__pycache__"))
    for migration in until.glob("*.py"):
        if migration.stem >= "0008":
            migration.unlink()
    database = connect(path)
    schema.migrate(database, path, until)
    database.connection().executescript(OLDER)
    database.close()
    with open_store(path) as opened:
        assert reports.wanting(opened) == {"failed": 2, "needs_review": 1, "unscorable": 0, "refused": 1}
        assert reports.outcomes(opened)[Outcome.EVALUATED] == 1
        line = task_detail(opened, 1, NOW)
        assert "retry" not in line.can, "no copy of its video is left"
        assert not line.acknowledged


def test_a_retry_after_an_answer_uses_another_seed_and_a_new_rating_the_usual_one(store: Database) -> None:
    task = doubtful(store, "rex", "no_evidence")
    again = reopening.retry(store, task.id, LATER)
    assert (again.reseeded, again.revision) == (True, 2)
    rated = walk(store, again, Event.STARTED, Event.RATED, at=LATER)
    assert not reopening.rate_again(store, rated.id, LATER).reseeded
    (task,) = born(store, birth("bad", "bad"))
    walk(store, task, Event.FAILED)
    assert not reopening.retry(store, task.id, NOW).reseeded, "there was no answer yet"


def test_a_failed_file_is_offered_again_by_another_program(store: Database) -> None:
    (task,) = born(store, birth("mute", "max", fault=FILE_FAULT))
    assert "retry" not in task_detail(store, task.id, NOW).can
    store.terms = Terms("introeval 4")
    assert "retry" in task_detail(store, task.id, NOW).can
    assert reopening.retry(store, task.id, NOW).status is Status.UPLOADED


def test_lists_say_why_without_a_query_a_row(store: Database) -> None:
    for number in range(30):
        doubtful(store, f"d{number}", "quiet", "demo_model")
    said: list[str] = []
    connection = store.connection()
    assert isinstance(connection, sqlite3.Connection)
    connection.set_trace_callback(said.append)
    page = task_page(store, TaskQuery(), [], NOW)
    connection.set_trace_callback(None)
    assert len([one for one in said if one.startswith("SELECT")]) < 8
    line = page.tasks[0]
    assert (line.flag_codes, line.demo) == (["demo_model", "quiet"], True)
    assert "quiet" in line.reason
    deliver_all(store)


def test_no_form_keeps_no_text_in_a_list(store: Database) -> None:
    (task,) = born(store, birth("a"))
    task = walk(store, task, *WAY[:5])
    none = Extracted(Ticket(task.id, 1, task.attempt), None, (Flag(code="no_valid_form"),))
    walk(store, commit(store, change(task, Event.EXTRACTED, outcome=none)), Event.STARTED, Event.RATED)
    assert reopening.retry(store, task.id, NOW).status is Status.STT_COMPLETE
