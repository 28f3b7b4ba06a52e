"""What of the history counts for the durations of the present machine and engine."""

from dataclasses import replace

from daemon.contracts.values import Rated, Ticket
from daemon.core.tasks.task import Event, Stage
from daemon.store import Database, commits, measured
from tests.integration.stores import NOW, RATING, WAY, birth, born, change, walk


def rated(
    store: Database, student: str, began: float, seconds: float, *, node: str | None = None, **engine: str
) -> None:
    (task,) = born(store, birth(f"c-{student}", student))
    task = walk(store, task, *WAY[:-2])
    task = walk(store, task, Event.STARTED, at=began)
    ticket = Ticket(task.id, task.revision, task.attempt)
    outcome = Rated(ticket, RATING, provenance={"model": "llama3", **engine})
    ended = change(task, Event.RATED, began + seconds, outcome=outcome)
    commits.commit(store, [replace(ended, node=node)])


def seconds(store: Database) -> list[float]:
    return [round(one.seconds) for one in measured.tries(store, Stage.RATE)]


def test_an_engine_is_measured_by_its_own_attempts_also_when_it_comes_back(store: Database) -> None:
    rated(store, "anna", NOW, 20.0, digest="sha256:a", server_version="0.25")
    rated(store, "ben", NOW + 100, 7.0, digest="sha256:b", server_version="0.25")
    assert seconds(store) == [7]
    rated(store, "cleo", NOW + 200, 8.0, digest="sha256:b", server_version="0.32")
    assert seconds(store) == [8]
    rated(store, "dan", NOW + 300, 21.0, digest="sha256:a", server_version="0.25")
    assert seconds(store) == [21, 20]


def test_a_machine_is_measured_by_its_own_attempts_also_when_it_comes_back(store: Database) -> None:
    rated(store, "anna", NOW, 20.0)
    measured.on_machine(store, "RTX 3060 Ti")
    assert seconds(store) == [20], "before machines were recorded there was but one"
    measured.on_machine(store, "2 cores, no GPU")
    rated(store, "ben", NOW + 100, 90.0, device="cpu")
    assert seconds(store) == [90]
    assert measured.tries(store, Stage.RATE)[0].on_processor
    measured.on_machine(store, "2 cores, no GPU")
    measured.on_machine(store, "RTX 3060 Ti")
    rated(store, "cleo", NOW + 300, 21.0)
    assert seconds(store) == [21, 20]


def test_an_attempt_knows_how_long_it_had_how_many_beside_it(store: Database) -> None:
    rated(store, "anna", NOW, 20.0)
    rated(store, "ben", NOW + 10, 20.0)
    assert [one.spent for one in measured.tries(store, Stage.RATE)] == [(10, 10, 0, 0), (10, 10, 0, 0)]


def test_attempts_at_other_machines_are_not_measured_as_ours_nor_as_beside_ours(store: Database) -> None:
    rated(store, "anna", NOW, 20.0)
    rated(store, "ben", NOW + 10, 5.0, node="lab1")
    assert [(one.seconds, one.spent) for one in measured.tries(store, Stage.RATE)] == [(20.0, (20, 0, 0, 0))]
