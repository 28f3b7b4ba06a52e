"""The flags for what may have been heard wrong, so that a person listens. Pure functions.

docs/hearing.md has the rates on voices, texts and conditions with which nothing here was chosen.
"""

from daemon.core.content.document import Flag
from daemon.stt.protocol import HeardSpeech

SURE_LOGPROB = -0.40
"""The log-probability of a window's text, in the middle between good and bad. On the half of the set that
chose it, texts with a word error rate below 0.15 had -0.33 or more. Those above 0.4 had -0.48 or less, or
left most of the speech without text."""
MOST_DOUBTED = 1 / 3  # of the text, in seconds, may be below that: noise in one part, say
LEAST_WRITTEN = 0.75  # of the speech has text; good transcripts had 0.81 and more
MOST_UNHEARD = 0.2  # of the speech, by the lenient voice detector, may be missed by the usual one
QUIET_DB = -60.0  # of the loud parts: below, a doubtful text may be due to the level; usual are -40 to -10


def doubts(heard: HeardSpeech, expected: str | None) -> list[Flag]:
    """The flags `mixed_language`, `low_confidence` and `quiet`, each where it holds."""
    flags = []
    if heard.others:
        times = ", ".join(
            f"{each.start_s:.0f} to {each.end_s:.0f} s (perhaps {each.language!r})" for each in heard.others
        )
        detail = f"parts are not in {expected!r} and were left out: {times}"
        flags.append(Flag(code="mixed_language", field="transcript", detail=detail))
    doubtful = _doubted(heard) > MOST_DOUBTED
    if doubtful or heard.written < LEAST_WRITTEN:
        detail = (
            f"Whisper is unsure of {_doubted(heard):.0%} of the text: noise, clipping or an accent"
            if doubtful
            else f"only {heard.written:.0%} of the speech gave words"
        )
        flags.append(Flag(code="low_confidence", field="transcript", detail=detail))
    spoken_s = sum(span.end_s - span.start_s for span in heard.speech)
    lost = heard.unheard_s > MOST_UNHEARD * spoken_s
    if flags and (lost or heard.level_db < QUIET_DB):
        detail = (
            f"{heard.unheard_s:.0f} of {spoken_s:.0f} s of speech are whispered, or as quiet as the room"
            if lost
            else f"the recording is very quiet ({heard.level_db:.0f} dB)"
        )
        flags.append(Flag(code="quiet", field="transcript", detail=detail))
    return flags


def _doubted(heard: HeardSpeech) -> float:
    """The share of the text, in seconds, with a low log-probability. In words "4-5-1" would be one."""
    seconds = [(segment.end_s - segment.start_s, segment.avg_logprob) for segment in heard.segments]
    total = sum(length for length, _ in seconds)
    return sum(length for length, logprob in seconds if logprob < SURE_LOGPROB) / total if total else 0.0
