"""The sentences that a model names by their numbers, the same for the same words."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.content.sentences import SENTENCE_LENGTH, numbered, sentences, steady, telling

TEXT = st.text(alphabet=st.characters(codec="utf-8"), max_size=600)
WORDS = st.lists(
    st.sampled_from(
        "I am you Mira and but chess tennis reading patient worked Well um 21 1,000 it's".split()
    ),
    min_size=1,
    max_size=60,
)


def test_a_transcript_is_shown_a_sentence_a_line_each_after_its_number() -> None:
    assert numbered("Hi. I am Mira Pillai! I like chess") == "1: Hi.\n2: I am Mira Pillai!\n3: I like chess"


def test_a_sentence_of_hardly_a_word_is_no_ground_of_a_score_unless_there_is_no_other() -> None:
    assert telling(sentences("Hi. I am Mira Pillai. I like chess. I like chess.")) == [2, 3, 4]
    assert telling(sentences("Hi. Yes.")) == [1, 2]
    assert telling(()) == []


@given(TEXT)
def test_no_word_is_lost_and_none_is_invented(text: str) -> None:
    said = sentences(text)
    assert "".join("".join(said).split()) == "".join(text.split())
    assert all(0 < len(sentence) <= SENTENCE_LENGTH for sentence in said)


@given(TEXT)
def test_what_can_be_named_is_there(text: str) -> None:
    said = sentences(text)
    assert bool(said) is bool(telling(said))
    assert all(1 <= number <= len(said) for number in telling(said))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("My name is Ann Lee, and I am 21 years old.", "My name is Ann Lee and I am 21 years old."),
        ("Last summer, I worked in a shop.", "Last summer I worked in a shop."),
        ("Hello, my name is Ann Lee.", "Hello my name is Ann Lee."),
        ("I like chess, and I swim.", "I like chess and I swim."),
        ("I am calm, because I run, but not far.", "I am calm because I run but not far."),
        ("I like cycling, cooking, and music.", "I like cycling, cooking and music."),
    ],
)
def test_a_comma_that_nobody_hears_changes_no_prompt(one: str, other: str) -> None:
    assert numbered(one) == numbered(other)


@pytest.mark.parametrize(
    "text",
    [
        "I like cycling, cooking and music.",
        "My hobbies are chess, long walks, old books and films.",
        "I have 1,000 stamps.",
    ],
)
def test_the_items_of_a_list_stay_apart(text: str) -> None:
    assert steady(text) == text


@given(WORDS, st.data())
def test_the_sentences_and_their_numbers_are_the_same_with_every_comma_and_with_none(
    words: list[str], data: st.DataObject
) -> None:
    plain = " ".join(words)
    marked = " ".join(word + data.draw(st.sampled_from(["", ","])) for word in words)
    counts = [[len(each.split()) for each in sentences(text)] for text in (steady(marked), marked)]
    assert counts[0] == counts[1]
    assert " ".join(sentences(marked)) == marked
    assert re.sub(r",(?=\s|$)", "", numbered(marked)) == re.sub(r",(?=\s|$)", "", numbered(steady(marked)))
    assert all(len(steady(each)) <= SENTENCE_LENGTH for each in sentences(plain))
