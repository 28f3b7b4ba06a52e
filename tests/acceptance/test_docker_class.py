"""The real daemon with two real containers: a class goes through, whatever happens to the containers, to the
engine and to the daemon itself, and at no instant do two groups live.
"""

import json
import signal
import sqlite3
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.docker.docker_class import STAGES, Classroom
from tests.docker.docker_lab import Box
from tests.docker.docker_observer import Observer, observed
from tests.docker.engine import Containers, Dockerd
from tests.support.checkout import MODELS, SAMPLES
from tests.support.process_lab import ProcessLab
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.docker, pytest.mark.timeout(400)]
PHASES = [["stt"], ["extract", "rate"]]
PASSES = [["stt"], ["extract"], ["rate"]]
CLASS = 30
FEW = 20
AWAY_S = 5.0  # beyond the first alarm of an engine that is away; the daemon must outlive all of it
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
        room.hand_in(FEW)
        room.start()
        wait_until(lambda: "stt" in observer.alive, "the first stt phase", 60)
        rate.made.start()  # by somebody else, in the wrong phase
        intruded = time.time()
        wait_until(lambda: rate.status == "exited", "the end of the intruder", 10)
        assert observer.alive == {"stt"}
        room.asks_for("rate", FAULTS[::-1])
        room.asks_for("extract", FAULTS)
        room.delivered(3)
        extract.made.kill()
        room.delivered(6)
        wait_until(lambda: rate.status == "running", what="the rater")
        rate.made.kill()
        room.delivered(9)
        wait_until(lambda: rate.status == "running", what="the rater")
        rate.made.remove(force=True)
        room.make("rate")
        room.delivered(FEW)
        assert room.end() == 0
    whole(room, FEW)
    assert any("started from outside" in line.get("message", "") for line in room.log())
    ended = min(until_ for since, until_, stage in observer.spans if stage == "rate" and until_ > intruded)
    assert ended - intruded < 3
    observer.spans.remove(next(span for span in observer.spans if span[1] == ended))
    observer.seen.discard(frozenset({"stt", "rate"}))
    apart(observer, PHASES)
    assert {box.status for box in room.boxes.values()} == {"exited"}


def test_a_daemon_killed_and_stopped_in_each_phase_and_each_switch_loses_nothing(
    tmp_path: Path, containers: Containers
) -> None:
    """With a group for each engine, and containers that outlast the grace of their stop."""
    environment = {"OLLAMA_TEST_TOKEN_S": "0.004", "OLLAMA_TEST_STOP_S": "1.5"}
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


def test_a_class_outlives_its_docker_engine(tmp_path: Path, engine_apart: Dockerd) -> None:
    """The engine is restarted, and brings a container back by its policy, while Whisper works; then it stays
    away with tasks in flight.
    """
    containers = Containers(engine_apart.engine)
    environment = {"OLLAMA_TEST_TOKEN_S": "0.004"}
    more = {"network_mode": "host"}
    room = Classroom(tmp_path, containers, PHASES, seconds=1.5, environment=environment, more=more)
    rate = room.boxes["rate"]
    rate.made.start()  # the engine brings back none that never ran
    rate.made.stop(timeout=1)
    room.hand_in(8)
    room.start()
    try:
        wait_until(lambda: room.at_work() == ["stt"], what="the first stt phase")
        rate.made.update(restart_policy={"Name": "always"})
        began = rate.made.attrs["State"]["StartedAt"]
        engine_apart.stop()
        engine_apart.start()
        wait_until(lambda: rate.made.attrs["State"]["StartedAt"] != began, what="the rater, by its policy")
        wait_until(lambda: rate.status == "exited", "the rater's end", 10)
        assert room.at_work() == ["stt"]
        assert rate.made.attrs["HostConfig"]["RestartPolicy"]["Name"] == "no"
        room.delivered(2)
        engine_apart.stop()
        wait_until(lambda: "unreachable" in room.engine_states(), what="the engine, missed")
        time.sleep(AWAY_S)
        engine_apart.start()
        room.delivered(8)
        assert room.end() == 0
    finally:
        if room.daemon is not None:
            room.daemon.kill()
            room.daemon.wait()
    whole(room, 8)
    assert any("started from outside" in line.get("message", "") for line in room.log())


def test_real_videos_become_real_results_by_models_in_containers(
    tmp_path: Path, containers: Containers
) -> None:
    """Real Whisper, and SmolLM2 behind Ollama's API in two containers, through the command of a user."""
    gguf = next((MODELS / "smollm2").resolve().glob("*.gguf"))
    boxes = {stage: Box(containers, stem) for stem, stage in STAGES.items()}
    for box in boxes.values():
        flags = ["--host", "0.0.0.0", "--port", "11434", f"--version={box.name}", "--gpu-share", "0"]
        box.make([sys.executable, "-m", "tests.docker.docker_smollm", str(gguf), *flags])
    tables = [
        f'[gpu]\nresidency = {json.dumps(PASSES)}\n[stt]\nmodel = "tiny.en"',
        f'[docker]\nbase_url = "{containers.engine.url}"',
        *(f'[{stage}]\ncontainer = "{box.name}"\nurl = "{box.url}"' for stage, box in boxes.items()),
    ]
    lab = ProcessLab(tmp_path, "\n".join(tables))
    lab.hand_in(*sorted(SAMPLES.glob("s00[1-2]_*.mp4")))
    names = {box.name: stage for stage, box in boxes.items()}
    with observed(containers.engine, names, tmp_path / "var" / "engines" / "stt.lock") as observer:
        done = lab.run("run", "--once", "--runtime", "docker", "--json")
    assert done.returncode == 0, done.stderr
    apart(observer, PASSES)
    results = lab.results()
    assert sorted(results) == ["s001", "s002"]
    for result in results.values():
        assert result["outcome"] in ("evaluated", "needs_review")
        assert 1 <= result["evaluation"]["overall_rating"] <= 10
        assert result["profile"]["name"]
        provenance = result["provenance"]["rate"]
        assert (provenance["runtime"], provenance["device"]) == ("docker", "cpu")
        assert provenance["server_version"] == boxes["rate"].name
        assert "demo_model" not in {flag["code"] for flag in result["flags"]}
