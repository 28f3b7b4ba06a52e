"""Pages of tasks: their order, filters and totals; they cost what is asked for, not what there is."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from daemon.contracts.task_query import TaskQuery
from daemon.contracts.wire.tasks import TaskPage
from daemon.contracts.wire.words import TaskOrder
from daemon.core.content.document import Flag
from daemon.core.forecast.class_roll import Members
from daemon.core.schedule.queue import QueueOrder
from daemon.core.tasks.task import Event, Outcome, Stage, Status
from daemon.monitoring.queries import queue, task_page
from daemon.store import Database, lists, measured, open_store, recovery, reopening, reports
from daemon.store.lists import WINDOW
from tests.integration.store.test_cost import steps
from tests.integration.stores import NOW, birth, born, completed, grow, walk

FINISHED = 3000
STUDENTS = ("eve", "anna", "ben", "fay", "cleo", "dan")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Database]:
    """Six finished tasks, of which the last failed, and three open ones: 7 held, 8, and 9 of anna."""
    with open_store(tmp_path / "introeval.db") as opened:
        for number, student in enumerate(STUDENTS):
            (task,) = born(opened, birth(f"c-{student}", student), now=NOW + number)
            if student == "dan":
                walk(opened, task, Event.FAILED, at=NOW + 100)
            else:
                completed(opened, task, at=NOW + 100)
        for number, student in enumerate(("zoe", "gil", "anna")):
            flags = (Flag(code="shared_name"),) if student == "gil" else ()
            born(opened, birth(f"open-{student}", student, flags=flags), now=NOW + 10 + number)
        reopening.hold(opened, 7, NOW, held=True)
        yield opened


def page(store: Database, **wanted: Any) -> TaskPage:
    etas = {8: NOW + 200, 9: NOW + 100}
    queued = queue(recovery.open_tasks(store), QueueOrder.FAIR)
    return task_page(store, TaskQuery(**wanted), queued, NOW, etas)


def ids(store: Database, **wanted: Any) -> list[int]:
    return [line.id for line in page(store, **wanted).tasks]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, [9, 8, 7, 6, 5, 4, 3, 2, 1]),
        ({"descending": True}, [1, 2, 3, 4, 5, 6, 7, 8, 9]),
        ({"order": TaskOrder.QUEUE}, [8, 9, 7, 6, 5, 4, 3, 2, 1]),
        ({"order": TaskOrder.QUEUE, "descending": True}, [7, 9, 8, 6, 5, 4, 3, 2, 1]),
        ({"order": TaskOrder.ETA}, [9, 8, 7, 6, 5, 4, 3, 2, 1]),
        ({"order": TaskOrder.STUDENT}, [2, 9, 3, 5, 6, 1, 4, 8, 7]),
        ({"order": TaskOrder.STUDENT, "descending": True}, [7, 8, 4, 1, 6, 5, 3, 9, 2]),
        ({"order": TaskOrder.STATUS}, [9, 8, 7, 5, 4, 3, 2, 1, 6]),
        ({"order": TaskOrder.STATUS, "descending": True}, [6, 1, 2, 3, 4, 5, 7, 8, 9]),
        ({"only_open": True}, [9, 8, 7]),
        ({"statuses": frozenset({Status.FAILED})}, [6]),
        ({"statuses": frozenset({Status.FAILED, Status.UPLOADED})}, [9, 8, 7, 6]),
        ({"statuses": frozenset({Status.COMPLETED}), "only_open": True}, []),
        ({"student": "anna"}, [9, 2]),
        ({"student": "anna", "order": TaskOrder.STUDENT}, [2, 9]),
        ({"text": "AN"}, [9, 6, 2]),
        ({"text": "AN", "only_open": True}, [9]),
        ({"text": "6"}, [6]),
        ({"text": "intro"}, [9, 8, 7, 6, 5, 4, 3, 2, 1]),
        ({"text": "intro", "student": "anna"}, [9, 2]),
        ({"before": 8}, [7, 6, 5, 4, 3, 2, 1]),
        ({"outcomes": frozenset({Outcome.EVALUATED})}, [5, 4, 3, 2, 1]),
        ({"outcomes": frozenset({Outcome.EVALUATED, Outcome.FAILED})}, [6, 5, 4, 3, 2, 1]),
        ({"outcomes": frozenset({Outcome.EVALUATED}), "order": TaskOrder.STUDENT}, [2, 3, 5, 1, 4]),
        ({"outcomes": frozenset({Outcome.EVALUATED}), "order": TaskOrder.STATUS}, [5, 4, 3, 2, 1]),
        ({"outcomes": frozenset({Outcome.EVALUATED}), "student": "anna"}, [2]),
        ({"outcomes": frozenset({Outcome.EVALUATED}), "text": "an"}, [2]),
        ({"outcomes": frozenset({Outcome.EVALUATED}), "before": 3}, [2, 1]),
        ({"outcomes": frozenset({Outcome.EVALUATED}), "only_open": True}, []),
        ({"outcomes": frozenset({Outcome.FAILED}), "statuses": frozenset({Status.COMPLETED})}, []),
        ({"outcomes": frozenset({Outcome.NEEDS_REVIEW})}, []),
        ({"flags": frozenset({"demo_model"})}, [5, 4, 3, 2, 1]),
        ({"flags": frozenset({"demo_model", "shared_name"})}, [8, 5, 4, 3, 2, 1]),
        ({"flags": frozenset({"shared_name"}), "only_open": True}, [8]),
        ({"flags": frozenset({"quiet"})}, []),
        ({"flags": frozenset({"demo_model"}), "student": "anna"}, [2]),
        ({"flags": frozenset({"demo_model"}), "text": "an", "order": TaskOrder.QUEUE}, [2]),
    ],
)
def test_tasks_are_listed_as_wanted(store: Database, wanted: dict[str, Any], expected: list[int]) -> None:
    assert ids(store, **wanted) == expected


@pytest.mark.parametrize("order", list(TaskOrder))
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("only_open", [False, True])
def test_pages_put_together_are_the_whole(
    store: Database, order: TaskOrder, descending: bool, only_open: bool
) -> None:
    how = {"order": order, "descending": descending, "only_open": only_open}
    whole = page(store, **how)
    parts = [page(store, offset=offset, limit=2, **how) for offset in range(0, 12, 2)]
    assert [line.id for part in parts for line in part.tasks] == [line.id for line in whole.tasks]
    assert {part.total for part in parts} == {whole.total} == {3 if only_open else 9}


def test_totals_are_of_all_pages(store: Database) -> None:
    assert page(store, limit=1, statuses=frozenset({Status.COMPLETED})).total == 5
    assert page(store, limit=1, student="anna").total == 2
    assert page(store, limit=1, text="an").total == 3
    assert page(store, limit=1, outcomes=frozenset({Outcome.EVALUATED})).total == 5
    assert page(store, limit=1, outcomes=frozenset({Outcome.EVALUATED}), student="anna").total == 1
    assert page(store, limit=1, flags=frozenset({"demo_model", "shared_name"})).total == 6


def test_a_text_is_searched_in_all_open_tasks_and_in_the_newest_finished_ones(store: Database) -> None:
    assert not page(store, text="an").partial
    grow(store, WINDOW)
    found = page(store, text="zoe")
    assert [line.id for line in found.tasks] == [7]
    assert found.partial
    assert not page(store, text="zoe", only_open=True).partial


QUESTIONS: dict[str, Callable[[Database], Any]] = {
    **{
        f"by {order}{' the other way round' if descending else ''}": partial(
            page, order=order, descending=descending, limit=5
        )
        for order in TaskOrder
        for descending in (False, True)
    },
    "open alone": lambda store: page(store, only_open=True, order=TaskOrder.QUEUE),
    "of a status": lambda store: page(store, statuses=frozenset({Status.COMPLETED}), limit=4),
    **{
        f"of an outcome by {order}": partial(page, outcomes=frozenset(Outcome), order=order, limit=5)
        for order in TaskOrder
        if order is not TaskOrder.STUDENT  # that is a search
    },
    "the next page": lambda store: page(store, limit=4, before=6),
    "of a student": lambda store: page(store, student="ben"),
    "what failed lately": lambda store: lists.failed_since(store, NOW + 200),
    "the last phases": lambda store: lists.last_phases(store, 5),
    "lines by their ids": lambda store: lists.by_ids(store, [1, 2, 3]),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_list_costs_the_same_with_a_long_history(store: Database, question: str) -> None:
    ask = QUESTIONS[question]
    few = steps(store, ask)
    grow(store, FINISHED)
    assert steps(store, ask) <= 2 * few + 100


@pytest.mark.parametrize(
    "wanted",
    [
        {"text": "nobody"},
        {"flags": frozenset({"quiet"})},
        {"outcomes": frozenset({Outcome.UNSCORABLE}), "order": TaskOrder.STUDENT},
    ],
)
def test_a_search_costs_its_window(store: Database, wanted: dict[str, Any]) -> None:
    grow(store, WINDOW)
    few = steps(store, lambda store: page(store, **wanted))
    with store.atomic():
        grow_more(store)
    assert steps(store, lambda store: page(store, **wanted)) <= 1.1 * few
    assert page(store, **wanted).partial


def grow_more(store: Database) -> None:
    """As many finished tasks again, with ids above all others."""
    columns = [row[1] for row in store.execute_sql("PRAGMA table_info(processing_tasks)")]
    kept = {"id": "id + 100000", "claim_id": "claim_id || 'again'"}
    values = ", ".join(kept.get(column, column) for column in columns)
    claims = [row[1] for row in store.execute_sql("PRAGMA table_info(claims)")]
    copied = ", ".join("id || 'again'" if column == "id" else column for column in claims)
    store.execute_sql(f"INSERT INTO claims SELECT {copied} FROM claims WHERE id LIKE 'copy%'")
    store.execute_sql(f"INSERT INTO processing_tasks SELECT {values} FROM processing_tasks WHERE id >= 1000")


def test_what_failed_lately_is_counted(store: Database) -> None:
    assert lists.failed_since(store, NOW + 50) == ["dan"]
    assert lists.failed_since(store, NOW + 200) == []


def test_the_speed_counts_the_rated_tasks_and_the_time_of_their_attempts_alone(store: Database) -> None:
    """All attempts of the store took the same 1.5 s."""
    speed = lists.speed(store)
    assert speed.mean_s == pytest.approx(3 * 1.5)
    assert speed.tasks_per_h == pytest.approx(5 / 1.5 * 3600)
    later = reopening.rate_again(store, 1, NOW + 9000)
    walk(store, later, Event.STARTED, Event.RATED, at=NOW + 9999)
    assert lists.speed(store).tasks_per_h == pytest.approx(4 / 1.5 * 3600), "a new rating is no whole task"


def test_the_speed_is_not_known_before_a_task_was_rated(tmp_path: Path) -> None:
    with open_store(tmp_path / "introeval.db") as opened:
        assert lists.speed(opened) == lists.Speed()
        (task,) = born(opened, birth("c-dan", "dan"), now=NOW)
        walk(opened, task, Event.FAILED, at=NOW + 100)
        assert lists.speed(opened) == lists.Speed()


def test_the_speed_costs_its_window(store: Database) -> None:
    grow(store, 600)
    few = steps(store, lists.speed)
    with store.atomic():
        grow_more(store)
    assert steps(store, lists.speed) <= 1.1 * few


def test_the_outcomes_of_a_class_are_counted_with_its_older_tasks(store: Database) -> None:
    assert measured.outcomes_of(store, Members(3, frozenset({1}))) == {"evaluated": 4, "failed": 1}
    assert measured.outcomes_of(store, Members(None, frozenset({1, 6}))) == {"evaluated": 1, "failed": 1}
    assert measured.outcomes_of(store, Members()) == {}
    assert measured.class_of(store, 3) == (7, NOW + 100, NOW)


def test_a_held_task_has_no_estimate(store: Database) -> None:
    measured.set_estimates(store, {7: NOW + 300, 8: NOW + 300})
    reopening.hold(store, 8, NOW, held=True)
    assert [each.estimated_completion for each in lists.by_ids(store, [7, 8])] == [None, None]


def test_an_attempt_is_counted_by_its_stage(store: Database) -> None:
    history = reports.task(store, 1).history
    assert [(each.stage, each.attempt) for each in history if each.event == "started"] == [
        (stage, 1) for stage in Stage
    ]
