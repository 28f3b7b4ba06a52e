"""The speaking figures, from spans and words alone."""

import pytest

from daemon.core.content.speaking import filler_words, speaking, word_count


def test_words_per_minute_are_over_the_time_spoken() -> None:
    figures = speaking([(0.0, 2.0), (8.0, 10.0)], "one two three four five six seven eight", 12.0)
    assert figures.words_per_minute == 120.0
    assert figures.speech_s == 4.0


def test_the_longest_pause_lies_between_speech_and_not_at_the_ends() -> None:
    figures = speaking([(5.0, 6.0), (7.5, 8.0), (8.2, 9.0)], "a b c", 30.0)
    assert figures.longest_pause_s == 1.5


def test_the_pause_ratio_is_over_the_whole_recording() -> None:
    assert speaking([(1.0, 4.0)], "a", 12.0).pause_ratio == 0.75


def test_silence_gives_figures_too() -> None:
    figures = speaking([], "", 8.0)
    assert (figures.speech_s, figures.words_per_minute, figures.longest_pause_s) == (0.0, 0.0, 0.0)
    assert figures.pause_ratio == 1.0
    assert speaking([], "", 0.0).pause_ratio == 0.0


def test_the_pause_ratio_stays_within_its_bounds() -> None:
    assert speaking([(0.0, 5.1)], "a", 5.0).pause_ratio == 0.0


@pytest.mark.parametrize(
    ("text", "count"),
    [("", 0), ("...", 0), ("I don't know.", 3), ("twenty-one, well - 21!", 3), ("Élan naïve", 2)],
)
def test_words_are_counted(text: str, count: int) -> None:
    assert word_count(text) == count


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Um, I am, uh, Alex. Umm, hmm.", {"um": 2, "uh": 1, "hmm": 1}),
        ("I, like, enjoy chess. Like, a lot.", {"like": 2}),
        ("I was, you know, happy. You know, it was fun, you know.", {"you know": 3}),
        ("I mean, it is, I mean, fine.", {"i mean": 2}),
        ("I am kind of shy and sort of tall.", {"kind of": 1, "sort of": 1}),
        ("It's kind of hard, and I just sort of wait. Well, kind of.", {"kind of": 2, "sort of": 1}),
        ("Er, erm, well.", {"er": 1, "erm": 1}),
    ],
)
def test_fillers_are_counted(text: str, found: dict[str, int]) -> None:
    assert filler_words(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "I like chess, and people like me.",
        "Do you know, my friend, this town? As you know, I swim.",
        "That is what I mean by hard work.",
        "It is a kind of dance, the sort of music that I love.",
        "My favourite kind of music is jazz, and I play a different kind of guitar.",
        "They do the best sort of work, these sort of things. It would be kind of you to call.",
        "I take photos with a 35 mm camera.",
        "The museum, the error and her hummus.",
    ],
)
def test_the_same_words_as_ordinary_english_are_none(text: str) -> None:
    assert filler_words(text) == {}
