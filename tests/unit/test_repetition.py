import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.content.repetition import repeated
from tests.support.injections import independent

STUCK = {
    "suggestions-suggestions-suggestions-suggestions-suggestions": "suggestions",
    "You speak well. You speak well. You speak well.": "you speak well",
    "Tell us more and more and more and more about it": "more and",
    "a very very very very good start": "very",
}
FINE = (
    "You speak clearly, and your example shows your strength. You could say more about your free time.",
    "That was really, really, really good: more and more of this, please.",
    "Say what you want. Say why you want it. Say how you will get it. Say when you will begin.",
    "",
)
WORDS = st.lists(st.sampled_from("you speak clearly and slowly tell us more".split()), min_size=1, max_size=4)


@pytest.mark.parametrize(("text", "again"), STUCK.items())
def test_words_that_are_said_again_and_again_are_found(text: str, again: str) -> None:
    assert repeated(text) == again


@pytest.mark.parametrize("text", FINE)
def test_ordinary_emphasis_and_parallel_sentences_are_none(text: str) -> None:
    assert repeated(text) is None


def test_none_is_found_in_texts_of_people() -> None:
    said = [each.text for each in independent()[0]]
    assert len(said) > 100
    assert [text for text in said if repeated(text)] == []


@given(WORDS, st.integers(4, 30))
def test_any_few_words_four_times_in_a_row_are_found(words: list[str], times: int) -> None:
    assert repeated(" ".join(words * times)) is not None


def test_a_long_text_of_a_few_pieces_is_found_though_none_stands_in_a_row() -> None:
    pieces = ("You speak in a very clear way here. ", "You speak in a very clear way there. ")
    assert repeated("".join(pieces[(number // 2) % 2] + f"{number} " for number in range(12))) is not None
