"""The record of a run of the benchmarks, its tables, and how two runs compare."""

import io
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from tests.bench import __main__ as bench
from tests.bench.figures import Figure, Options, Skipped, at_least, at_most, in_turn, median_of, ratio_of
from tests.bench.record import Run, Unreadable, Verdict, differences, read, verdict
from tests.bench.shown import tables

MACHINE = {"processor": "A small one", "cores": "2"}
VERSIONS = {"Python": "3.11.7", "textual": "8.2.1"}


def run_of(*figures: Figure) -> Run:
    return Run("2026-11-27T10:00+00:00", "abc1234", 0.1, MACHINE, VERSIONS, {"stt": list(figures)})


def said(run: Run, then: Run | None = None) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=80, markup=False).print(tables(run, then))
    return out.getvalue().splitlines()


def test_a_stored_run_is_read_as_it_was(tmp_path: Path) -> None:
    run = run_of(median_of("ours", [1.0, 2.0, 3.0], "s", at_most(2.5)), Figure("words", 12, "words"))
    run.failed["switch"] = "AssertionError: it does not answer"
    file = tmp_path / "run.json"
    file.write_text(run.json())
    assert read(file) == run
    assert json.loads(run.json())["figures"]["stt"][0]["rounds"] == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("content", [None, "no json", "[]", '{"at": 1}'])
def test_a_file_that_is_no_run_is_refused_with_its_name(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "run.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(Unreadable, match=r"run\.json"):
        read(file)


def test_a_difference_within_the_spreads_is_noise() -> None:
    then = median_of("ours", [1.0, 1.1, 1.3], "s", at_most(2))
    assert verdict(then, median_of("ours", [1.2, 1.4, 1.5], "s", at_most(2))) is Verdict.NOISE


def test_a_difference_beyond_them_is_judged_by_the_goal() -> None:
    low, high = [1.0, 1.1, 1.2], [2.0, 2.1, 2.2]
    for goal, judged in (
        (at_most(3), Verdict.WORSE),
        (at_least(1), Verdict.BETTER),
        (None, Verdict.MORE),
    ):
        assert verdict(median_of("ours", low, "s", goal), median_of("ours", high, "s", goal)) is judged


def test_nobody_can_tell_of_what_was_measured_once() -> None:
    many = median_of("ours", [1.0, 1.1, 1.2], "s")
    assert verdict(Figure("ours", 9.0, "s"), many) is Verdict.ONCE
    assert verdict(many, Figure("ours", 1.1, "s")) is Verdict.SAME
    assert verdict(None, many) is Verdict.NEW


@given(st.lists(st.floats(0.1, 1e6), min_size=3), st.lists(st.floats(0.1, 1e6), min_size=3))
def test_a_verdict_turns_round_with_the_runs(one: list[float], other: list[float]) -> None:
    turned = {Verdict.BETTER: Verdict.WORSE, Verdict.WORSE: Verdict.BETTER}
    here, there = (median_of("ours", rounds, "s", at_most(1)) for rounds in (one, other))
    there_first = verdict(there, here)
    assert verdict(here, there) is turned.get(there_first, there_first)


def test_one_bad_round_of_many_widens_no_spread() -> None:
    assert median_of("ours", [1.0, 1.1, 1.2, 1.3, 99.0], "s").spread == (1.1, 1.3)
    assert median_of("ours", [1.0, 1.1], "s").spread is None


def test_ways_take_turns_and_their_ratio_is_that_of_each_round() -> None:
    order: list[str] = []
    in_turn({name: lambda name=name: order.append(name) for name in "ab"}, 2)  # type: ignore[misc]
    assert order == ["a", "b", "a", "b"]
    assert ratio_of("r", [2.0, 6.0, 40.0], [1.0, 2.0, 10.0], "x").value == 3.0


def test_the_table_fits_80_columns_and_names_what_was_missed() -> None:
    long = Figure("a name that is far too long for its column " * 3, 12345.6, "x real time", at_least(2))
    lines = said(run_of(long, median_of("ours", [1.9, 2.0, 2.2], "s", at_most(1.5))))
    assert max(map(len, lines)) <= 80
    (row,) = [line.split() for line in lines if line.startswith("  ours")]
    assert row == ["ours", "2", "s", "±8", "%", "<=", "1.5", "NO"]
    assert "missed: stt: ours: 2 s, goal <= 1.5" in lines


def test_a_goal_is_met_by_what_the_table_shows() -> None:
    assert at_most(0.4).met_by(0.40000000000000036)
    assert not at_most(0.4).met_by(0.4001)


def test_a_busy_machine_is_said() -> None:
    busy = replace(run_of(), load=1.5)
    assert any(line.startswith("busy: the load was 1.5") for line in said(busy))
    assert not any("busy" in line for line in said(run_of()))


def test_the_comparison_says_ratio_and_verdict() -> None:
    then, now = run_of(median_of("ours", [2.0, 2.1, 2.2], "s", at_most(3))), [1.0, 1.1, 1.2]
    lines = said(run_of(median_of("ours", now, "s", at_most(3)), Figure("words", 3, "")), then)
    (row,) = [line.split() for line in lines if line.startswith("  ours")]
    assert row == ["ours", "1.1", "s", "±9", "%", "2.1", "0.524", "better"]
    assert any("words" in line and line.rstrip().endswith("new") for line in lines)


def test_another_machine_is_named_and_nothing_judged() -> None:
    figure = median_of("ours", [2.0, 2.1, 2.2], "s", at_most(3))
    then = replace(
        run_of(figure), machine=MACHINE | {"cores": "16"}, versions=VERSIONS | {"Python": "3.12.1"}
    )
    lines = said(run_of(median_of("ours", [1.0, 1.1, 1.2], "s", at_most(3))), then)
    assert {"cores: 16 then, 2 now", "Python: 3.12.1 then, 3.11.7 now"} <= set(lines)
    assert not any(word in line.split() for line in lines for word in (*Verdict,) if line.startswith("  "))
    assert differences(MACHINE, MACHINE) == []


def test_a_benchmark_that_fails_loses_no_figure_of_another_or_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def breaks(options: Options) -> Iterator[Figure]:
        yield Figure("first", 1, "s")
        raise AssertionError("the daemon does not answer")

    def skips(options: Options) -> list[Figure]:
        raise Skipped("no Docker engine")

    for name, measure in (("a", breaks), ("b", skips), ("c", lambda options: [Figure("last", 2, "s")])):
        module = ModuleType(f"tests.bench.{name}")
        vars(module)["measure"] = measure
        monkeypatch.setitem(sys.modules, module.__name__, module)
    run = run_of()
    run.figures.clear()
    bench.measure(["a", "b", "missing", "c"], Options(), run)
    assert [(name, each.name) for name, made in run.figures.items() for each in made] == [
        ("a", "first"),
        ("c", "last"),
    ]
    assert run.failed["a"] == "AssertionError: the daemon does not answer"
    assert run.failed["missing"].startswith("ModuleNotFoundError")
    assert run.skipped == {"b": "no Docker engine"}


def test_each_benchmark_of_the_list_is_a_module_and_none_is_left_out() -> None:
    there = {
        file.stem for file in Path(bench.__file__).parent.glob("*.py") if "def measure(" in file.read_text()
    }
    assert there - {"__main__"} == {*bench.QUICK, *bench.SLOW}
