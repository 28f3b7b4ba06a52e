"""The order of doubt: who comes first, and why in words."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as some

from daemon.core.classes.doubt import Doubtable, in_order
from daemon.core.content.document import CRITERIA, Evaluation, Scored
from daemon.core.content.reasons import IN_WORDS
from daemon.core.content.release import NO_GRADES


def rated(id_: int, *codes: str, score: int = 7, **scored: Any) -> Doubtable:
    """A result with this figure for the clarity of speech."""
    sure = {
        "expected": score,
        "spread": 0.5,
        "legal_mass": 0.98,
        "model_score": score,
        "model_expected": score,
    }
    scores = {name: Scored.model_validate(sure) for name in CRITERIA}
    scores["clarity_of_speech"] = Scored.model_validate(sure | scored)
    whole = dict.fromkeys(CRITERIA, score) | {
        "feedback": "",
        "suggestions": (),
        "evidence": (),
        "scores": scores,
    }
    return Doubtable(id_, codes, Evaluation.model_validate(whole))


def order(*results: Doubtable) -> list[int]:
    return [each.id for each in in_order(results)]


def reasons(result: Doubtable, *others: Doubtable) -> list[str]:
    (found,) = [each for each in in_order([result, *others]) if each.id == result.id]
    return [doubt.reason for doubt in found.doubts]


def test_what_wants_a_person_comes_before_what_is_only_unsure() -> None:
    unsure = rated(1, legal_mass=0.7, spread=1.5, interval=(3.0, 8.0))
    assert order(rated(0), unsure, rated(2, "degraded"), rated(3, "quiet"), Doubtable(4, (), None)) == [
        1,
        3,
        4,
        2,
        0,
    ]
    assert order(rated(1, "quiet"), rated(2, "quiet", "no_evidence")) == [2, 1]


def test_each_doubt_is_a_sentence_with_its_criterion_and_figure() -> None:
    assert reasons(rated(1, "quiet")) == [IN_WORDS["quiet"]]
    assert reasons(rated(1, interval=(3.0, 8.0))) == ["clarity of speech: people would give 3.0 to 8.0"]
    assert reasons(rated(1, legal_mass=0.72)) == [
        "clarity of speech: only 72% of the model's answer was a score"
    ]
    (told,) = reasons(rated(1, spread=1.6))
    assert told == "clarity of speech: the model wavered between scores, by 1.6 points"
    assert reasons(rated(1, interval=(6.0, 7.0), legal_mass=0.95, spread=0.9)) == []


def test_far_from_the_class_counts_in_a_class_and_not_among_few() -> None:
    class_ = [rated(number, score=7) for number in range(2, 12)]
    assert reasons(rated(1, score=3), *class_) == ["3.6 points below the class, whose mean is 6.6"]
    assert reasons(rated(1, score=3), *class_[:2]) == []
    assert reasons(rated(1, score=7), *class_) == []


def test_a_figure_of_a_person_is_not_doubted() -> None:
    assert reasons(rated(1, spread=3.0, source="person")) == []


def test_flags_that_the_whole_class_has_do_not_change_the_order() -> None:
    assert order(rated(1, *NO_GRADES), rated(2, "degraded")) == [2, 1]


figures = some.fixed_dictionaries(
    {
        "spread": some.floats(0, 4),
        "legal_mass": some.floats(0, 1),
        "interval": some.tuples(some.floats(1, 5), some.floats(5, 10)),
    }
)
codes = some.lists(some.sampled_from(sorted(IN_WORDS)), max_size=3, unique=True)
results = some.lists(some.tuples(codes, some.integers(1, 10), figures), max_size=12)


@given(results)
def test_the_order_is_whole_stable_and_by_weight(drawn: list[Any]) -> None:
    every = [rated(at, *flags, score=score, **more) for at, (flags, score, more) in enumerate(drawn)]
    found = in_order(every)
    assert sorted(each.id for each in found) == list(range(len(every)))
    assert found == in_order(reversed(every)), "whatever order they come in"
    assert [each.weight for each in found] == sorted((each.weight for each in found), reverse=True)
    assert all(doubt.reason for each in found for doubt in each.doubts)


@given(results, some.sampled_from(["quiet", "degraded", "same_content"]))
def test_one_more_flag_never_moves_a_result_down(drawn: list[Any], code: str) -> None:
    every = [rated(at, *flags, score=score, **more) for at, (flags, score, more) in enumerate(drawn)]
    first = rated(99, score=5)
    before = order(*every, first).index(99)
    assert order(*every, rated(99, code, score=5)).index(99) <= before
