"""What counts as said: the rows of tests/data/grounding.json, and what is spoken in the samples."""

import json
from pathlib import Path
from typing import Any

import pytest

from daemon.core.content.document import Flag, Profile, Transcript
from daemon.core.content.grounding import ground_profile
from daemon.core.content.words import stem, words

ROOT = Path(__file__).parents[2]
ROWS = json.loads((ROOT / "tests" / "data" / "grounding.json").read_text())
KINDS: dict[str, list[list[Any]]] = json.loads((ROOT / "tests" / "data" / "grounding_kinds.json").read_text())
SAMPLES: dict[str, dict[str, Any]] = json.loads((ROOT / "samples" / "words.json").read_text())
LISTS = ("hobbies", "strengths")


def grounded(text: str, profile: Profile) -> tuple[Profile, tuple[Flag, ...]]:
    return ground_profile(profile, Transcript(text=text, language="en", language_probability=1.0))


def facts(profile: Profile) -> list[tuple[str, object]]:
    """Each value of a form with its field."""
    found: list[tuple[str, object]] = []
    for field in Profile.model_fields:
        value = getattr(profile, field)
        found += [(field, each) for each in (value if field in LISTS else [value]) if each is not None]
    return found


def stems(profile: Profile) -> set[tuple[str, ...]]:
    return {tuple(stem(word.key) for word in words(str(value))) for _, value in facts(profile)}


def form_of(sample: dict[str, Any]) -> Profile:
    return Profile.model_validate({key: value for key, value in sample.items() if key != "words"})


def test_the_set_is_large_enough() -> None:
    assert len(ROWS) >= 80
    assert len({json.dumps(row[:3]) for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize(("text", "field", "value", "said"), ROWS, ids=[f"{r[1]}: {r[2]}" for r in ROWS])
def test_a_value_stays_when_it_was_said_and_is_flagged_when_not(
    text: str, field: str, value: Any, said: bool
) -> None:
    profile, flags = grounded(text, Profile.model_validate({field: [value] if field in LISTS else value}))
    assert facts(profile) == ([(field, value)] if said else [])
    assert flags == (() if said else (Flag(code="ungrounded", field=field, detail=str(value)),))


@pytest.mark.parametrize("half", ["tuning", "proof"])
def test_what_was_said_of_something_else_is_flagged_and_nothing_true_is_removed(half: str) -> None:
    """A hobby is no strength, a wish and a place no experience. No rule was written on the proof's rows."""
    removed: list[tuple[str, Any]] = []
    kept: list[tuple[str, Any]] = []
    for text, field, value, said in KINDS[half]:
        profile, _ = grounded(text, Profile.model_validate({field: [value] if field in LISTS else value}))
        if facts(profile) != ([(field, value)] if said else []):
            (removed if said else kept).append((field, value))
    assert not removed
    assert len(kept) <= 0.1 * sum(not said for *_, said in KINDS[half]), kept


def test_what_the_rules_were_written_on_is_not_in_their_proof() -> None:
    tuning, proof = ({text for text, *_ in KINDS[half]} for half in ("tuning", "proof"))
    assert len(KINDS["tuning"]) >= 200
    assert len(KINDS["proof"]) >= 60
    assert tuning.isdisjoint(proof)


def test_at_least_four_fifths_of_what_is_said_in_the_samples_is_kept() -> None:
    spoken = [(sample["words"], form_of(sample)) for sample in SAMPLES.values()]
    kept = sum(len(facts(grounded(text, form)[0])) for text, form in spoken)
    assert kept >= 0.8 * sum(len(facts(form)) for _, form in spoken)


@pytest.mark.parametrize("field", [field for field in Profile.model_fields if field != "age"])
def test_no_fact_of_another_sample_is_taken_for_one_of_this(field: str) -> None:
    for name, sample in SAMPLES.items():
        own = form_of(sample)
        for other in SAMPLES.values():
            alien = Profile.model_validate({field: getattr(form_of(other), field)})
            mine = Profile.model_validate({field: getattr(own, field)})
            assert stems(grounded(sample["words"], alien)[0]) <= stems(mine), name


@pytest.mark.parametrize(
    ("experience", "kept", "left_out"),
    [
        (
            "I worked in a hospital laboratory last summer, after my degree I want to become a doctor",
            "I worked in a hospital laboratory last summer",
            ["after my degree I want to become a doctor"],
        ),
        (
            "I worked in a hospital, I worked in a hospital, I worked in a hospital",
            "I worked in a hospital",
            [],
        ),
        ("I worked in a hospital, I have", "I worked in a hospital", []),
        ("I am a chef, I am a chef, I am", None, ["I am a chef, I am a chef, I am"]),
        ("doctor, doctor, doctor", None, ["doctor, doctor, doctor"]),
    ],
)
def test_of_a_rambling_experience_what_was_done_stays_once(
    experience: str, kept: str | None, left_out: list[str]
) -> None:
    profile, flags = grounded(SAMPLES["s001_introduction.mp4"]["words"], Profile(experience=experience))
    assert profile.experience == kept
    assert [flag.detail for flag in flags] == left_out
