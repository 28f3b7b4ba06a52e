"""A calibration: what it corrects, what it leaves alone, and the sheet that its scores come from."""

import csv
import io
import random
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.agreement.calibration import Anchor, Calibration, corrected, corrections, rater_identity
from daemon.core.agreement.measures import Measure
from daemon.core.agreement.sheet import read_sheet, write_sheet
from daemon.core.content.document import CRITERIA, Criterion, Evaluation, Scored
from daemon.core.content.levels import whole

points = st.floats(1, 10).map(lambda x: round(x, 4))


def draws(n: int) -> Iterator[list[int]]:
    return ([(at * step) % n for at in range(n)] for step in range(1, 20))


def evaluation(expected: float, **changes: Any) -> Evaluation:
    scored = Scored(expected=expected, model_score=whole(expected), model_expected=expected)
    integers: dict[str, Any] = dict.fromkeys(CRITERIA, whole(expected))
    return Evaluation(
        **integers,
        feedback="Clear.",
        suggestions=(),
        evidence=(),
        scores={criterion: scored.model_copy(update=changes) for criterion in CRITERIA},
    )


@cache
def calibration(anchors: int = 12, apart: float = 1.5) -> Calibration:
    scored = [
        Anchor(
            task_id=at,
            expected=dict.fromkeys(CRITERIA, 3 + at / 4),
            people={"ann": dict.fromkeys(CRITERIA, whole(3 + at / 4 + apart))},
        )
        for at in range(anchors)
    ]
    return Calibration(
        number=1,
        made_at="2026-11-26T10:00:00.000000Z",
        made_by=None,
        day="2026-11-26",
        begins_at="2026-11-26T00:00:00.000000Z",
        ends_at="2026-11-27T00:00:00.000000Z",
        raters=("ann",),
        identity={},
        anchors=tuple(scored),
        criteria=corrections(scored, ["ann"], draws),
    )


@given(points, points)
def test_corrected_scores_keep_the_models_own_and_their_order(one: float, other: float) -> None:
    made = calibration()
    low, high = (corrected(evaluation(each), made) for each in sorted((one, other)))
    for criterion in CRITERIA:
        mine, above = low.scores[criterion], high.scores[criterion]
        assert mine.expected <= above.expected
        assert (mine.source, mine.model_expected) == ("calibrated", min(one, other))
        assert mine.interval is not None
        assert 1 <= mine.interval[0] <= mine.expected <= mine.interval[1] <= 10
        assert getattr(low, criterion) == whole(mine.expected)
        assert getattr(low, criterion) <= getattr(high, criterion)


@given(points)
def test_correcting_twice_is_correcting_once_and_without_one_the_models_own_are_back(own: float) -> None:
    made = calibration()
    once = corrected(evaluation(own), made)
    assert corrected(once, made) == once
    assert corrected(once, None) == evaluation(own)


def test_what_a_person_decided_stays() -> None:
    decided = evaluation(9.0, source="person", model_expected=4.0, model_score=4)
    assert corrected(decided, calibration()) == decided
    assert corrected(decided, None) == decided


def test_below_nine_tasks_scores_are_corrected_without_an_interval() -> None:
    scored = corrected(evaluation(5.0), calibration(anchors=8)).scores["overall_rating"]
    assert scored.interval is None
    assert scored.expected > 5.5
    assert corrected(evaluation(5.0), calibration(anchors=9)).scores["overall_rating"].interval is not None


def test_a_criterion_that_nobody_scored_keeps_the_models_figure() -> None:
    anchors = [
        Anchor(task_id=at, expected=dict.fromkeys(CRITERIA, 5.0), people={"ann": {"clarity_of_speech": 7}})
        for at in range(9)
    ]
    found = corrections(anchors, ["ann"], draws)
    assert list(found) == ["clarity_of_speech"]
    made = calibration().model_copy(update={"criteria": found})
    scores = corrected(evaluation(5.0), made).scores
    assert scores["clarity_of_speech"].source == "calibrated"
    assert scores["overall_rating"] == evaluation(5.0).scores["overall_rating"]


def test_a_correction_keeps_the_order_and_its_intervals_have_what_the_offset_misses() -> None:
    chance = random.Random(4)
    apart = [1.5 + chance.gauss(0, 1) for _ in range(12)]
    anchors = [
        Anchor(
            task_id=at,
            expected={"overall_rating": 4 + at / 40},  # a model that says nearly the same of all
            people={"ann": {"overall_rating": whole(4 + at / 40 + each)}},
        )
        for at, each in enumerate(apart)
    ]
    made = corrections(anchors, ["ann"], lambda n: (chance.choices(range(n), k=n) for _ in range(400)))
    own, corrected_ones = made["overall_rating"].model, made["overall_rating"].corrected
    assert own[Measure.CORRELATION].value == pytest.approx(corrected_ones[Measure.CORRELATION].value)
    left, interval = corrected_ones[Measure.DIFFERENCE].value, corrected_ones[Measure.DIFFERENCE].interval
    assert left is not None
    assert abs(left) < 0.2
    assert interval is not None
    wide = interval[1] - interval[0]
    before = own[Measure.DIFFERENCE].interval
    assert before is not None
    assert wide > 1.2 * (before[1] - before[0])  # two samples, of the tasks and of the offset


def test_a_calibration_holds_for_model_prompt_and_parameters_only() -> None:
    origin = {"model": "m", "digest": "d", "prompt_sha256": "p", "parameters": {"seed": 1, "num_ctx": 2048}}
    same = {
        **origin,
        "seed": 5,
        "tries": 2,
        "parameters": {"seed": 1, "num_ctx": 4096},
        "server_version": "2",
    }
    assert rater_identity(origin) == rater_identity(same)
    for key in ("model", "digest", "prompt_sha256", "scores_from", "confidence_from"):
        assert rater_identity({**origin, key: "other"}) != rater_identity(origin)


def rows(*texts: str) -> list[dict[str, str]]:
    return [{"task": str(at), "transcript": text} for at, text in enumerate(texts, 1)]


scores_of = st.dictionaries(st.sampled_from(CRITERIA), st.integers(1, 10))


@given(st.lists(st.text(), min_size=1, max_size=5), st.data())
def test_a_written_sheet_is_read_as_it_was(texts: list[str], data: st.DataObject) -> None:
    scores: dict[int, dict[Criterion, int]] = {at: data.draw(scores_of) for at in range(1, len(texts) + 1)}
    found = read_sheet(write_sheet(rows(*texts), scores), scores)
    assert found.faults == []
    assert found.scores == scores


@given(st.text())
def test_any_text_is_read_or_refused_with_a_line(text: str) -> None:
    found = read_sheet(text, {1})
    assert found.faults or not found.scores


def test_no_cell_is_a_formula() -> None:
    written = write_sheet(rows("=1+1", "@cmd", "-2", "\t=3", "fine"), {})
    cells = [row["transcript"] for row in csv.DictReader(io.StringIO(written))]
    assert cells == ["'=1+1", "'@cmd", "'-2", "'=3", "fine"]


def edited(**cells: str) -> str:
    head = ["task", *CRITERIA]
    values: dict[str, str] = {"task": "1", **dict.fromkeys(CRITERIA, "5"), **cells}
    return ",".join(head) + "\n" + ",".join(values[name] for name in head)


@pytest.mark.parametrize("said", ["0", "11", "x", "7.5", "-3", "1_0", "1e1", "٧"])
def test_what_is_no_score_is_named_with_row_and_column(said: str) -> None:
    (fault,) = read_sheet(edited(content_quality=said), {1}).faults
    assert fault.startswith(f"row 2, column content_quality: {said!r} is no score")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (edited(task="7"), "row 2, column task: '7' is no task of this class"),
        (edited(task=""), "row 2, column task: '' is no task"),
        (edited() + "\n1,5,5,5,5", "row 3, column task: task 1 is there twice"),
        ("a,b\n1,2", "row 1: the column task must be there once"),
        ("", "row 1: the column task must be there once"),
        (edited().replace("task,", "task,task,"), "row 1: the column task must be there once"),
    ],
)
def test_each_fault_of_a_sheet_has_its_line(text: str, told: str) -> None:
    assert read_sheet(text, {1}).faults[0].startswith(told)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_sheets_of_all_spreadsheets_are_read(delimiter: str) -> None:
    text = edited(content_quality="7.0", clarity_of_speech="").replace(",", delimiter) + "\r\n\r\n"
    found = read_sheet(text, {1})
    assert found.faults == []
    assert found.scores == {1: {"overall_rating": 5, "content_quality": 7, "confidence_level": 5}}
