"""The check that a transcript can be rated, and the advice to the student if not. Pure functions."""

from daemon.core.content.document import Transcript
from daemon.core.content.speaking import word_count
from daemon.stt.protocol import SURE, HeardSpeech
from daemon.stt.segment_faults import MAX_NO_SPEECH

MIN_WORDS = 5
MIN_LOGPROB = -1.0  # the mean below which Whisper itself rejects a text
# The same if another language than the expected one was detected, in a part or not for sure: `base` writes
# Dutch, Portuguese, Hindi and Bengali down as fluent English at -0.8 to -1.0. English with a heavy accent
# stays above -0.7, and most of it is detected as English.
MIN_LOGPROB_DOUBTED = -0.75
# Of the expected language, if stretches are in another one: with English in them it was 0.88 and more, with
# none, read as English in part, 0.59 and less.
MIN_EXPECTED = 0.75
MIN_SPEECH_S = 3.0  # of speech without a word: it was not understood. Less may be a noise or music
MIN_WRITTEN = 0.5  # of the speech has text: 15 s of Chinese gave one English sentence, of 3 s


def transcript(heard: HeardSpeech) -> Transcript | None:
    """The transcript in the form of the result; None if nothing was heard."""
    if not heard.segments:
        return None
    return Transcript(
        text=" ".join(segment.text for segment in heard.segments),
        language=heard.language,
        language_probability=heard.language_probability,
        segments=heard.segments,
    )


def unscorable(heard: HeardSpeech, expected: str | None) -> tuple[str, str] | None:
    """The code and the advice if there is nothing to rate, else None.

    `expected` is an ISO 639-1 code, or None for any language.
    """
    words = sum(word_count(segment.text) for segment in heard.segments)
    spoken_s = sum(span.end_s - span.start_s for span in heard.speech)
    if spoken_s < MIN_SPEECH_S and (not words or _is_noise(heard, words)):
        return (
            "no_speech",
            "no speech was heard. Check that the microphone is on and near you, play the recording back, "
            "and record it again",
        )
    sure = heard.detected_probability is not None and heard.detected_probability >= SURE
    told_so = heard.detected is not None and heard.detected_probability is None  # by a server, as a fact
    if expected is not None and (sure or told_so) and heard.detected != expected:
        return (
            "wrong_language",
            f"the language spoken seems to be {heard.detected!r}, but {expected!r} is expected. Record it "
            "again in the expected language",
        )
    doubted = expected is not None and (heard.detected not in (None, expected) or bool(heard.others))
    least = MIN_LOGPROB_DOUBTED if doubted else MIN_LOGPROB
    misread = bool(heard.others) and (heard.detected_probability or 0.0) < MIN_EXPECTED
    if not words or misread or (not sure and _mean_logprob(heard) < least) or heard.written < MIN_WRITTEN:
        return (
            "unintelligible",
            "the speech cannot be understood. Record it again in a quiet room, close to the microphone, and "
            "speak slowly and clearly",
        )
    if words < MIN_WORDS:
        told = "word was" if words == 1 else "words were"
        return (
            "too_few_words",
            f"only {words} {told} heard. Record it again, introduce yourself in several sentences, and "
            "check that the whole recording can be heard",
        )
    return None


def _is_noise(heard: HeardSpeech, words: int) -> bool:
    """Whether the few words are what Whisper writes for noise: "You", at 0.76 and more in 4 of 700 noises;
    the shortest true utterances ("Yes.", "I am Tom.") had 0.5 at most.
    """
    return words < MIN_WORDS and all(segment.no_speech_prob > MAX_NO_SPEECH for segment in heard.segments)


def _mean_logprob(heard: HeardSpeech) -> float:
    """The mean over all segments, weighted by their numbers of words."""
    weights = [max(1, word_count(segment.text)) for segment in heard.segments]
    total = sum(segment.avg_logprob * weight for segment, weight in zip(heard.segments, weights, strict=True))
    return total / sum(weights)
