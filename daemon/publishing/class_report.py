"""The report of a class: its numbers, its figures, the machine's time, and who wants a person."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from daemon.contracts.wire.status import GpuPoint, PhaseSpan
from daemon.core.classes.standing import Standing
from daemon.core.content.document import CRITERIA, Speaking
from daemon.core.exports.members import ClassMember
from daemon.publishing.charts import histogram, time_lines
from daemon.publishing.pages import in_words, page

_NUMBERS = {
    "handed_in": "handed in",
    "missing": "missing",
    "in_work": "in work",
    "unreadable": "without a rating",
    "needs_review": "need review",
    "held": "held back",
    "released": "released",
    "doubled": "handed in more than once",
    "late": "late",
    "unknown": "not on the roster",
}
_SPEAKING = {
    "words_per_minute": ("Words a minute", "{:.0f}"),
    "pause_ratio": ("Pauses, part of the time", "{:.0%}"),
    "longest_pause_s": ("Longest pause in seconds", "{:.1f}"),
    "speech_s": ("Speech in seconds", "{:.0f}"),
}
_WANTING = (Standing.NEEDS_REVIEW, Standing.UNREADABLE)


def class_report(
    name: str,
    made_at: str,
    counts: Mapping[str, int],
    members: Sequence[ClassMember],
    phases: Sequence[PhaseSpan],
    points: Sequence[GpuPoint],
) -> bytes:
    """The report of a class. `phases` and `points` are those of its time, the oldest first."""
    rated = [member for member in members if member.result and member.result.evaluation]
    return page(
        "class.html.j2",
        name=name,
        made_at=made_at[:16].replace("T", " "),
        numbers=[(told, counts[key]) for key, told in _NUMBERS.items() if counts[key] or key == "handed_in"],
        histograms=[histogram(in_words(each), [member.score(each) for member in rated]) for each in CRITERIA],
        speaking=list(_speaking([m.result.speaking for m in members if m.result and m.result.speaking])),
        time_lines=list(time_lines(phases, points)),
        wanting=[member for member in members if member.standing.standing in _WANTING],
        missing=[member for member in members if member.standing.standing is Standing.MISSING],
        members=members,
        criteria=CRITERIA,
    )


def _speaking(figures: Sequence[Speaking]) -> Iterator[tuple[str, str, str, str]]:
    """The least, the median and the most of each figure."""
    for field, (label, form) in _SPEAKING.items():
        if values := [getattr(each, field) for each in figures]:
            yield label, form.format(min(values)), form.format(median(values)), form.format(max(values))
