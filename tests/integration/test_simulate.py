"""`introeval simulate`, and that it comes to what a real run of the same class came to."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from daemon.cli.common import Chosen
from daemon.cli.simulations import simulations
from daemon.contracts.wire.status import GpuState
from daemon.core.errors import StoreError, UsageError
from daemon.core.tasks.task import Stage
from daemon.store import lists, reports
from tests.support.commands import invoke
from tests.support.docker_api import docker_api
from tests.support.inprocess import PASSES, PHASES, Lab, worked_off


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own, with nothing of the machine's configuration."""
    file = tmp_path / "introeval.toml"
    file.write_text('[gpu]\nresidency = [["stt"], ["extract", "rate"]]\n')
    monkeypatch.setattr(Chosen, "file", file)
    monkeypatch.setenv("COLUMNS", "100")
    for name in [name for name in os.environ if name.startswith("INTROEVAL_")]:
        monkeypatch.delenv(name)
    return tmp_path


def said(*options: str, code: int = 0) -> str:
    result = invoke("simulate", *options)
    assert result.exit_code == code, result.output
    return result.output


def answer(*options: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(said(*options, "--json"))
    return found


def test_the_plans_class_takes_as_long_as_the_plan_says(folder: Path) -> None:
    found = answer(
        *("--switch-s", "0", "--residency", "stt/extract/rate", "--residency", "stt/extract+rate"),
        *("--batch", "10", "--batch", "30"),
    )
    assert [round(one["makespan_s"] / 60, 1) for one in found] == [25.0, 25.0, 16.0, 15.3]
    apart = answer(
        *("--switch-s", "0", "--residency", "stt/extract/rate", "--batch", "30"),
        *("--parallel", "2", "--parallel", "4"),
    )
    assert [round(one["makespan_s"] / 60, 1) for one in apart] == [16.6, 12.3]


def test_the_readme_says_how_long_a_class_takes(folder: Path) -> None:
    found = answer(
        *("--switch-s", "5", "--residency", "stt/extract/rate", "--residency", "stt/extract+rate"),
        *("--parallel", "1", "--parallel", "2", "--parallel", "4", "--parallel", "8"),
    )
    minutes = [f"{one['makespan_s'] / 60:.1f} min" for one in found]
    rows = [" | ".join(minutes[:4]), " | ".join(minutes[4:])]
    lines = (Path(__file__).parents[2] / "README.md").read_text().splitlines()
    assert [row for row in rows if not any(line.endswith(f"| {row} |") for line in lines)] == []


def test_one_setting_shows_its_timetable_and_several_stand_side_by_side(folder: Path) -> None:
    one = said("--ascii")
    assert "0:00:05  0:01:45  stt" in one
    assert "\n|sssss" in one
    assert one.isascii()
    two = said("--batch", "5", "--batch", "20")
    assert "stt/extract+rate, batch 5 " in two
    assert "stt/extract+rate, batch 20 " in two
    assert "0:00:05" not in two


def test_durations_and_arrivals_may_be_given(folder: Path) -> None:
    (found,) = answer("--durations", "1,2,3", "--students", "2", "--arrivals", "over:5m", "--switch-s", "1")
    assert found["makespan_s"] == pytest.approx(300 + 1 + 1 + 1 + 2 + 3)
    assert found["worst_wait_s"] == pytest.approx(8.0)


@pytest.mark.parametrize(
    "options",
    [
        ("--durations", "1,2"),
        ("--arrivals", "over:soon"),
        ("--arrivals", "recorded:2026-02-30"),
        ("--residency", "stt/rate"),
        ("--batch", "0"),
    ],
)
def test_what_cannot_be_is_one_error_that_says_what_to_give(folder: Path, options: tuple[str, ...]) -> None:
    assert "use" in said(*options, code=UsageError.exit_code)


def test_without_a_history_it_says_how_to_get_one(folder: Path) -> None:
    assert "introeval rehearse 5" in said("--durations", "measured", code=UsageError.exit_code)
    done = invoke("simulate", "--arrivals", "recorded:2026-02-03")
    assert isinstance(done.exception, StoreError)
    assert "start the daemon once" in str(done.exception)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("residency", "name", "batch"), [(PHASES, "stt/extract+rate", 3), (PASSES, "stt/extract/rate", 6)]
)
async def test_it_comes_to_what_a_real_run_came_to(
    folder: Path, residency: list[list[str]], name: str, batch: int
) -> None:
    lab = Lab(
        folder,
        seconds={Stage.STT: 0.25, Stage.EXTRACT: 0.5, Stage.RATE: 0.5},
        start_seconds=0.2,
        settings={"gpu.residency": residency, "batch.size": batch},
    )
    async with lab.daemon() as daemon:
        for n in range(6):
            lab.hand_in(f"s{n}_1.mp4")
        await worked_off(daemon)
        lines = await daemon.session(reports.tasks)
        phases = await daemon.session(lists.last_phases, 10)
    # From the first switch on: in a class of seconds, hashing and probing the files is no small part.
    real_s = max(line.ended_at or 0.0 for line in lines) - phases[-1].started_at
    ((_, found),) = simulations(
        lab.config,
        students=6,
        arrivals="at-once",
        durations="measured",
        batch=[str(batch)],
        residency=[name],
        parallel=[None],
        switch_s=None,
    )
    assert found.makespan_s == pytest.approx(real_s, rel=0.05)
    assert found.switches == len(residency) * 6 // batch


class Card:
    """A card that both the weights of one model and four requests at a time fit on."""

    def read(self) -> GpuState:
        return GpuState(name="RTX 3060 Ti", used_mb=0, total_mb=8192)


def test_requests_at_a_time_are_those_that_the_containers_servers_take(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.cli.simulated_plans.NvmlGpu", Card)
    made = {"mistral-container": {"OLLAMA_NUM_PARALLEL": "2"}, "llama3-container": {}}
    with docker_api(made) as url:
        (folder / "introeval.toml").write_text(f'runtime = "docker"\n[docker]\nbase_url = "{url}"\n')
        [found] = answer("--residency", "stt/extract/rate")
    assert (found["parallel"]["extract"], found["parallel"]["rate"]) == (2, 1)
    assert found["assumed"] == ""


def test_without_a_container_it_says_what_it_assumes(folder: Path) -> None:
    with docker_api({"mistral-container": {}}) as url:
        (folder / "introeval.toml").write_text(f'runtime = "docker"\n[docker]\nbase_url = "{url}"\n')
        [found] = answer("--residency", "stt/extract/rate")
        told = said("--residency", "stt/extract/rate")
        [asked] = answer("--parallel", "4")
    assert found["parallel"]["extract"] == 1
    many = found["parallel"]["rate"]
    line = f"no container yet: requests at a time: rate {many}; to create it: introeval setup"
    assert line in found["assumed"]
    assert line in " ".join(told.split())
    assert asked["assumed"] == ""


def test_the_class_of_the_8_gb_card_is_computed_line_by_line_without_that_card(folder: Path) -> None:
    [found] = answer("--durations", "computed", "--residency", "stt/extract/rate")
    assert 180 < found["makespan_s"] <= 240
    assert found["parallel"]["rate"] == 8
    assert [line["what"] for line in found["computed"]][::6] == ["stt", "switches"]
    assert "must hold" in said("--durations", "computed")
