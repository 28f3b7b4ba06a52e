"""The lines that show the form and the rating of a result."""

from collections.abc import Iterator, Mapping
from typing import Any

from daemon.cli.lines import Line
from daemon.contracts.wire.scores import CRITERIA, figure_words, moment_words, notes, quote_words

_SCORE = 20  # cells of a criterion's name with its indent
_FIELD = 16


def answers(result: Mapping[str, Any], *, demo: bool) -> Iterator[Line]:
    """The form, each value with its time, and the rating, each score with its figure and quote."""
    profile, evaluation = result.get("profile"), result.get("evaluation")
    if profile:
        yield Line(f"form of revision {result['revision']}", "bold")
        for field, value in profile.items():
            places = (result.get("profile_evidence") or {}).get(field) or ()
            values = value if isinstance(value, list) else [value]
            for at, each in enumerate(values or [None]):
                moment = moment_words(places[at]) if at < len(places) else ""
                name = field.replace("_", " ") if at == 0 else ""
                told = "-" if each is None else each
                yield Line(f"  {name:<{_FIELD - 2}}{told}  {moment}".rstrip(), indent=_FIELD - 2)
    if evaluation:
        yield Line(f"rating of revision {result['revision']}{' (demo: no grade)' if demo else ''}", "bold")
        for name in CRITERIA:
            yield from _score(result, name)


def _score(result: Mapping[str, Any], name: str) -> Iterator[Line]:
    evaluation = result["evaluation"]
    scored = (evaluation.get("scores") or {}).get(name)
    figure = f"  {figure_words(scored)}" if scored else ""
    yield Line(f"  {name.replace('_', ' '):<{_SCORE - 2}}{evaluation[name]:>2}/10{figure}")
    if scored and scored.get("quote"):
        yield Line(f"{'':{_SCORE}}{quote_words(scored['quote'])}", "dim", 0)
    for note in notes(result, name):
        yield Line(f"{'':{_SCORE}}{note}", "yellow", 0)
