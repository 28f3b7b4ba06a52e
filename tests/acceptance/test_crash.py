"""The daemon killed at random moments: nothing is lost, nothing is done twice."""

import json
import random
import sqlite3
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.acceptance.lab import SAMPLES, Lab, observed

KILLS = 20
SUCCESSES = {"transcribed": "stt", "unscorable": "stt", "extracted": "extract", "rated": "rate"}


@pytest.mark.timeout(900)
def test_twenty_kills_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    moments = random.Random(7)
    lab = Lab(tmp_path, '[stt]\nmodel = "tiny.en"\n')
    videos = sorted(SAMPLES.glob("s00[1-6]_*.mp4"))
    lab.hand_in(*videos)
    with observed(lab.folder) as observer:
        for _ in range(KILLS):
            daemon = lab.start("run")
            try:
                daemon.wait(timeout=moments.uniform(0.5, 7.0))
            except subprocess.TimeoutExpired:
                daemon.kill()
            daemon.communicate()
        done = lab.run("run", "--once", "--json")
    assert done.returncode == 0, done.stderr
    results = lab.results()
    assert sorted(results) == [f"s00{n}" for n in range(1, 7)]
    assert {r["outcome"] for r in results.values()} <= {"evaluated", "needs_review"}
    assert observer.together() <= {frozenset({"extract", "rate"})}
    with sqlite3.connect(lab.database) as database:
        history = database.execute("SELECT task_id, event, stage FROM task_events ORDER BY id").fetchall()
        frozen = database.execute("SELECT name, content FROM documents WHERE kind = 'result'").fetchall()
    outcomes = Counter((task, SUCCESSES[event]) for task, event, _ in history if event in SUCCESSES)
    assert set(outcomes.values()) == {1}
    assert len(outcomes) == 3 * len(videos)
    done_stages: set[tuple[int, str]] = set()
    for task, event, stage in history:
        assert event != "started" or (task, stage) not in done_stages
        if event in SUCCESSES:
            done_stages.add((task, SUCCESSES[event]))
    for name, content in frozen:
        assert (lab.folder / "outbox" / name).read_bytes() == content
    assert len(frozen) == len(videos)
    assert json.loads(done.stdout)["finished"]
