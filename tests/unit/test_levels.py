"""A score as the mean over the levels that a model may give."""

import json
import math
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.content.levels import LEVELS, Figure, Token, figures, in_points, whole

Masses = Mapping[str, float]

MASSES = st.dictionaries(st.sampled_from(LEVELS), st.floats(0.001, 1.0), min_size=1).map(
    lambda weights: {level: weight / sum(weights.values()) for level, weight in weights.items()}
)


def token(text: str, masses: Masses | None = None) -> Token:
    alternatives = tuple((each.encode(), math.log(mass)) for each, mass in (masses or {}).items())
    return Token(text.encode(), dict(alternatives).get(text.encode(), -20.0), alternatives)


def spelled(text: str, masses: Masses, *, after: Masses | None = None) -> list[Token]:
    """The text as tokens of one byte; the last digit in it with these alternatives, what follows `after`."""
    place = max(at for at, char in enumerate(text) if char in "123456789")
    before, follows = text[:place].encode(), text[place + 1 :].encode()
    return [
        *(Token(bytes([byte]), -0.1, ((bytes([byte]), -0.1),)) for byte in before),
        token(text[place], masses),
        *([Token(follows[:1], -0.1, token("", after).alternatives)] if after else []),
        *(Token(bytes([byte]), -0.1, ((bytes([byte]), -0.1),)) for byte in follows[1 if after else 0 :]),
    ]


def scored(masses: Masses, level: int = 7, *, after: Masses | None = None) -> Figure:
    text = f'{{"score": {level}}}'
    return figures(text, spelled(text, masses, after=after), ["score"])["score"]


@given(MASSES, st.floats(0.01, 1.0))
def test_the_mean_is_that_of_the_levels_alone_and_the_rest_is_no_mass_of_the_scale(
    levels: dict[int, float], legal: float
) -> None:
    masses = {str(level): mass * legal for level, mass in levels.items()} | {"good": 1.0001 - legal}
    figure = scored(masses, min(levels))
    mean = sum(in_points(level) * mass for level, mass in levels.items())
    variance = sum((in_points(level) - mean) ** 2 * mass for level, mass in levels.items())
    assert figure.expected == pytest.approx(mean, abs=1e-3)
    assert figure.spread == pytest.approx(math.sqrt(variance), abs=1e-3)
    assert figure.legal_mass == pytest.approx(legal, abs=1e-3)


@given(MASSES, st.floats(0.0, 1.0))
def test_the_mean_lies_between_the_least_and_the_greatest_level_that_has_any_mass(
    levels: dict[int, float], goes_on: float
) -> None:
    after = {"0": goes_on} if goes_on else None
    figure = scored({str(level): mass for level, mass in levels.items()}, max(levels), after=after)
    assert round(in_points(min(levels)), 4) <= figure.expected <= round(in_points(max(levels)), 4)
    assert 1 <= figure.score <= 10


def test_the_levels_cover_the_scale_of_the_result() -> None:
    assert [whole(in_points(level)) for level in LEVELS] == [1, 2, 3, 4, 6, 7, 8, 9, 10]
    assert [whole(each) for each in (0.2, 1.0, 4.49, 4.5, 9.5, 11.0)] == [1, 1, 4, 5, 10, 10]


@pytest.mark.parametrize("other", [" 7", "\n7", "7}", "7,", ":7", "7 "])
def test_a_level_with_space_or_the_objects_marks_is_the_same_level(other: str) -> None:
    apart, together = scored({"7": 0.4, other: 0.3, "5": 0.3}), scored({"7": 0.7, "5": 0.3})
    assert apart == together


@pytest.mark.parametrize("other", ["10", "0", "70", "-7", "7.5", "seven", '"7"', "７", ""])
def test_what_is_no_level_counts_for_nothing(other: str) -> None:
    figure = scored({"7": 0.4, other: 0.6})
    assert (figure.expected, figure.legal_mass) == (in_points(7), 0.4)


def test_a_one_that_would_have_gone_on_as_ten_counts_for_nothing() -> None:
    figure = scored({"1": 0.9, "8": 0.1}, 1, after={"0": 0.999999, "}": 0.000001})
    assert figure.expected == pytest.approx(in_points(8), abs=1e-2)
    assert figure.legal_mass == pytest.approx(0.1, abs=1e-3)
    assert scored({"1": 0.9, "8": 0.1}, 1, after={"}": 1.0}).score == 2


@pytest.mark.parametrize(
    ("masses", "mean"),
    [
        ({"9": 0.5, "1": 0.4}, 9),  # the first digit of 10, as it seems
        ({"2": 0.05, "1": 0.9}, 1.5),
        ({"2": 0.6, "1": 0.4}, 1.6),
        ({"9": 0.5, "1": 0.3, "10": 0.2}, 6),  # the model has a token for 10
    ],
)
def test_a_one_that_was_not_drawn_counts_at_most_as_much_as_two(masses: Masses, mean: float) -> None:
    assert scored(masses, int(next(iter(masses)))).expected == pytest.approx(in_points(mean), abs=1e-3)


def test_a_score_of_which_nothing_is_on_the_scale_is_the_level_without_mass() -> None:
    assert scored({"1": 1.0}, 1, after={"0": 1.0}) == Figure(1, 1.0, None, 0.0)


@pytest.mark.parametrize(
    ("before", "behind"), [("", ""), ("```json\n", "\n```"), (" \n", "\n\n"), ("é ", " ü")]
)
def test_space_or_a_fence_around_the_object_shifts_no_score(before: str, behind: str) -> None:
    text = '{"score": 7}'
    shifted = spelled(before + text + behind, {"7": 0.5, "5": 0.5})
    assert figures(text, shifted, ["score"])["score"].expected == in_points(6)


@given(st.text(st.characters(codec="utf-8"), max_size=40))
def test_no_text_before_a_score_misleads(feedback: str) -> None:
    for ascii_only in (True, False):
        text = json.dumps({"feedback": [feedback, '"score": 3'], "score": 7}, ensure_ascii=ascii_only)
        found = figures(text, spelled(text, {"7": 0.5, "5": 0.5}), ["score"])
        assert found["score"] == Figure(7, in_points(6), in_points(2) - 1, 1.0)


def test_each_score_is_read_at_its_own_place() -> None:
    text = '{"note": 3, "first": 4, "second": 9}'
    tokens = [
        *(token(each, {each: 1.0}) for each in ('{"note": ', "3", ', "first": ')),
        token("4", {"4": 0.5, "2": 0.5}),
        token(', "second":', {', "second":': 1.0}),
        token(" 9}", {" 9}": 0.75, " 3": 0.25}),
    ]
    found = figures(text, tokens, ["second", "first"])
    assert found == {
        "second": Figure(9, in_points(7.5), 2.9228, 1.0),
        "first": Figure(4, in_points(3), 1.125, 1.0),
    }


@pytest.mark.parametrize(
    "tokens",
    [
        [],
        [
            Token(b'{"score": ', -0.1),
            Token(b"7", -0.1),
            Token(b"}", -0.1),
        ],  # of a server that tells no others
        spelled('{"other": 7}', {"7": 0.5, "5": 0.5}),
        [token('{"score": 7}', {'{"score": 7}': 1.0})],
        [token('{"score": ', {}), token("7", {"5": 1.0}), token("}", {})][:1],
    ],
)
def test_without_the_levels_probabilities_a_score_is_the_level_that_was_drawn(tokens: list[Token]) -> None:
    assert figures('{"score": 7}', tokens, ["score"]) == {"score": Figure(7, in_points(7))}
