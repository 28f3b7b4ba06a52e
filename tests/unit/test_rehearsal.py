"""The figures of a rehearsal, and the page that shows them."""

from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.cli.samples import synthetic_class
from daemon.core.errors import ConfigError
from daemon.core.forecast.durations import PLANNED
from daemon.core.forecast.rehearsal import (
    Exclusion,
    LoadedPhase,
    Rehearsal,
    Sighting,
    StageFigures,
    exclusion,
    one_by_one_s,
    percentile,
    thinned,
    with_canary,
)
from daemon.core.schedule.phase_state import Group
from daemon.core.tasks.task import Stage
from daemon.publishing.rehearsal_report import LEFT, RIGHT, picture, rehearsal_report
from daemon.rehearsal.reports import keep, last
from tests.unit.scheduling import APART, PAIRED, RATE, STT, TOGETHER, policy

RESIDENCIES = (APART, PAIRED, TOGETHER)
STAGES = st.frozensets(st.sampled_from(Stage))


def look(at: float, *alive: Stage, gpu: float | None = None) -> Sighting:
    return Sighting(at=at, alive=frozenset(alive), cpu=50.0, gpu=gpu, gpu_mb=None if gpu is None else 4000.0)


def phase(asked: float, ready: float, left: float, *group: Stage, switch_s: float = 1.0) -> LoadedPhase:
    return LoadedPhase(group=group, asked=asked, ready=ready, left=left, switch_s=switch_s)


def rehearsal(**changes: Any) -> Rehearsal:
    known: dict[str, Any] = {
        "made_at": datetime(2026, 11, 24, 9, 12, tzinfo=UTC).isoformat(),
        "program": "introeval 1",
        "machine": "RTX 3060 Ti",
        "runtime": "docker",
        "models": dict.fromkeys(Stage, "a model"),
        "students": 2,
        "arrivals": "at-once",
        "outcomes": {"evaluated": 2},
        "makespan_s": 50.0,
        "wait_p50_s": 40.0,
        "wait_p95_s": 50.0,
        "stages": {Stage.STT: StageFigures(attempts=2, mean_s=5.0, p95_s=6.0)},
        "foretold_s": 51.0,
        "foretold_from": "the plan",
        "again_s": 49.0,
        "one_by_one_s": 90.0,
        "exclusion": Exclusion(looks=9, blind=0, groups=((Stage.STT,), (Stage.EXTRACT,)), broken=()),
        "phases": (phase(1.0, 4.0, 14.0, Stage.STT), phase(14.0, 20.0, 50.0, Stage.EXTRACT, Stage.RATE)),
        "looks": (look(0.0), look(5.0, Stage.STT, gpu=90.0), look(25.0, Stage.EXTRACT, Stage.RATE, gpu=99.0)),
        "handed_in": (0.0, 0.1),
        "results": (40.0, 50.0),
        "durations": PLANNED,
    }
    return Rehearsal(**(known | changes))


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.01, 1.0))
def test_a_percentile_is_the_smallest_value_that_the_share_does_not_exceed(
    values: list[float], share: float
) -> None:
    found = percentile(values, share)
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9
    assert sum(value < found for value in values) < share * len(values)


@given(st.lists(STAGES), st.sampled_from(RESIDENCIES))
def test_exclusion_is_broken_by_what_no_group_holds_and_by_nothing_else(
    seen: list[Group], residency: tuple[Group, ...]
) -> None:
    looks = [look(float(at), *alive) for at, alive in enumerate(seen)]
    mixed = {alive for alive in seen if not any(alive <= group for group in residency)}
    judged = exclusion(looks, residency)
    assert len(judged.broken) == len(mixed)
    assert judged.looks == len(seen)


def test_a_broken_exclusion_names_the_engines_and_the_moment() -> None:
    judged = exclusion([look(1.0, Stage.STT), look(2.5, Stage.STT, Stage.RATE)], APART)
    assert judged.broken == ("stt and rate were alive together in 1 looks, first at 2.5 s",)
    assert not rehearsal(exclusion=judged).kept


@given(st.integers(0, 1000), st.integers(1, 300))
def test_thinned_looks_are_few_and_span_the_same_time(count: int, most: int) -> None:
    kept = thinned([look(float(at)) for at in range(count)], most)
    assert len(kept) <= most
    assert [k.at for k in kept] == sorted(k.at for k in kept)
    assert bool(kept) == bool(count)


def test_one_by_one_is_the_plans_class_with_a_round_of_switches_for_each() -> None:
    assert one_by_one_s(30, PLANNED, policy(APART)) == 30 * (10 + 20 + 20 + 3 * 5)
    assert one_by_one_s(30, PLANNED, policy(TOGETHER)) == 30 * 50
    measured = [phase(0.0, 9.0, 20.0, Stage.STT, switch_s=3.0)]
    assert one_by_one_s(30, PLANNED, policy(APART), measured) == 30 * (50 + 3 * 3) + 6, "the canary only once"


def test_the_canary_counts_as_a_part_of_the_switch_that_met_it() -> None:
    phases = [phase(1.0, 5.0, 9.0, Stage.STT), phase(9.0, 20.0, 30.0, Stage.RATE, switch_s=4.0)]
    assert [each.canary_s for each in phases] == [3.0, 7.0]
    later, first = with_canary(phases)
    assert (first.leaving, first.entering, first.seconds) == (None, STT, 4.0)
    assert (later.leaving, later.entering, later.seconds) == (STT, RATE, 11.0)


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({}, True),
        ({"makespan_s": 61.0}, False),
        ({"results": (40.0,)}, False),
        ({"outcomes": {"evaluated": 1, "failed": 1}}, False),
        ({"makespan_s": 320.0, "handed_in": (0.0, 300.0)}, True),
    ],
)
def test_the_plan_is_kept_by_a_whole_class_in_its_time(changes: dict[str, Any], kept: bool) -> None:
    assert rehearsal(**changes).kept is kept


class Page(HTMLParser):
    """What a page would load or run, and the text that it shows."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.shown = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name for name, _ in attrs}
        if tag in ("script", "link", "img", "iframe", "object") or named & {"src", "href", "onload"}:
            self.loads.append(tag)

    def handle_data(self, data: str) -> None:
        self.shown += data


def test_the_page_runs_and_loads_nothing_and_says_what_counts() -> None:
    text = rehearsal_report(rehearsal(alarms=("<script>alert(1)</script> holds the GPU",))).decode()
    shown = Page(text)
    assert shown.loads == []
    assert "url(" not in text
    assert "2 of 2 results in 0.8 min" in shown.shown
    assert "<script>alert(1)</script> holds the GPU" in shown.shown
    assert len(text) < 60_000


@given(
    st.lists(st.floats(0, 1e4), min_size=1, max_size=40), st.lists(STAGES, max_size=40), st.floats(0.1, 1e4)
)
def test_nothing_is_drawn_outside_of_the_picture(
    times: list[float], alive: list[Group], makespan_s: float
) -> None:
    drawn = picture(
        rehearsal(
            students=len(times),
            makespan_s=makespan_s,
            handed_in=tuple(times),
            results=tuple(times),
            phases=tuple(phase(at, at + 1, at + 2, Stage.STT) for at in sorted(times)),
            looks=tuple(look(float(at), *stages, gpu=50.0) for at, stages in enumerate(alive)),
        )
    )
    bars = [*drawn.phases, *(bar for found in drawn.alive.values() for bar in found)]
    assert all(bar.x >= LEFT and bar.x + bar.width <= RIGHT + 1.0 and bar.width >= 0.0 for bar in bars)
    assert all(LEFT <= x <= RIGHT for x, _ in drawn.ticks)
    assert len(drawn.ticks) <= 11


def test_the_newest_report_is_the_last_one_and_reads_as_it_was_kept(tmp_path: Path) -> None:
    assert last(tmp_path) is None
    (tmp_path / "rehearsals").mkdir()
    older, newer = rehearsal(), rehearsal(made_at="2026-11-25T08:00:00+00:00", students=30)
    keep(tmp_path, newer)
    kept = keep(tmp_path, older)
    assert kept.suffix == ".html"
    found = last(tmp_path)
    assert found is not None
    assert found.model_dump_json() == newer.model_dump_json()
    (tmp_path / "rehearsals" / "2026-11-26T000000-5.json").write_text("{}")
    with pytest.raises(ConfigError, match="remove it"):
        last(tmp_path)


def test_no_two_videos_of_a_synthetic_class_are_the_same_bytes() -> None:
    contents = [read() for read in synthetic_class(30)]
    assert len(set(contents)) == 30
    assert {content[-16:-8] for content in contents} == {b"\0\0\0\x10free"}
