"""Whether what was heard can be rated."""

import pytest

from daemon.core.content.document import Segment
from daemon.stt.protocol import HeardSpeech, LanguageStretch, SpeechSpan
from daemon.stt.verdict import transcript, unscorable

WORDS = "I am Alex and I like chess."
DUTCH = LanguageStretch(start_s=3.0, end_s=9.0, language="nl")


def heard(
    text: str = WORDS,
    *,
    logprob: float = -0.2,
    detected: str | None = "en",
    probability: float | None = 0.98,
    speech_s: float = 3.0,
    no_speech: float = 0.01,
    others: tuple[LanguageStretch, ...] = (),
) -> HeardSpeech:
    segment = Segment(
        start_s=0.0,
        end_s=3.0,
        text=text,
        avg_logprob=logprob,
        no_speech_prob=no_speech,
        compression_ratio=1.0,
    )
    return HeardSpeech(
        segments=(segment,),
        speech=(SpeechSpan(start_s=0.0, end_s=speech_s),),
        language="en",
        language_probability=probability,
        detected=detected,
        detected_probability=probability,
        others=others,
    )


def test_an_introduction_can_be_rated() -> None:
    assert unscorable(heard(), "en") is None


@pytest.mark.parametrize(
    ("made", "code"),
    [
        (HeardSpeech(), "no_speech"),
        (heard("...", speech_s=2.0), "no_speech"),
        (heard("You", speech_s=0.4, logprob=-0.97, probability=0.25, no_speech=0.76), "no_speech"),  # noise
        (heard("Yes.", speech_s=0.5, no_speech=0.5), "too_few_words"),
        (heard("You", speech_s=15.0, no_speech=0.76), "unintelligible"),
        (heard("...", speech_s=15.0), "unintelligible"),  # all its text was dropped
        (heard("...", speech_s=15.0, detected="es", probability=0.8), "wrong_language"),
        (heard("I am Alex."), "too_few_words"),
        (heard(detected="de", probability=0.5), "wrong_language"),
        (heard(logprob=-1.3, probability=0.2), "unintelligible"),
        (heard(logprob=-1.3, detected=None, probability=None), "unintelligible"),
        (heard(logprob=-0.94, detected="hu", probability=0.15), "unintelligible"),  # Hindi, as base hears it
        (heard(logprob=-0.88, probability=0.36, others=(DUTCH,)), "unintelligible"),
        (heard(probability=0.58, others=(DUTCH,)), "unintelligible"),  # Dutch in part, and in part "English"
        (heard(speech_s=7.0), "unintelligible"),  # most of it gave no words
    ],
)
def test_what_cannot_be_rated_says_why_and_what_to_do(made: HeardSpeech, code: str) -> None:
    reason = unscorable(made, "en")
    assert reason is not None
    assert reason[0] == code
    assert "again" in reason[1]


@pytest.mark.parametrize(
    "made",
    [
        heard(detected="cy", probability=0.3),  # an accent
        heard(logprob=-0.7, detected="cy", probability=0.3),  # a heavy one
        heard(detected=None, probability=None),  # an English-only model
        heard(logprob=-1.3),  # poor sound, but English beyond doubt
        heard(probability=0.88, others=(DUTCH,)),  # English, and some words in Dutch
    ],
)
def test_a_doubt_is_no_reason(made: HeardSpeech) -> None:
    assert unscorable(made, "en") is None


def test_any_language_will_do_where_none_is_expected() -> None:
    assert unscorable(heard(detected="de"), None) is None


def test_nothing_heard_is_no_transcript() -> None:
    assert transcript(HeardSpeech()) is None
    written = transcript(heard())
    assert written is not None
    assert written.text == WORDS
