"""Two results of one task side by side, and what a class gained or lost."""

from typing import Any

import pytest

from daemon.core.content.comparison import Compared, compare, pair

RATE = {"prompt": "rate.v2", "prompt_sha256": "r1", "parameters": {"seed": 1, "num_ctx": 2048}, "tries": 1}
ASKED = {
    "stt": {"model": "base"},
    "extract": {"prompt": "extract.v1", "prompt_sha256": "e1"},
}


def result(
    revision: int,
    rating: int | None,
    feedback: str = "Clear.",
    *,
    task: int = 1,
    pace: float = 150,
    profile: dict[str, Any] | None = None,
    expected: float | None = None,
    **rate: Any,
) -> dict[str, Any]:
    evaluation = None if rating is None else {"overall_rating": rating, "feedback": feedback}
    if evaluation is not None:
        evaluation |= {"clarity_of_speech": 5, "content_quality": 5, "confidence_level": 5}
        if expected is not None:
            evaluation["scores"] = {"overall_rating": {"expected": expected}}
    return {
        "task_id": task,
        "student_id": f"s{task:03}",
        "revision": revision,
        "outcome": "needs_review" if rating is None else "evaluated",
        "evaluation": evaluation,
        "profile": profile,
        "speaking": {"words_per_minute": pace},
        "provenance": {**ASKED, "rate": {**RATE, **rate}},
    }


def one(before: dict[str, Any], after: dict[str, Any]) -> Compared:
    return compare([(before, after)]).tasks[0]


def test_what_is_the_same_is_not_named() -> None:
    compared = one(result(1, 7), result(2, 7))
    assert (compared.revision_before, compared.revision) == (1, 2)
    assert (compared.scores, compared.changed, compared.unexplained) == ({}, [], False)


def test_scores_are_shown_before_and_after_and_other_parts_by_name() -> None:
    compared = one(result(1, 7), result(2, 5, "Too fast.", profile={"name": "Bo"}))
    assert compared.scores == {"overall_rating": (7, 5)}
    assert compared.changed == ["overall_rating", "feedback", "profile"]


def test_a_rating_that_is_missing_is_a_change_of_outcome() -> None:
    compared = one(result(1, None), result(2, 6))
    assert (compared.outcome_before, compared.outcome) == ("needs_review", "evaluated")
    assert compared.scores["overall_rating"] == (None, 6)


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"prompt_sha256": "r2"}, ["rate.prompt_sha256"]),
        ({"prompt": "rate.v4", "prompt_sha256": "r2"}, ["rate.prompt", "rate.prompt_sha256"]),
        ({"parameters": {"seed": 2}}, ["rate.parameters"]),
        ({"seed": 4}, ["rate.seed"]),
        ({"profile_sha256": "p"}, ["rate.profile_sha256"]),
        ({"transcript_sha256": "t"}, ["rate.transcript_sha256"]),
        ({"model": "other"}, ["rate.model"]),
    ],
)
def test_another_answer_to_another_question_is_explained(asked: dict[str, Any], named: list[str]) -> None:
    compared = one(result(1, 7), result(2, 5, **asked))
    assert (compared.asked_otherwise, compared.unexplained) == (named, False)


@pytest.mark.parametrize("asked", [{}, {"tries": 3}, {"parameters": {"seed": 1, "num_ctx": 8192}}])
def test_another_answer_to_the_same_question_is_pointed_out(asked: dict[str, Any]) -> None:
    compared = one(result(1, 7), result(2, 5, **asked))
    assert (compared.asked_otherwise, compared.unexplained) == ([], True)


def test_other_figures_of_the_delivery_are_another_question() -> None:
    assert not one(result(1, 7), result(2, 5, pace=155)).unexplained


def test_a_result_without_provenance_explains_nothing() -> None:
    before, after = result(1, 7), result(2, 5)
    assert not one({**before, "provenance": {}}, {**after, "provenance": {}}).unexplained


def test_the_mean_shift_counts_the_tasks_that_have_both_scores() -> None:
    pairs = [
        (result(1, a, task=n), result(2, b, task=n)) for n, (a, b) in enumerate([(4, 6), (8, 8), (3, 4)])
    ]
    pairs.append((result(1, None, task=9), result(2, 9, task=9)))
    shifts = {each.criterion: each for each in compare(pairs).criteria}
    overall = shifts["overall_rating"]
    assert (overall.n, overall.changed) == (3, 2)
    assert (overall.before, overall.after, overall.shift) == (5.0, 6.0, 1.0)
    assert (shifts["content_quality"].shift, shifts["content_quality"].changed) == (0.0, 0)


def test_the_mean_shift_is_of_the_expected_scores_where_both_results_have_them() -> None:
    pairs = [
        (result(1, 7, task=1, expected=6.6), result(2, 7, task=1, expected=7.4)),
        (result(1, 7, task=2, expected=7.0), result(2, 8, task=2, expected=7.6)),
        (result(1, 6, task=3), result(2, 7, task=3, expected=7.2)),  # the first of schema version 1
    ]
    compared = compare(pairs)
    overall = compared.criteria[0]
    assert (overall.n, overall.by_expected, overall.changed) == (3, 2, 2)
    assert (overall.before, overall.after, overall.shift) == (6.53, 7.33, 0.8)
    assert [each.expected for each in compared.tasks] == [
        {"overall_rating": (6.6, 7.4)},
        {"overall_rating": (7.0, 7.6)},
        {},
    ]
    assert [each.scores for each in compared.tasks] == [
        {},
        *[{"overall_rating": s} for s in ((7, 8), (6, 7))],
    ]


@pytest.mark.parametrize(("moved", "told"), [(0.1, False), (0.25, True)])
def test_an_expected_score_may_move_as_far_as_those_of_one_recording_differ(moved: float, told: bool) -> None:
    compared = one(result(1, 7, expected=7.0), result(2, 7, expected=7.0 + moved))
    assert (compared.changed == ["overall_rating"]) is compared.unexplained is told


def test_a_class_without_ratings_has_no_shift() -> None:
    assert compare([(result(1, None), result(2, 6))]).criteria == []
    assert compare([]).tasks == []


def test_the_last_two_results_are_compared_or_those_asked_for() -> None:
    results = [result(1, 7), result(2, 6), result(4, 5)]

    def chosen(*asked: int) -> tuple[int, ...] | None:
        found = pair(results, (asked[0], asked[1]) if asked else None)
        return found and tuple(each["revision"] for each in found)

    assert chosen() == (2, 4)
    assert chosen(1, 4) == (1, 4)
    assert chosen(4, 1) == (4, 1)
    assert chosen(1, 3) is None
    assert pair(results[:1], None) is None
