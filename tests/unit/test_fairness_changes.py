"""The changes leave what an introduction says, and change exactly what they name."""

import json
import re
from importlib.resources import files

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from daemon.app.fairness import bundled
from daemon.core.content.document import Profile, Speaking, Transcript
from daemon.core.content.grounding import ground_profile
from daemon.core.content.speaking import filler_words
from daemon.core.content.untrusted import to_the_grader
from daemon.core.content.words import words
from daemon.core.fairness import phrasing
from daemon.core.fairness.changes import CHANGES, Introduction, changed
from tests.support.checkout import SAMPLES

BUNDLED = bundled()
SHARES = {"heard_5": 0.05, "heard_10": 0.10, "heard_20": 0.20}

PLAIN = [
    "river",
    "garden",
    "music",
    "the",
    "a",
    "in",
    "and",
    "very",
    "quick",
    "work",
    "school",
    "paper",
    "go",
]
PEOPLE = st.sampled_from([("Anna", "Keller"), ("Bo", "Lund"), ("Omar", "Said"), ("Ella", "Brandt-Hansen")])
SENTENCES = st.lists(st.lists(st.sampled_from(PLAIN), min_size=3, max_size=12), min_size=2, max_size=7)


@st.composite
def introductions(draw: st.DrawFn) -> Introduction:
    given_name, family = draw(PEOPLE)
    age, hobby = draw(st.integers(17, 60)), draw(st.sampled_from(["chess", "old radios", "sea kayaking"]))
    rest = [" ".join(words_).capitalize() + "." for words_ in draw(SENTENCES)]
    begin = f"Hello, my name is {given_name} {family} and I am {age} years old. I like {hobby}."
    profile = Profile(name=f"{given_name} {family}", age=age, hobbies=(hobby,))
    speaking = Speaking(speech_s=30.0, words_per_minute=120, pause_ratio=0.1, longest_pause_s=1)
    return Introduction(" ".join([begin, *rest]), profile, speaking)


every = pytest.mark.parametrize("change", CHANGES)
anybody = introductions() | st.sampled_from(BUNDLED)


def content(text: str) -> list[str]:
    """The words with content and the numbers, in order."""
    spoken = set(phrasing.FUNCTION_WORDS)
    for _, other in (*phrasing.NON_NATIVE, *phrasing.INFORMAL):
        spoken |= set(re.findall(r"[a-z']+", other))
    for opener in (*phrasing.OPENERS, *phrasing.FILLERS):
        spoken |= set(re.findall(r"[a-z']+", opener.lower()))
    spoken |= {"want", "going"}  # "wanna" and "gonna" have them
    spoken |= {each.replace("'", "") for each in spoken}
    return [word.key for word in words(text) if word.is_number or word.key not in spoken]


@every
@settings(max_examples=25, deadline=None)
@given(said=anybody)
def test_a_change_is_the_same_each_time_and_no_change_is_none(change: str, said: Introduction) -> None:
    other = changed(said, change)
    assert other == changed(said, change)
    assert other is None or other.text != said.text


@every
@settings(max_examples=25, deadline=None)
@given(said=anybody)
def test_no_change_adds_or_takes_a_number(change: str, said: Introduction) -> None:
    other = changed(said, change)
    if other is not None:
        assert sorted(word.key for word in words(other.text) if word.is_number) == sorted(
            word.key for word in words(said.text) if word.is_number
        )


@pytest.mark.parametrize("change", ["non_native", "informal", "fillers"])
@settings(max_examples=25, deadline=None)
@given(said=anybody)
def test_phrasing_leaves_each_word_with_content_in_its_place(change: str, said: Introduction) -> None:
    other = changed(said, change)
    if other is not None:
        assert content(other.text) == content(said.text)


@pytest.mark.parametrize("change", SHARES)
@settings(max_examples=25, deadline=None)
@given(said=anybody)
def test_errors_of_hearing_are_exactly_the_share_of_the_words_and_none_of_the_form(
    change: str, said: Introduction
) -> None:
    other = changed(said, change)
    if other is None:
        return
    before, after = said.text.split(), other.text.split()
    assert len(before) == len(after)
    wrong = [was for was, now in zip(before, after, strict=True) if was != now]
    assert len(wrong) == round(SHARES[change] * len(before))
    assert said.profile is not None
    assert said.profile.name is not None
    needed = {*said.profile.name.split(), *" ".join(said.profile.hobbies).split()} - phrasing.FUNCTION_WORDS
    assert not needed & {word.strip(".,") for word in wrong}


@settings(max_examples=25, deadline=None)
@given(said=anybody)
def test_another_name_changes_the_name_alone(said: Introduction) -> None:
    other = changed(said, "name")
    assert other is not None
    assert said.profile is not None
    assert other.profile is not None
    mine, theirs = str(said.profile.name).split(), str(other.profile.name).split()
    assert not set(mine) & set(theirs)
    assert other.profile == said.profile.model_copy(update={"name": other.profile.name})
    assert other.text.replace(theirs[0], "x").replace(theirs[-1], "y") == said.text.replace(
        mine[0], "x"
    ).replace(" ".join(mine[1:]), "y")


@settings(max_examples=25, deadline=None)
@given(said=anybody)
def test_padding_adds_sentences_and_leaves_the_others_in_their_order(said: Introduction) -> None:
    other = changed(said, "padding")
    assert other is not None
    rest = other.text
    for sentence in phrasing.PADDING:
        rest = rest.replace(f" {sentence}", "", 1)
    assert rest == said.text
    assert len(other.text) > len(said.text) + 100


@settings(max_examples=25, deadline=None)
@given(said=anybody)
def test_another_order_has_the_same_sentences_and_the_first_stays(said: Introduction) -> None:
    other = changed(said, "order")
    if other is not None:
        before, after = (re.split(r"(?<=[.!?])\s", each.text) for each in (said, other))
        assert sorted(before) == sorted(after)
        assert before[0] == after[0]
        assert before != after


def test_a_sentence_that_goes_back_stays_behind_its_own() -> None:
    text = "I am Bo. I work in a shop. It is small. I like chess."
    said = Introduction(
        text, None, Speaking(speech_s=9, words_per_minute=99, pause_ratio=0, longest_pause_s=0)
    )
    other = changed(said, "order")
    assert other is not None
    assert other.text == "I am Bo. I like chess. I work in a shop. It is small."


@settings(max_examples=25, deadline=None)
@given(said=anybody)
def test_one_word_in_ten_is_filled_and_counted(said: Introduction) -> None:
    other = changed(said, "fillers")
    if other is not None:
        added = len(other.text.split()) - len(said.text.split())
        assert sum(filler_words(other.text).values()) - sum(filler_words(said.text).values()) == round(
            0.1 * len(said.text.split())
        )
        assert added >= round(0.1 * len(said.text.split()))
        assert other.speaking.filler_words == filler_words(other.text)


@every
@settings(max_examples=25, deadline=None)
@given(said=anybody)
def test_the_pace_and_the_pauses_stay(change: str, said: Introduction) -> None:
    other = changed(said, change)
    if other is not None:
        assert other.speaking.words_per_minute == said.speaking.words_per_minute
        assert other.speaking.pause_ratio == said.speaking.pause_ratio
        longer = len(other.text.split()) > len(said.text.split())
        assert (other.speaking.speech_s > said.speaking.speech_s) >= longer


SPOKEN = st.text(st.sampled_from("abIo é.,!?'-’ 1\n\u3042\u0301")) | st.text()


@every
@settings(max_examples=60, deadline=None)
@given(text=SPOKEN, name=st.none() | SPOKEN)
@example(text="I am Bo.", name=" ")
@example(text=" . ", name="Bo")
def test_whatever_was_heard_can_be_changed_or_is_left(change: str, text: str, name: str | None) -> None:
    speaking = Speaking(speech_s=9, words_per_minute=99, pause_ratio=0, longest_pause_s=0)
    other = changed(Introduction(text, Profile(name=name), speaking), change)
    if other is not None:
        assert other.text != " ".join(text.split())
        assert other.speaking.speech_s >= 0


@every
def test_no_change_of_a_bundled_introduction_speaks_to_the_grader(change: str) -> None:
    for said in BUNDLED:
        other = changed(said, change)
        assert other is None or to_the_grader(other.text) == ()


def test_the_bundled_introductions_are_those_of_the_samples_and_more_with_forms_that_were_said() -> None:
    samples = json.loads((SAMPLES / "words.json").read_text())
    spoken = {each["words"] for each in samples.values() if each["words"]}
    assert spoken <= {said.text for said in BUNDLED}
    assert len(BUNDLED) >= len(spoken) + 12
    assert len({said.text for said in BUNDLED}) == len(BUNDLED)
    for said in BUNDLED:
        assert said.profile is not None
        heard = Transcript(text=said.text, language="en", language_probability=1.0)
        assert ground_profile(said.profile, heard) == (said.profile, ())
    assert (files("daemon.core.fairness") / "introductions.json").is_file()
