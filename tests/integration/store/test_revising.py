"""Results that are revised without a model, and the calibration in use."""

import json
from typing import Any

import pytest

from daemon.contracts.values import Rated, Ticket
from daemon.core.agreement.calibration import Anchor, Calibration, corrections, rater_identity
from daemon.core.classes.decision import Wanted
from daemon.core.content.document import CRITERIA, Evaluation, Scored
from daemon.core.errors import IllegalTransition, StoreError, UnknownClass, UnknownTask
from daemon.core.tasks.task import Event, Task
from daemon.core.timestamps import to_iso
from daemon.store import Database, audit, classes, commits, deciding, documents, reopening, reports, revising
from daemon.store.calibration import InUse, in_use
from daemon.store.membership import Membership, membership
from daemon.store.models import DocumentRow
from daemon.store.revising import Rating
from tests.integration.stores import NOW, RATING, WAY, birth, born, change, completed, deliver_all, walk

ORIGIN: dict[str, Any] = {"model": "m", "digest": "d", "prompt_sha256": "p", "parameters": {"top_p": 0.9}}
LATER = NOW + 100


def scored(expected: float = 5.0) -> Evaluation:
    one = Scored(expected=expected, model_score=int(expected), model_expected=expected)
    integers: dict[str, Any] = dict.fromkeys(CRITERIA, int(expected))
    return RATING.model_copy(update={**integers, "scores": dict.fromkeys(CRITERIA, one)})


def rated(store: Database, name: str, expected: float = 5.0, **origin: str) -> Task:
    (task,) = born(store, birth(name, student=name))
    task = walk(store, task, *WAY[:-1])
    outcome = Rated(
        Ticket(task.id, task.revision, task.attempt), scored(expected), provenance={**ORIGIN, **origin}
    )
    commits.commit(store, [change(task, Event.RATED, outcome=outcome)])
    return task


def use(number: int = 1, apart: int = 2, **identity: str) -> InUse:
    said = dict.fromkeys(CRITERIA, 5 + apart)
    anchors = [
        Anchor(
            task_id=at,
            expected=dict.fromkeys(CRITERIA, 5.0),
            people={"ann": said},
        )
        for at in range(12)
    ]
    made = Calibration(
        number=number,
        made_at=to_iso(NOW),
        made_by="ann",
        day="2023-11-14",
        begins_at=to_iso(NOW - 1000),
        ends_at=to_iso(NOW + 1000),
        raters=("ann",),
        identity=rater_identity({**ORIGIN, **identity}),
        anchors=tuple(anchors),
        criteria=corrections(anchors, ["ann"], lambda n: ()),
    )
    return InUse(made, f"sha-{number}")


def last(store: Database, task_id: int) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(documents.results(store, task_id)[-1])
    return result


def test_a_revision_changes_the_rating_and_nothing_else(store: Database) -> None:
    task = rated(store, "anna")
    deliver_all(store)
    before, row = last(store, task.id), reports.task(store, task.id)
    revising.revise(store, Rating(task.id, scored(8.0), ORIGIN), "decided", LATER, "ann")
    after = last(store, task.id)
    changed = {key for key in after if after[key] != before[key]}
    assert changed == {"revision", "generated_at", "evaluation"}
    assert (after["revision"], after["evaluation"]["overall_rating"]) == (2, 8)
    now = reports.task(store, task.id)
    assert now.task.delivered_at is None
    assert (now.task.rating, now.task.ended_at, now.task.status) == (8, row.task.ended_at, row.task.status)
    entry = now.history[-1]
    assert (entry.event, entry.actor, entry.revision) == ("decided", "ann", 2)
    (waiting,) = documents.undelivered(store, 10)
    assert ".r2." in waiting.name


def test_only_a_rated_task_has_a_rating_to_revise(store: Database) -> None:
    waiting, failed = born(store, birth("bert", student="bert"), birth("cleo", student="cleo"))
    walk(store, failed, Event.FAILED)
    old = completed(store, born(store, birth("dora", student="dora"))[0])
    for task_id, error in (
        (waiting.id, IllegalTransition),
        (failed.id, IllegalTransition),
        (99, UnknownTask),
    ):
        with pytest.raises(error):
            revising.revise(store, Rating(task_id, scored(), ORIGIN), "decided", LATER)
    assert [each.task_id for each in revising.ratings_of(store, Membership("", 0, LATER))] == []
    revising.revise(store, Rating(old.id, scored(), ORIGIN), "decided", LATER)
    assert last(store, old.id)["revision"] == 2


def test_a_revised_task_can_be_rated_again_and_delivered_again(store: Database) -> None:
    task = rated(store, "anna")
    revising.calibrate(store, use(), LATER, "ann")
    reopening.deliver_again(store, task.id, LATER)
    again = reopening.rate_again(store, task.id, LATER)
    assert again.revision == 3
    again = walk(store, again, Event.STARTED)
    outcome = Rated(Ticket(again.id, 3, again.attempt), scored(4.0), provenance=ORIGIN)
    commits.commit(store, [change(again, Event.RATED, outcome=outcome)])
    assert last(store, task.id)["evaluation"]["scores"]["overall_rating"]["source"] == "calibrated"


def test_a_calibration_is_applied_to_its_class_and_its_model_alone(store: Database) -> None:
    mine, other = rated(store, "anna"), rated(store, "bert", prompt_sha256="q")
    unscored = completed(store, born(store, birth("cleo", student="cleo"))[0])
    done = revising.calibrate(store, use(), LATER, "ann")
    assert (done.tasks, done.left, done.differs) == ((mine.id,), 1, ("prompt_sha256",))
    assert [last(store, each.id)["revision"] for each in (mine, other, unscored)] == [2, 1, 1]
    assert revising.calibrate(store, use(), LATER, "ann").tasks == ()
    other_class = use(2)
    moved = other_class.calibration.model_copy(
        update={"begins_at": to_iso(NOW + 500), "ends_at": to_iso(NOW + 900)}
    )
    assert revising.calibrate(store, InUse(moved, "sha-2"), LATER, "ann").tasks == ()
    assert last(store, mine.id)["provenance"]["rate"]["calibration"]["number"] == 1


def test_a_decision_that_is_taken_back_leaves_what_its_class_has(store: Database) -> None:
    before, while_ = rated(store, "anna"), rated(store, "bert")
    accepted = Wanted(by="ann")

    def figures(task: Task) -> tuple[int, bool]:
        found = last(store, task.id)
        return found["evaluation"]["overall_rating"], "calibration" in found["provenance"]["rate"]

    deciding.decide(store, while_.id, accepted, LATER, "ann")
    revising.calibrate(store, use(), LATER, "ann")
    assert figures(while_) == (5, False)
    deciding.take_back(store, while_.id, LATER, "ann")
    assert figures(while_) == figures(before) == (7, True)
    deciding.decide(store, before.id, accepted, LATER, "ann")
    revising.remove_calibration(store, LATER, "ann")
    deciding.take_back(store, before.id, LATER, "ann")
    assert figures(before) == figures(while_) == (5, False)
    apart = use(2).calibration.model_copy(update={"ends_at": to_iso(NOW - 900)})
    deciding.decide(store, before.id, accepted, LATER, "ann")
    revising.calibrate(store, InUse(apart, "sha-2"), LATER, "ann")
    deciding.take_back(store, before.id, LATER, "ann")
    assert figures(before) == (5, False), "a calibration of another class is none of its own"
    revising.calibrate(store, use(3), LATER, "ann")
    corrected = figures(before)
    deciding.decide(store, before.id, accepted, LATER, "ann")
    revising.calibrate(store, use(4, prompt_sha256="q"), LATER, "ann")
    deciding.take_back(store, before.id, LATER, "ann")
    assert figures(before) == corrected, "one of another prompt does not hold for it, and the old one stays"
    revision = last(store, before.id)["revision"]
    deciding.decide(store, before.id, accepted, LATER, "ann")
    deciding.take_back(store, before.id, LATER, "ann")
    assert last(store, before.id)["revision"] == revision + 2


def test_a_second_calibration_corrects_the_models_own_figures_and_not_the_corrected(store: Database) -> None:
    task = rated(store, "anna")
    revising.calibrate(store, use(1, apart=2), LATER, "ann")
    revising.calibrate(store, use(2, apart=-2), LATER, "ann")
    score = last(store, task.id)["evaluation"]["scores"]["overall_rating"]
    assert 3 <= score["expected"] < 4
    assert score["model_expected"] == 5


def test_a_removal_takes_back_all_that_it_corrected_and_no_other(store: Database) -> None:
    first = rated(store, "anna")
    revising.calibrate(store, use(1), LATER, "ann")
    away = use(2).calibration.model_copy(
        update={"begins_at": to_iso(NOW + 500), "ends_at": to_iso(NOW + 900)}
    )
    revising.calibrate(store, InUse(away, "sha-2"), LATER, "ann")
    second = rated(store, "bert")
    done = revising.remove_calibration(store, LATER, "ann")
    assert done.tasks == (second.id,)
    sources = [
        last(store, each.id)["evaluation"]["scores"]["overall_rating"]["source"] for each in (first, second)
    ]
    assert sources == ["calibrated", "model"]
    assert "calibration" not in last(store, second.id)["provenance"]["rate"]
    assert in_use(store) is None
    with pytest.raises(IllegalTransition, match="no calibration is in use"):
        revising.remove_calibration(store, LATER, "ann")


def test_what_fails_midway_changes_nothing(store: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = [rated(store, name) for name in ("anna", "bert", "cleo")]
    real = documents.add_document

    def full(db: Database, document: Any, **more: Any) -> None:
        if document.task_id == tasks[2].id:
            raise StoreError("the disk is full")
        real(db, document, **more)

    monkeypatch.setattr(documents, "add_document", full)
    with pytest.raises(StoreError):
        revising.calibrate(store, use(), LATER, "ann")
    assert in_use(store) is None
    assert audit.entries(store) == []
    assert [last(store, each.id)["revision"] for each in tasks] == [1, 1, 1]


def test_each_use_and_removal_is_in_the_audit(store: Database) -> None:
    task = rated(store, "anna")
    revising.calibration_made(store, use(), LATER, "ann")
    revising.calibrate(store, use(), LATER, "ann")
    revising.remove_calibration(store, LATER, None)
    entries = audit.entries(store)
    assert [entry.what for entry in entries] == [
        "calibration_made",
        "calibration_applied",
        "calibration_removed",
    ]
    details = [json.loads(entry.details.text or "") for entry in entries]
    assert {each["subject"] for each in details} == {"calibration 1"}
    named = {"number": 1, "sha256": "sha-1"}
    assert details[1] | {"subject": ""} == {
        "subject": "", "before": None, "after": {**named, "tasks": [task.id]}
    }  # fmt: skip
    assert details[2]["before"] == {**named, "tasks": [task.id]}


@pytest.mark.parametrize("kind", ["revised", "decided"])
def test_a_result_of_version_1_is_revised_and_decided_on_as_any_other(store: Database, kind: str) -> None:
    task = rated(store, "anna")
    new = ("schema_version", "set_aside", "profile_evidence", "class_name", "decision", "released")
    old = {key: value for key, value in last(store, task.id).items() if key not in new}
    content = json.dumps({**old, "schema_version": 1}).encode()
    DocumentRow.update(content=content).where(DocumentRow.task_id == task.id).execute(store)
    if kind == "revised":
        revising.revise(store, Rating(task.id, scored(8.0), ORIGIN), "calibrated", LATER)
    else:
        deciding.decide(store, task.id, Wanted(), LATER, "ann")
    after = last(store, task.id)
    assert (after["schema_version"], after["revision"], after["released"]) == (2, 2, kind == "decided")
    assert after["transcript"] == old["transcript"]
    if kind == "decided":
        deciding.take_back(store, task.id, LATER, "ann")
        assert last(store, task.id)["evaluation"] == old["evaluation"]


def test_a_class_has_its_own_tasks_and_a_day_those_of_no_class(store: Database) -> None:
    alone = rated(store, "anna")
    opened = {"deadline": None, "rubric": None, "archive_days": None, "entries": None}
    classes.open_class(store, "Week 3", **opened, now=NOW, actor="ann")
    mine = rated(store, "ben")
    day = to_iso(NOW)[:10]
    of = {name: membership(store, name, LATER) for name in ("Week 3", "current", day)}
    found = {name: [each.task_id for each in revising.ratings_of(store, of[name])] for name in of}
    assert found == {"Week 3": [mine.id], "current": [mine.id], day: [alone.id]}
    made = use().calibration.model_copy(update={"day": "Week 3", "class_id": of["Week 3"].class_id})
    assert revising.calibrate(store, InUse(made, "sha-3"), LATER, "ann").tasks == (mine.id,)
    with pytest.raises(UnknownClass, match="introeval class list"):
        membership(store, "Week 4", LATER)
