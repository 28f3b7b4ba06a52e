"""Rehearsals with real engines: whole, apart, as simulated, and gone; and with containers."""

import json
import subprocess
from pathlib import Path

import psutil
import pytest

from tests.docker.docker_class import STAGES
from tests.docker.docker_lab import Box
from tests.docker.engine import Containers
from tests.support.process_lab import ProcessLab
from tests.support.waiting import wait_until


@pytest.mark.timeout(600)
def test_five_are_rehearsed_whole_and_apart_as_simulated_and_nothing_but_the_report_is_left(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    settings = '[stt]\nmodel = "tiny.en"\n[gpu]\nresidency = [["stt"], ["extract", "rate"]]\n'
    lab = ProcessLab(tmp_path_factory.mktemp("lab"), settings)
    done = lab.run("rehearse", "5", "--json", timeout=500)
    assert done.returncode in (0, 1), done.stderr  # the time of the plan is for a GPU
    report = json.loads(done.stdout)

    assert len(report["results"]) == 5
    assert report["outcomes"].keys() <= {"evaluated", "needs_review"}
    assert report["exclusion"]["groups"] == [["stt"], ["extract", "rate"]]
    assert report["exclusion"]["broken"] == []
    assert {tuple(look["alive"]) for look in report["looks"]} >= {("stt",)}, "engines were seen"
    assert {stage: figures["attempts"] for stage, figures in report["stages"].items()} == {
        "stt": 5,
        "extract": 5,
        "rate": 5,
    }
    # Within 10 % on a quiet machine; what else runs here makes neither wrong.
    assert abs(report["again_s"] / report["makespan_s"] - 1) < 0.5

    folder = lab.folder / "var" / "rehearsals"
    assert sorted(path.suffix for path in folder.iterdir()) == [".html", ".json"]
    assert {path.name for path in (lab.folder / "var").iterdir()} == {"models", "daemon.lock", "rehearsals"}
    again = json.loads(lab.run("simulate", "--students", "5", "--durations", "measured", "--json").stdout)
    assert abs(again[0]["makespan_s"] / report["makespan_s"] - 1) < 0.2, "simulate knows the last rehearsal"


@pytest.mark.docker
@pytest.mark.timeout(900)
def test_containers_that_a_killed_rehearsal_took_over_are_put_back_by_the_next_one(
    tmp_path: Path, containers: Containers
) -> None:
    boxes = {stage: Box(containers, stem) for stem, stage in STAGES.items()}
    for box in boxes.values():
        box.more["restart_policy"] = {"Name": "always"}
        box.make()
    tables = [
        'runtime = "docker"\n[stt]\nmodel = "tiny.en"\n[gpu]\nresidency = [["stt"], ["extract"], ["rate"]]',
        f'[docker]\nbase_url = "{containers.engine.url}"\nstop_timeout_s = 1.0',
        *(f'[{stage}]\ncontainer = "{box.name}"\nurl = "{box.url}"' for stage, box in boxes.items()),
    ]
    (tmp_path / "lab").mkdir()
    lab = ProcessLab(tmp_path / "lab")
    (lab.folder / "introeval.toml").write_text("\n".join(tables))
    first = lab.start("rehearse", "2", output=subprocess.DEVNULL)
    wait_until(lambda: boxes["extract"].status == "running", "the extractor", 300)
    daemon = next(each for each in psutil.Process(first.pid).children() if "run" in each.cmdline())
    first.kill()
    daemon.kill()
    first.wait()
    policies = {box.made.attrs["HostConfig"]["RestartPolicy"]["Name"] for box in boxes.values()}
    assert "no" in policies, "one is taken over"

    done = lab.run("rehearse", "2", "--json")
    report = json.loads(done.stdout)
    assert len(report["results"]) == 2
    assert report["exclusion"]["broken"] == []
    assert report["exclusion"]["blind"] == 0
    seen = {stage for sighting in report["looks"] for stage in sighting["alive"]}
    assert seen == {"stt", "extract", "rate"}
    for box in boxes.values():
        assert box.status != "running"
        assert box.made.attrs["HostConfig"]["RestartPolicy"]["Name"] == "always"
