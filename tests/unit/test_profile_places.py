"""Where each value of the form was said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.content.document import Evidence, Profile, Transcript
from daemon.core.content.grounding import ground_profile
from daemon.core.content.profile_places import profile_places
from daemon.core.content.sentences import SENTENCE_LENGTH
from tests.unit.test_grounding import spoken

SEGMENTS = (
    "Hello, I am Mira Pillai and I am twenty-one years old.",
    "I like chess and long walks. My brother plays football, but I don't.",
    "I am good at teaching chess. I have worked in a bakery",
    "for two years, and I want to become a nurse and run a clinic.",
)
SAID = spoken(*SEGMENTS)
PROFILE = Profile(
    name="Mira Pillai",
    age=21,
    hobbies=("long walks", "chess"),
    career_goals="become a nurse, run a clinic",
    strengths=("teaching chess",),
    experience="worked in a bakery for two years",
)

WORDS = (
    "I like chess swimming. want to become a nurse, and am good at worked in bakery for twenty one years; "
    "my brother but not Mira Pillai football? team é ... 21 um"
).split()
SEGMENT = st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join)
VALUE = st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(" ".join)


def test_each_value_has_the_clause_that_says_it_and_its_seconds_in_the_order_of_the_values() -> None:
    assert profile_places(PROFILE, SAID) == {
        "name": (Evidence(quote="I am Mira Pillai", start_s=0.0, end_s=9.0),),
        "age": (Evidence(quote="and I am twenty-one years old.", start_s=0.0, end_s=9.0),),
        "hobbies": (Evidence(quote="I like chess and long walks.", start_s=10.0, end_s=19.0),) * 2,
        "career_goals": (
            Evidence(quote="and I want to become a nurse and run a clinic.", start_s=30.0, end_s=39.0),
        ),
        "strengths": (Evidence(quote="I am good at teaching chess.", start_s=20.0, end_s=29.0),),
        "experience": (Evidence(quote="I have worked in a bakery for two years", start_s=20.0, end_s=39.0),),
    }


def test_an_age_is_not_found_in_the_years_that_something_took() -> None:
    said = spoken("For 18 years I have lived in Rome.", "I am 18.")
    (place,) = profile_places(Profile(age=18), said)["age"]
    assert place.quote == "I am 18."


def test_a_field_without_a_value_and_a_task_without_form_or_transcript_have_no_place() -> None:
    assert profile_places(Profile(age=21), SAID).keys() == {"age"}
    assert (
        profile_places(None, SAID) == profile_places(PROFILE, None) == profile_places(Profile(), SAID) == {}
    )


def test_without_segments_the_clause_stands_without_times() -> None:
    said = Transcript(text=" ".join(SEGMENTS), language="en", language_probability=0.9)
    assert profile_places(Profile(age=21), said) == {
        "age": (Evidence(quote="and I am twenty-one years old."),),
    }


@pytest.mark.parametrize("text", ["", "...", "I run."])
def test_a_value_of_which_no_word_was_said_is_not_found(text: str) -> None:
    assert profile_places(Profile(hobbies=("chess",)), spoken(text)) == {
        "hobbies": (Evidence(quote="chess"),)
    }


def test_in_speech_without_a_stop_only_a_short_part_is_quoted() -> None:
    said = spoken(
        *(f"and then I did number {n} of it and more of the same" for n in range(30)), "I like chess"
    )
    (place,) = profile_places(Profile(hobbies=("chess",)), said)["hobbies"]
    assert "chess" in place.quote
    assert len(place.quote) <= SENTENCE_LENGTH
    assert place.start_s is not None
    assert place.start_s >= 270.0


@given(
    st.lists(SEGMENT, min_size=1, max_size=6),
    st.builds(
        Profile,
        name=st.none() | VALUE,
        age=st.sampled_from([None, 20, 21]),
        hobbies=st.lists(VALUE, max_size=2).map(tuple),
        career_goals=st.none() | VALUE,
        strengths=st.lists(VALUE, max_size=2).map(tuple),
        experience=st.none() | VALUE,
    ),
)
def test_a_value_that_grounding_keeps_has_a_place(segments: list[str], profile: Profile) -> None:
    said = spoken(*segments)
    kept, _ = ground_profile(profile, said)
    places = profile_places(kept, said)
    for field, value in kept.model_dump().items():
        values = [each for each in (value if isinstance(value, tuple) else (value,)) if each is not None]
        found = places.get(field, ())
        assert len(found) == len(values)
        assert all(each.start_s is not None and each.end_s is not None for each in found)
        assert all(each.quote in " ".join(said.text.split()) for each in found)
