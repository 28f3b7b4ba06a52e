"""The words for a score and for a place in the recording, on screen and in the commands.

They are made of a result as JSON, of schema version 1 or 2.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Json = Mapping[str, Any]

CRITERIA = ("overall_rating", "clarity_of_speech", "content_quality", "confidence_level")


def figure_words(scored: Json) -> str:
    """`expected 7.4, spread 0.5`: the mean over the levels and their standard deviation, in points."""
    told = f"expected {scored['expected']:.1f}"
    return told if scored.get("spread") is None else f"{told}, spread {scored['spread']:.1f}"


def notes(result: Json, criterion: str) -> Iterator[str]:
    """What else a person should know of a score: its interval, who made it, and why it is unsure."""
    scored = ((result.get("evaluation") or {}).get("scores") or {}).get(criterion) or {}
    if interval := scored.get("interval"):
        yield f"in 90% of the cases people give {interval[0]:.1f} to {interval[1]:.1f}"
    source = scored.get("source", "model")
    if source != "model":
        by = "a person" if source == "person" else "calibration"
        yield f"set by {by}; the model's own: {scored['model_score']}/10"
    for flag in result.get("flags") or ():
        if flag.get("field") == criterion:
            yield f"{flag['code'].replace('_', ' ')}: {flag['detail']}"


def quote_words(evidence: Json) -> str:
    """A quote with its time, e.g. `"I like chess" at 0:40.0`."""
    return f'"{evidence.get("quote")}" {moment_words(evidence) or "not found"}'


def moment_words(evidence: Json) -> str:
    """When something was said, e.g. `at 0:40.0`; empty where that is not known."""
    start = evidence.get("start_s")
    return f"at {start // 60:.0f}:{start % 60:04.1f}" if isinstance(start, int | float) else ""
