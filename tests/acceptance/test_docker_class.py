"""The real daemon with two real containers: a class goes through, whatever happens to the containers, to the
engine and to the daemon itself, and at no instant do two groups live.
"""

import signal
import sqlite3
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.docker.docker_class import Classroom
from tests.docker.docker_observer import Observer
from tests.docker.engine import Containers, until

pytestmark = [pytest.mark.docker, pytest.mark.timeout(400)]
PHASES = [["stt"], ["extract", "rate"]]
PASSES = [["stt"], ["extract"], ["rate"]]
CLASS = 30
FAULTS = [
    *("error", "truncated", "prose", "whitespace", "repeat", "empty_error", "busy"),
    *("silence", "runner_dies", "cut_connection", "length"),
]


def whole(room: Classroom, count: int) -> None:
    """Every student has one result, and nothing was done twice."""
    results = room.results()
    assert sorted(results) == [f"s{number:03}" for number in range(1, count + 1)]
    assert {result["outcome"] for result in results.values()} <= {"evaluated", "needs_review"}
    with sqlite3.connect(room.folder / "var" / "introeval.db") as database:
        events = database.execute("SELECT task_id, event FROM task_events").fetchall()
        charged = database.execute("SELECT MAX(retry_count) FROM processing_tasks").fetchone()
    done = Counter((task, event) for task, event in events if event in ("transcribed", "extracted", "rated"))
    assert set(done.values()) == {1}
    assert len(done) == 3 * count
    assert charged == (0,)


def apart(observer: Observer, groups: list[list[str]]) -> None:
    """No instant with two groups, and all of them were seen."""
    assert observer.overlaps(groups) == []
    assert observer.mixed(groups) == set()
    assert {stage for seen in observer.seen for stage in seen} == {"stt", "extract", "rate"}
    assert observer.looks > 100


def test_a_class_whose_containers_and_servers_fail_in_every_way_is_delivered(
    tmp_path: Path, containers: Containers
) -> None:
    """Faults of the servers, kills, a removal and a start from outside, each with tasks in flight."""
    environment = {"OLLAMA_TEST_TOKEN_S": "0.004"}
    room = Classroom(tmp_path, containers, PHASES, seconds=0.3, environment=environment)
    extract, rate = room.boxes["extract"], room.boxes["rate"]
    with room.watched() as observer:
        room.hand_in(CLASS)
        room.start()
        until(lambda: "stt" in observer.alive, 60, "the first stt phase")
        rate.made.start()  # by somebody else, in the wrong phase
        intruded = time.time()
        until(lambda: rate.status == "exited", 10, "the end of the intruder")
        assert observer.alive == {"stt"}
        room.asks_for("extract", FAULTS)
        room.asks_for("rate", FAULTS[::-1])
        room.delivered(3)
        extract.made.kill()
        room.delivered(6)
        until(lambda: rate.status == "running", what="the rater")
        rate.made.kill()
        room.delivered(9)
        until(lambda: rate.status == "running", what="the rater")
        rate.made.remove(force=True)
        room.make("rate")
        room.delivered(CLASS)
        assert room.end() == 0
    whole(room, CLASS)
    assert any("started from outside" in line.get("message", "") for line in room.log())
    ended = min(until_ for since, until_, stage in observer.spans if stage == "rate" and until_ > intruded)
    assert ended - intruded < 5
    observer.spans.remove(next(span for span in observer.spans if span[1] == ended))
    observer.seen.discard(frozenset({"stt", "rate"}))
    apart(observer, PHASES)
    assert {box.status for box in room.boxes.values()} == {"exited"}


def test_a_daemon_killed_and_stopped_in_each_phase_and_each_switch_loses_nothing(
    tmp_path: Path, containers: Containers
) -> None:
    """With a group for each engine, and containers that outlast the grace of their stop."""
    environment = {"OLLAMA_TEST_TOKEN_S": "0.004", "OLLAMA_TEST_STOP_S": "3"}
    more = {"restart_policy": {"Name": "always"}}
    room = Classroom(tmp_path, containers, PASSES, seconds=0.2, environment=environment, more=more)
    with room.watched() as observer:
        room.hand_in(CLASS)
        for number in (signal.SIGKILL, signal.SIGTERM):
            for stage in ("stt", "extract", "rate"):
                for into_s in (0.0, 1.5):  # in the switch to it, and in its phase
                    room.start()
                    room.until_alive(observer, stage)
                    time.sleep(into_s)
                    assert room.end(number) in (0, -signal.SIGKILL)
        room.start()
        room.delivered(CLASS)
        assert room.end() == 0
    whole(room, CLASS)
    apart(observer, PASSES)
    for box in room.boxes.values():
        assert (box.status, box.made.attrs["HostConfig"]["RestartPolicy"]["Name"]) == ("exited", "always")
