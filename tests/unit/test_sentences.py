"""The sentences that a model names by their numbers."""

from hypothesis import given
from hypothesis import strategies as st

from daemon.core.content.sentences import SENTENCE_LENGTH, numbered, sentences, telling

TEXT = st.text(alphabet=st.characters(codec="utf-8"), max_size=600)


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
