"""The card of raters that are fair, biased, unsteady, or tell nobody apart, and its words."""

import hashlib
from collections.abc import Callable, Sequence

import pytest

from daemon.app.fairness import FairnessQuestion, bundled, questions
from daemon.cli.fairness_card import lines
from daemon.core.content.document import CRITERIA
from daemon.core.fairness.card import Card, Scores, make_card
from daemon.core.fairness.changes import CHANGES, Introduction
from daemon.core.fairness.conclusion import headline, reasons
from daemon.core.fairness.kept import Acceptance, KeptCard
from daemon.core.fairness.paired import estimates
from daemon.core.fairness.rater import identity

Rate = Callable[[FairnessQuestion], Scores | None]
PEOPLE = bundled()
UNSTEADY = 0.5


def noise(seed: str) -> float:
    """Evenly from -1.7 to 1.7, so with a deviation of 1."""
    return (int.from_bytes(hashlib.sha256(seed.encode()).digest()[:6]) / 2**48 - 0.5) * 3.46


def fair(question: FairnessQuestion) -> Scores:
    """Counts what the form holds, and is hardly ever moved by anything else."""
    form = question.said.profile
    assert form is not None
    told = len(form.hobbies) + len(form.strengths) + bool(form.experience) + bool(form.career_goals)
    return {each: 3 + 0.9 * told + 0.02 * noise(each + question.said.text) for each in CRITERIA}


def biased(question: FairnessQuestion) -> Scores:
    less = 0.5 if question.change == "informal" else 0.0
    return {**fair(question), "clarity_of_speech": fair(question)["clarity_of_speech"] - less}


def unsteady(seed: str) -> Rate:
    def rate(question: FairnessQuestion) -> Scores:
        said = question.said.text
        return {each: value + UNSTEADY * noise(seed + each + said) for each, value in fair(question).items()}

    return rate


def card(rate: Rate, people: Sequence[Introduction] = PEOPLE) -> Card:
    before: list[Scores | None] = [None] * len(people)
    after: dict[str, list[Scores | None]] = {change: [None] * len(people) for change in CHANGES}
    for each in questions(people):
        (before if each.change is None else after[each.change])[each.at] = rate(each)
    about = {
        "identity": "ab12",
        "model": "scripted",
        "prompt": "rate.v4",
        "prompt_sha256": "p",
        "base": "invented people",
    }
    return make_card(before, after, made_at="2026-11-27T08:00:00.000Z", **about)


def verdicts(made: Card) -> set[str]:
    return {shift.verdict for row in made.shifts.values() for shift in row.values()}


def test_a_fair_rater_is_fit() -> None:
    made = card(fair)
    assert made.fit
    assert verdicts(made) == {"fair"}
    assert headline(made).startswith("fit for grades")
    assert reasons(made) == []
    assert KeptCard(card=made).flags == ()


def test_a_bias_of_half_a_point_against_informality_is_named_and_nothing_else_is() -> None:
    made = card(biased)
    shift = made.shifts["informal"]["clarity_of_speech"]
    assert shift.verdict == "shifted"
    assert shift.mean == pytest.approx(-0.5, abs=0.02)
    others = {**made.shifts["informal"]}
    del others["clarity_of_speech"]
    assert {each.verdict for each in others.values()} == {"fair"}
    assert headline(made) == "not for grades: informal phrasing costs 0.5 of 10 points of clarity"
    (flag,) = KeptCard(card=made).flags
    assert (flag.code, flag.detail) == ("not_for_grades", headline(made))


def test_an_unsteady_rater_is_not_shown_to_be_fair_and_is_not_said_to_be_biased() -> None:
    made = [card(unsteady(seed)) for seed in "abcd"]
    assert not any(each.fit for each in made)
    said = [headline(each) for each in made if "not shown to be fair" in headline(each)]
    assert len(said) >= 3, "one in twenty may look biased"


@pytest.mark.parametrize("people", [1, 2, 6, 11])
def test_few_introductions_pass_nobody(people: int) -> None:
    made = card(fair, PEOPLE[:people])
    assert not made.fit
    assert verdicts(made) == {"not_shown"}
    assert headline(made).startswith(f"not for grades: not shown to be fair: only {people} introductions")


def test_a_clear_bias_shows_in_half_of_the_introductions() -> None:
    assert card(biased, PEOPLE[::2]).shifts["informal"]["clarity_of_speech"].verdict == "shifted"


def test_a_rater_that_tells_nobody_apart_is_not_fit() -> None:
    made = card(lambda question: dict.fromkeys(CRITERIA, 7.0))
    assert not made.fit
    assert verdicts(made) == {"not_shown"}
    assert "the same for every introduction" in headline(made)


def test_a_change_that_the_rater_cannot_answer_to_is_not_shown() -> None:
    made = card(lambda question: None if question.change == "heard_20" else fair(question))
    assert not made.fit
    assert {shift.verdict for shift in made.shifts["heard_20"].values()} == {"not_shown"}
    assert made.shifts["heard_10"]["overall_rating"].verdict == "fair"


def test_an_introduction_without_a_rating_counts_for_no_change() -> None:
    first = PEOPLE[0].text
    made = card(lambda question: None if question.said.text == first else fair(question))
    assert (made.asked, made.rated) == (len(PEOPLE), len(PEOPLE) - 1)
    assert made.shifts["padding"]["overall_rating"].pairs == len(PEOPLE) - 1


def test_an_interval_holds_the_true_mean_about_nine_times_in_ten() -> None:
    cells = {run: [0.3 + noise(f"{run} {at}") for at in range(15)] for run in range(200)}
    found = [estimate for estimate in estimates(cells).values() if estimate is not None]
    held = sum(estimate.low <= 0.3 <= estimate.high for estimate in found)
    assert 170 <= held <= 192


def test_the_card_fits_80_columns_and_says_all_that_counts() -> None:
    accepted = Acceptance(by="Dr. Imhof", reason="only feedback is shown", account="imhof", at="2026-11-27")
    told = [line.text for line in lines(KeptCard(card=card(biased), accepted=accepted))]
    table = [line for line in told if line[:1] in (" ", *"hnopsmif") and "accepted" not in line]
    assert all(len(line) <= 80 for line in told[:25]), max(told[:25], key=len)
    for change in CHANGES.values():
        assert any(line.startswith(change.title) for line in table)
    assert any("not for grades: informal phrasing costs 0.5" in line for line in told)
    assert any("accepted by Dr. Imhof (imhof)" in line for line in told)


def test_an_acceptance_ends_the_flag() -> None:
    accepted = Acceptance(by="Dr. Imhof", reason="only feedback is shown", account="imhof", at="2026-11-27")
    assert KeptCard(card=card(biased), accepted=accepted).flags == ()


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        ({"prompt_sha256": "other"}, False),
        ({"schema_sha256": "other"}, False),
        ({"digest": "sha256:2"}, False),
        ({"parameters": {"temperature": 0.3, "seed": 1, "num_ctx": 2048}}, False),
        ({"confidence_from": "voice"}, False),
        ({"parameters": {"temperature": 0.2, "seed": 1, "num_ctx": 4096}}, True),
        ({"model": "another name"}, True),
        ({"seed": 4, "tries": 2, "transcript_sha256": "x"}, True),
    ],
)
def test_a_card_is_of_one_model_rubric_and_parameters(changed: dict[str, object], same: bool) -> None:
    asked = {
        "model": "m",
        "digest": "sha256:1",
        "prompt_sha256": "p",
        "schema_sha256": "s",
        "parameters": {"temperature": 0.2, "seed": 1, "num_ctx": 2048},
        "confidence_from": "words",
    }
    assert (identity({**asked, **changed}) == identity(asked)) is same
