"""What `introeval rate` says of two revisions of a result."""

from typing import Any

from daemon.cli.rerate import compare


def result(revision: int, rating: int | None, feedback: str = "Clear.") -> dict[str, Any]:
    evaluation = None if rating is None else {"overall_rating": rating, "feedback": feedback}
    return {
        "task_id": 1,
        "student_id": "s001",
        "revision": revision,
        "outcome": "needs_review" if rating is None else "evaluated",
        "evaluation": evaluation,
        "profile": None,
    }


def test_what_is_the_same_is_not_named() -> None:
    compared = compare(result(1, 7), result(2, 7))
    assert (compared.revision, compared.scores, compared.changed) == (2, {}, [])


def test_scores_are_shown_before_and_after_and_other_parts_by_name() -> None:
    compared = compare(result(1, 7), result(2, 5, "Too fast."))
    assert compared.scores == {"overall_rating": (7, 5)}
    assert compared.changed == ["overall_rating", "feedback"]


def test_a_rating_that_is_missing_is_a_change_of_outcome() -> None:
    compared = compare(result(1, None), result(2, 6))
    assert (compared.outcome_before, compared.outcome) == ("needs_review", "evaluated")
    assert compared.scores == {"overall_rating": (None, 6)}
