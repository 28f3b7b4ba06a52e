"""Which of a recording's tracks and channels is transcribed."""

import numpy as np
import pytest

from daemon.core.content.document import Segment
from daemon.stt.channels import ChannelBalance
from daemon.stt.protocol import HeardSpeech
from daemon.stt.takes import clearest, parted, worth_a_trial

STRETCH = 640


def heard(text: str, logprob: float, language: str = "en") -> HeardSpeech:
    segment = Segment(
        start_s=0, end_s=9, text=text, avg_logprob=logprob, no_speech_prob=0.0, compression_ratio=1.0
    )
    return HeardSpeech(segments=(segment,) if text else (), language=language)


WORDS = "my name is Hannah Reed and I study civil engineering in my second year"


@pytest.mark.parametrize(
    ("takes", "chosen"),
    [
        ([heard(WORDS, -0.2), heard(WORDS, -0.18)], 0),
        ([heard(WORDS, -0.9), heard(WORDS, -0.1)], 1),
        ([heard("", 0.0), heard(WORDS, -0.4)], 1),
        ([heard("Thank you.", -0.2), heard(WORDS, -0.2)], 1),
        ([heard(WORDS, -0.2), heard("you", -0.05)], 0),
        ([heard(WORDS, -0.3), heard(WORDS, -0.1, "es")], 0),
        ([heard(WORDS, -0.9), heard(WORDS, -0.5), heard(WORDS, -0.1)], 2),
    ],
    ids=["as clear", "rumble", "silence", "music", "a word", "dubbed", "third"],
)
def test_another_take_is_chosen_only_where_more_of_it_is_understood(
    takes: list[HeardSpeech], chosen: int
) -> None:
    assert clearest(takes, "en") == chosen


def test_only_takes_with_speech_are_tried_and_not_more_than_four() -> None:
    assert worth_a_trial([0.1, 5.0], 0.25) == [1]
    assert worth_a_trial([0.0, 0.0], 0.25) == []
    assert worth_a_trial([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 0.25) == [0, 3, 4, 5]


def test_the_takes_lie_one_after_the_other() -> None:
    sound = np.arange(48_000)
    assert [len(part) for part in parted(sound, [1.0, 0.5, 1.5])] == [16_000, 8000, 24_000]
    assert [len(part) for part in parted(sound, [])] == [48_000]


def syllables(level: float, seed: int) -> "np.ndarray[tuple[int], np.dtype[np.int16]]":
    """Twelve seconds of noise whose loudness changes as that of speech."""
    chance = np.random.default_rng(seed)
    loudness = np.repeat(10 ** chance.uniform(-2, 0, 100), 3 * STRETCH)
    return (chance.normal(0, level, len(loudness)) * loudness).astype(np.int16)


def covered(*channels: "np.ndarray[tuple[int], np.dtype[np.int16]]") -> list[int]:
    balance = ChannelBalance()
    every = np.stack(channels)
    for start in range(0, every.shape[1], STRETCH):
        part = every[:, start : start + STRETCH]
        balance.add(part.mean(axis=0).astype(np.int16), part)
    return list(balance.covered())


def test_a_channel_is_covered_where_the_mix_does_not_follow_its_loudness() -> None:
    voice = syllables(4000, 1)
    hiss = np.random.default_rng(2).normal(0, 3000, len(voice)).astype(np.int16)
    assert covered(hiss, voice) == [1]
    assert covered(voice, hiss, hiss) == [0]
    assert set(covered(voice, syllables(4000, 3))) == {0, 1}


def test_stereo_of_one_voice_has_no_channel_of_its_own() -> None:
    voice = syllables(4000, 1)
    noise = np.random.default_rng(2).normal(0, 20, (2, len(voice)))
    assert covered(voice, voice) == []
    assert covered((voice + noise[0]).astype(np.int16), (0.3 * voice + noise[1]).astype(np.int16)) == []
    assert covered(voice, np.zeros_like(voice)) == []
    assert covered(voice[: 3 * STRETCH], voice[: 3 * STRETCH]) == []  # too short to be compared
