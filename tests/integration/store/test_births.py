"""Claims and births: what becomes of a file, and the same content sent twice."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.contracts.documents import Document, Kind
from daemon.contracts.values import ClaimStep
from daemon.core.content.document import Flag
from daemon.core.errors import StoreError
from daemon.core.intake.naming import reason_name
from daemon.core.tasks.task import Event, Status
from daemon.store import Database, births, claims, documents, open_store, recovery, reopening, reports
from tests.integration.stores import (
    FAULT,
    NOW,
    birth,
    born,
    claim,
    completed,
    results,
    walk,
)


def test_a_claim_comes_back_as_it_went_until_it_is_done(store: Database) -> None:
    first, second = claim("a"), replace(claim("b", None), reason="no student", claimed_at=NOW - 1)
    claims.add(store, [first, second])
    assert claims.still_open(store) == [second, first]
    claims.step(store, ["a"], ClaimStep.SPOOLED)
    assert claims.still_open(store) == [second, replace(first, step=ClaimStep.SPOOLED)]
    claims.step(store, ["a"], ClaimStep.LOST)
    assert claims.still_open(store) == [second]


def test_stepping_a_closed_or_unknown_claim_changes_nothing(store: Database) -> None:
    claims.add(store, [claim("a"), claim("b")])
    claims.step(store, ["a"], ClaimStep.LOST)
    for ids in (["a", "b"], ["b", "c"]):
        with pytest.raises(StoreError, match="only 1 of 2 claims are open"):
            claims.step(store, ids, ClaimStep.SPOOLED)
    assert claims.still_open(store) == [claim("b")]


def test_a_refusal_closes_its_claim_and_freezes_its_reason(path: Path) -> None:
    with open_store(path) as store:
        mine = claim("a", None)
        claims.add(store, [mine])
        name = reason_name("a", "intro.mp4")
        claims.refuse(store, [(mine, Document(0, Kind.REASON, name, b"why"))])
        assert claims.still_open(store) == []
        (reason,) = documents.undelivered(store, 9)
        assert (reason.kind, reason.name, reason.content) == (Kind.REASON, name, b"why")


def test_a_birth_makes_task_user_receipt_and_history_at_once(path: Path) -> None:
    with open_store(path) as store:
        store.estimate = lambda new: {task.id: NOW + 100 * place for place, task in enumerate(new, 1)}
        tasks = born(store, birth("a"), birth("b", "ben"), now=NOW + 5)
        assert [task.status for task in tasks] == [Status.UPLOADED] * 2
        assert tasks == recovery.open_tasks(store)
        assert tasks[0].path == "/spool/a"
        assert claims.still_open(store) == []
        receipts = [json.loads(document.content) for document in documents.undelivered(store, 9)]
        assert [one["place_in_queue"] for one in receipts] == [1, 2]
        assert receipts[1]["estimated_completion"] == "2023-11-14T22:16:40.000000Z"
        detail = reports.task(store, tasks[1].id)
        assert detail.task.estimated_completion == NOW + 200
        assert [entry.event for entry in detail.history] == ["claimed"]
        assert [document.name for document in detail.documents] == ["ben/0002-intro.receipt.json"]


def test_a_birth_with_a_fault_is_failed_at_once_with_its_result(store: Database) -> None:
    (task,) = born(store, birth("a", fault=FAULT, flags=(Flag(code="cut_short"),)))
    assert task.status is Status.FAILED
    assert recovery.open_tasks(store) == []
    result = results(store)["anna/0001-intro.result.json"]
    assert result["outcome"] == "failed"
    assert result["error"] == {
        "code": "bad_answer",
        "stage": "stt",
        "message": "it gave nothing",
        "attempts": 0,
    }
    assert result["flags"] == [{"code": "cut_short", "field": None, "detail": ""}]
    assert reopening.retry(store, task.id, NOW).status is Status.UPLOADED


def test_the_same_content_of_the_same_student_makes_no_second_task(store: Database) -> None:
    (first,) = born(store, birth("a", sha256="same"))
    claims.add(store, [claim("b"), claim("c")])
    for _ in ("open", "completed"):
        (again,) = births.create_tasks(store, [birth("b", sha256="same")], NOW)
        assert (again.task, again.earlier) == (None, first.id)
        if recovery.open_tasks(store):
            completed(store, first)
    assert [one.id for one in claims.still_open(store)] == ["b", "c"], "it is to be refused"


def test_two_of_the_same_content_in_one_group_are_one_task(store: Database) -> None:
    claims.add(store, [claim("a"), claim("b")])
    first, second = births.create_tasks(store, [birth("a", sha256="same"), birth("b", sha256="same")], NOW)
    assert first.task is not None
    assert second.earlier == first.task.id


@pytest.mark.parametrize("event", [Event.FAILED, Event.CANCELLED])
def test_after_a_failure_or_a_cancel_the_same_content_may_come_again(store: Database, event: Event) -> None:
    (first,) = born(store, birth("a", sha256="same"))
    walk(store, first, event)
    (second,) = born(store, birth("b", sha256="same"))
    assert second.status is Status.UPLOADED
    assert reports.task(store, second.id).flags == ()


def test_the_same_content_of_two_students_is_two_tasks_each_flagged(store: Database) -> None:
    (first,) = born(store, birth("a", "anna", "same"))
    second, third = born(store, birth("b", "ben", "same"), birth("c", "cleo", "same"))
    for task in (first, second, third):
        assert [flag.code for flag in reports.task(store, task.id).flags] == ["same_content"]
    completed(store, first)
    assert [flag["code"] for flag in results(store)["anna/0001-intro.result.json"]["flags"]] == [
        "same_content",
        "demo_model",
    ]


def test_a_result_that_is_frozen_is_not_flagged_later(store: Database) -> None:
    (first,) = born(store, birth("a", "anna", "same"))
    completed(store, first)
    (second,) = born(store, birth("b", "ben", "same"))
    assert [flag.code for flag in reports.task(store, first.id).flags] == ["demo_model"]
    assert [flag.code for flag in reports.task(store, second.id).flags] == ["same_content"]


def test_empty_files_do_not_accuse_anybody(store: Database) -> None:
    empty = [replace(birth(name, name, "empty", fault=FAULT), size_bytes=0) for name in ("a", "b")]
    assert [reports.task(store, task.id).flags for task in born(store, *empty)] == [(), ()]


def test_a_group_of_births_is_all_or_nothing(store: Database) -> None:
    claims.add(store, [claim("a")])
    with pytest.raises(StoreError):
        births.create_tasks(store, [birth("a"), birth("never-claimed")], NOW)
    assert recovery.open_tasks(store) == []
    assert [one.id for one in claims.still_open(store)] == ["a"]
