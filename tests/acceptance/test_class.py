"""The sample class through the real daemon: real Whisper, real language models, real files.

Twice: all of it undisturbed, a part of it with the daemon killed at random moments. All that is asked of the
one is asked of the other, as if nothing had happened: nothing is lost, nothing is done twice.
"""

import json
import random
import signal
import sqlite3
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.acceptance.wording import errors
from tests.support.checkout import SAMPLES
from tests.support.process_lab import Observer, ProcessLab, observed

WORDS: dict[str, dict[str, Any]] = json.loads((SAMPLES / "words.json").read_text())
SILENT = next(name for name, facts in WORDS.items() if not facts["words"])
GROUPS = {"base": [["stt"], ["extract", "rate"]], "tiny.en": [["stt"], ["extract"], ["rate"]]}
KILLS = {"base": 0, "tiny.en": 10}
CLASS = {"base": list(WORDS), "tiny.en": [*list(WORDS)[:3], SILENT]}
SUCCESSES = {"transcribed": "stt", "unscorable": "stt", "extracted": "extract", "rated": "rate"}

pytestmark = pytest.mark.timeout(900)


@dataclass
class Worked:
    """A lab whose class was worked off, and what was seen meanwhile."""

    lab: ProcessLab
    report: dict[str, Any]
    results: dict[str, dict[str, Any]]
    observer: Observer
    model: str

    @property
    def videos(self) -> list[str]:
        """What was handed in."""
        return CLASS[self.model]

    @property
    def spoken(self) -> dict[str, dict[str, Any]]:
        """What is said in those in which somebody speaks."""
        return {name: WORDS[name] for name in self.videos if WORDS[name]["words"]}


@pytest.fixture(scope="module", params=["base", "tiny.en"])
def worked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Worked:
    model: str = request.param
    settings = f'[stt]\nmodel = "{model}"\n[gpu]\nresidency = {json.dumps(GROUPS[model])}\n'
    lab = ProcessLab(tmp_path_factory.mktemp("lab"), settings)
    lab.hand_in(*(SAMPLES / name for name in CLASS[model]))
    moments = random.Random(7)
    with observed(lab.folder) as observer:
        for _ in range(KILLS[model]):
            killed_after(lab, moments.uniform(0.5, 7.0))
        done = lab.run("run", "--once", "--json")
    assert done.returncode == 0, done.stderr
    return Worked(lab, json.loads(done.stdout), lab.results(), observer, model)


def killed_after(lab: ProcessLab, seconds: float) -> None:
    """Start the daemon and kill it so many seconds later, wherever it is then."""
    daemon = lab.start("run")
    try:
        daemon.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        daemon.kill()
    _, err = daemon.communicate()
    assert daemon.returncode == -signal.SIGKILL, err


def by_file(worked: Worked) -> dict[str, dict[str, Any]]:
    return {result["source"]["filename"]: result for result in worked.results.values()}


def test_each_video_has_one_result_that_the_published_schema_accepts(worked: Worked) -> None:
    schema = json.loads(worked.lab.run("schema").stdout)
    assert by_file(worked).keys() == set(worked.videos)
    for result in worked.results.values():
        jsonschema.validate(result, schema, format_checker=jsonschema.FormatChecker())


def test_the_transcripts_are_what_was_said(worked: Worked) -> None:
    heard = by_file(worked)
    counted = [
        errors(facts["words"], heard[name]["transcript"]["text"]) for name, facts in worked.spoken.items()
    ]
    wrong, said = map(sum, zip(*counted, strict=True))
    assert wrong / said <= {"base": 0.05, "tiny.en": 0.08}[worked.model]


def test_all_forms_but_one_have_the_spoken_name(worked: Worked) -> None:
    heard = by_file(worked)
    names = {name: (heard[name]["profile"] or {}).get("name") for name in worked.spoken}
    right = [name for name, facts in worked.spoken.items() if names[name] == facts["name"]]
    assert len(right) >= len(worked.spoken) - 1, names


def test_nothing_stands_in_a_form_that_was_not_said(worked: Worked) -> None:
    for result in worked.results.values():
        profile = result["profile"] or {}
        if (age := profile.get("age")) is not None:
            assert str(age) in str(WORDS[result["source"]["filename"]]["age"])


def test_every_introduction_is_rated_by_figures_in_their_range(worked: Worked) -> None:
    for name in worked.spoken:
        result = by_file(worked)[name]
        assert result["outcome"] in ("evaluated", "needs_review"), result["flags"]
        assert 1 <= result["evaluation"]["overall_rating"] <= 10
        assert "demo_model" in {flag["code"] for flag in result["flags"]}


def test_silence_is_never_rated(worked: Worked) -> None:
    silent = by_file(worked)[SILENT]
    assert (silent["outcome"], silent["evaluation"], silent["profile"]) == ("unscorable", None, None)
    assert silent["error"]["code"] == "no_speech"


def test_no_two_groups_lived_at_one_time(worked: Worked) -> None:
    allowed = {frozenset({"extract", "rate"})} if worked.model == "base" else set()
    assert worked.observer.together() <= allowed
    assert {engine for group in worked.observer.seen for engine in group} == {"stt", "extract", "rate"}
    assert worked.observer.looks > 100


def test_each_stage_is_done_once_and_what_is_delivered_is_what_was_frozen(worked: Worked) -> None:
    with sqlite3.connect(worked.lab.database) as database:
        history = database.execute("SELECT task_id, event, stage FROM task_events ORDER BY id").fetchall()
        frozen = database.execute("SELECT name, content FROM documents WHERE kind = 'result'").fetchall()
    done_stages: set[tuple[int, str]] = set()
    for task, event, stage in history:
        assert event != "started" or (task, stage) not in done_stages
        if event in SUCCESSES:
            assert (task, SUCCESSES[event]) not in done_stages
            done_stages.add((task, SUCCESSES[event]))
    per_stage = Counter(stage for _, stage in done_stages)
    assert per_stage == {
        "stt": len(worked.videos),
        "extract": len(worked.spoken),
        "rate": len(worked.spoken),
    }
    for name, content in frozen:
        assert (worked.lab.folder / "outbox" / name).read_bytes() == content
    assert len(frozen) == len(worked.videos)
    assert worked.report["finished"]


def test_a_second_run_has_nothing_to_do(worked: Worked) -> None:
    before = {p: p.stat().st_mtime_ns for p in worked.lab.folder.glob("outbox/*/*")}
    again = worked.lab.run("run", "--once", timeout=30)
    assert (again.returncode, "nothing to do" in again.stdout) == (0, True), again.stdout
    assert before == {p: p.stat().st_mtime_ns for p in worked.lab.folder.glob("outbox/*/*")}


def test_each_video_has_a_receipt(worked: Worked) -> None:
    receipts = [json.loads(p.read_text()) for p in worked.lab.folder.glob("outbox/*/*.receipt.json")]
    assert sorted(r["filename"] for r in receipts) == sorted(worked.videos)
    assert {r["sha256"] for r in receipts} == {r["source"]["sha256"] for r in worked.results.values()}


def test_the_tables_of_the_lab_s_tools_tell_the_same(worked: Worked) -> None:
    with sqlite3.connect(worked.lab.database) as database:
        tasks = dict(database.execute("SELECT user_id, status FROM processing_tasks").fetchall())
        state = database.execute("SELECT id, current_phase FROM system_state").fetchall()
    assert tasks == dict.fromkeys(worked.results, "completed")
    assert state == [(1, "stt")]


def test_the_reading_commands_work_without_a_daemon(worked: Worked) -> None:
    status = json.loads(worked.lab.run("status", "--json").stdout)
    assert (status["running"], status["counts"]["completed"]) == (False, len(worked.videos))
    (first, *_) = json.loads(worked.lab.run("tasks", "--json").stdout)["tasks"]
    detail = json.loads(worked.lab.run("task", str(first["id"]), "--json").stdout)
    assert {line["event"] for line in detail["history"]} >= {"admitted", "started"}
    missing = worked.lab.run("task", "999")
    assert missing.returncode == 7
    read_from, why = missing.stderr.splitlines()
    assert read_from.startswith("no daemon runs; ")
    assert "999" in why


def test_what_is_published_can_be_read_by_the_group_and_written_by_nobody_else(worked: Worked) -> None:
    modes = {oct(p.stat().st_mode & 0o777) for p in Path(worked.lab.folder).glob("outbox/*/*.json")}
    assert modes == {"0o640"}
