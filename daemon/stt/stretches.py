"""Which stretches of a recording are in another language than the expected one. Pure functions.

A stretch is a few pieces of speech in a row, of at least STRETCH_S together: a name or a short quote in
another language is less. The limits follow from the set in docs/hearing.md, from both of its halves.
"""

from collections.abc import Mapping, Sequence

from daemon.core.content.document import Segment
from daemon.stt.windows import RATE, Samples

Likely = Mapping[str, float]
"""The probability of each language, by its code."""

STRETCH_S = 4.0
SUSPECT = 0.45  # the expected language's probability by a guess; foreign stretches stayed below 0.44
MIN_OTHER = 0.25  # another's, of those that students speak, when the stretch is alone; the weakest had 0.27
MAX_EXPECTED = 0.1  # and the expected one's: at most 0.07 beside 0.25 of another, in clear English over 0.26
DOUBTED = 0.5  # the expected one's, if Whisper wrote next to nothing: Chinese and Hindi had 0.02 to 0.45
MAX_WRITTEN = 0.3  # of a stretch has text, and that is next to nothing

UNSPOKEN = frozenset({"la", "sa"})
"""Languages that no student speaks: `base` took accented English for Latin at 0.69, Spanish at 0.76."""


def stretches(pieces: Sequence[Samples]) -> list[tuple[Samples, ...]]:
    """The pieces of a window, in order, as stretches. A short rest belongs to the last one."""
    made: list[list[Samples]] = []
    length = STRETCH_S * RATE
    for piece in pieces:
        if length >= STRETCH_S * RATE:
            made.append([])
            length = 0
        made[-1].append(piece)
        length += piece[1] - piece[0]
    if len(made) > 1 and length < STRETCH_S * RATE:
        made[-2:] = [made[-2] + made[-1]]
    return [tuple(stretch) for stretch in made]


def other_language(likely: Likely, expected: str, *, written: bool) -> str | None:
    """The language of a stretch that is not in the expected one, else None.

    `likely` is that of the stretch alone; `written` says whether it has text.
    """
    spoken = {code: share for code, share in likely.items() if code not in UNSPOKEN}
    total = sum(spoken.values())
    ours = spoken.pop(expected, 0.0)
    if not spoken or not total:
        return None
    other = max(spoken, key=lambda code: spoken[code])
    sure = spoken[other] >= MIN_OTHER * total and ours < MAX_EXPECTED
    return other if sure or (not written and ours < DOUBTED) else None


def likelier(likely: Likely, expected: str) -> bool:
    """Whether some other language is likelier than the expected one."""
    others = [share for code, share in likely.items() if code not in UNSPOKEN and code != expected]
    return max(others, default=0.0) > likely.get(expected, 0.0)


def has_text(stretch: Sequence[Samples], segments: Sequence[Segment]) -> bool:
    """Whether segments, placed in the recording, cover more of the stretch than MAX_WRITTEN."""
    spoken = sum(end - start for start, end in stretch) / RATE
    covered = sum(
        max(0.0, min(end / RATE, segment.end_s) - max(start / RATE, segment.start_s))
        for start, end in stretch
        for segment in segments
    )
    return covered > MAX_WRITTEN * spoken
