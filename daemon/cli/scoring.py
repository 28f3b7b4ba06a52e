"""Asks a person at the terminal for the scores of tasks, without showing the model's."""

import sys
from collections.abc import Iterator, Sequence

from daemon.cli.lines import Line, say
from daemon.contracts.wire.calibration import AnchorTask
from daemon.core.agreement.anchors import ASKED
from daemon.core.content.document import Criterion, Profile, Speaking

Scores = dict[int, dict[Criterion, int]]

_HELP = "for each score type 1 to 10; Enter: leave it out, b: back, q: stop"


def in_words(criterion: str) -> str:
    """A criterion as people read it."""
    return criterion.replace("_", " ")


def asked(tasks: Sequence[AnchorTask]) -> tuple[Scores, bool]:
    """The scores that a person gives, and whether they went through all tasks."""
    scores: Scores = {}
    places = [(task, criterion) for task in tasks for criterion in ASKED]
    at, shown = 0, None
    say([Line(_HELP, "dim")], error=True)
    while at < len(places):
        task, criterion = places[at]
        if shown is not task:
            say(_described(task, f"{at // len(ASKED) + 1} of {len(tasks)}"), error=True)
            shown = task
        answer = _answer(f"{in_words(criterion)}: ")
        if answer == "q":
            return scores, False
        if answer == "b":
            at = max(0, at - 1)
            continue
        mine = scores.setdefault(task.id, {})
        if answer.isdecimal() and 1 <= int(answer) <= 10:
            mine[criterion] = int(answer)
        elif answer:
            say([Line(_HELP, "yellow")], error=True)
            continue
        else:
            mine.pop(criterion, None)
        at += 1
    return scores, True


def _answer(question: str) -> str:
    """The answer to a question; `q` at the end of the input, and for an interrupt."""
    print(question, end="", file=sys.stderr, flush=True)
    try:
        line = sys.stdin.readline()
    except KeyboardInterrupt:
        line = ""
    if not line:
        print(file=sys.stderr)
    return line.strip().lower() if line else "q"


def _described(task: AnchorTask, place: str) -> Iterator[Line]:
    yield Line("")
    yield Line(f"{place}: task {task.id}  {task.student}", "bold")
    for name, text in columns(task).items():
        if text and name not in ("task", "student"):
            yield Line(f"{in_words(name)}: {text}")


def columns(task: AnchorTask) -> dict[str, str]:
    """A task as texts, in the order of the sheet."""
    return {
        "task": str(task.id),
        "student": task.student,
        "video": task.video or "",
        "speaking": "" if task.speaking is None else _spoken(task.speaking),
        "form": "" if task.profile is None else _form(task.profile),
        "transcript": task.transcript,
    }


def _spoken(speaking: Speaking) -> str:
    fillers = ", ".join(f"{word} {count}" for word, count in speaking.filler_words.items())
    return (
        f"{speaking.speech_s:.0f} s of speech, {speaking.words_per_minute:.0f} words a minute, "
        f"{speaking.pause_ratio:.0%} pauses, the longest {speaking.longest_pause_s:.1f} s"
        + (f"; fillers: {fillers}" if fillers else "")
    )


def _form(profile: Profile) -> str:
    known = {name: value for name, value in profile if value not in (None, ())}
    texts = (
        f"{in_words(name)}: {', '.join(value) if isinstance(value, tuple) else value}"
        for name, value in known.items()
    )
    return "; ".join(texts)
