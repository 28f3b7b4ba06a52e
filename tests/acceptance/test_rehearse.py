"""A rehearsal of five on the embedded engines: whole, apart, foretold, and gone."""

import json

import pytest

from tests.support.process_lab import ProcessLab


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
    assert abs(report["again_s"] / report["makespan_s"] - 1) < 0.1

    folder = lab.folder / "var" / "rehearsals"
    assert sorted(path.suffix for path in folder.iterdir()) == [".html", ".json"]
    assert {path.name for path in (lab.folder / "var").iterdir()} == {"models", "daemon.lock", "rehearsals"}
    again = json.loads(lab.run("simulate", "--students", "5", "--durations", "measured", "--json").stdout)
    assert abs(again[0]["makespan_s"] / report["makespan_s"] - 1) < 0.2, "simulate knows the last rehearsal"
