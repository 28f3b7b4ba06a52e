"""`introeval compare`: two results of each task side by side, at any time.

It is no part of `introeval rubric`, since a model, a seed or a transcript may have changed as well.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.common import configuration
from daemon.cli.declare import TASK, AsJson
from daemon.cli.lines import Line, say
from daemon.contracts.task_query import TaskQuery
from daemon.core.errors import UsageError

if TYPE_CHECKING:
    from daemon.config.load import Config
    from daemon.core.content.comparison import Compared, Comparison, Shift

_PAGE = 500


def compare(
    task_ids: Annotated[list[int] | None, TASK] = None,
    every: Annotated[bool, typer.Option("--all", help="Every task with several results.")] = False,
    revisions: Annotated[
        tuple[int, int] | None,
        typer.Option(metavar="A B", help="Compare these; by default the last two of each task."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare two results of each task: what changed by student, and the mean shift by criterion."""
    if bool(task_ids) == every:
        raise UsageError("give either task ids or --all")
    from daemon.cli import reading
    from daemon.core.content.comparison import compare as side_by_side
    from daemon.core.content.comparison import pair

    settings = configuration()
    ids = list(dict.fromkeys(task_ids)) if task_ids else _rated_again(settings)
    pairs = {each: pair(reading.results(settings, each), revisions) for each in ids}
    comparison = side_by_side([each for each in pairs.values() if each is not None])
    lacking = [task_id for task_id, each in pairs.items() if each is None]
    tell(comparison, lacking, as_json=as_json)


def tell(comparison: "Comparison", lacking: Sequence[int] = (), *, as_json: bool) -> None:
    """Print a comparison. `lacking` are tasks without both results."""
    if as_json:
        print(json.dumps({**asdict(comparison), "lacking": list(lacking)}, indent=2))
        return
    say(_lines(comparison))
    if lacking:
        ids = " ".join(map(str, lacking))
        say([Line(f"not compared, since a result is not there: {ids}", "yellow")], error=True)


def _rated_again(config: "Config") -> list[int]:
    """The ids of all tasks with a second revision, in order."""
    from daemon.cli import reading

    ids: list[int] = []
    before = None
    while lines := reading.tasks(config, TaskQuery(limit=_PAGE, before=before)).tasks:
        before = lines[-1].id
        ids += [line.id for line in lines if line.revision > 1]
    return sorted(ids)


def _lines(comparison: "Comparison") -> Iterator[Line]:
    if not comparison.tasks:
        yield Line("no task has two results; for new ratings, run: introeval rate --all")
        return
    width = max(len(each.student) for each in comparison.tasks)
    for each in comparison.tasks:
        revisions = f"{each.revision_before} > {each.revision}"
        yield Line(f"{each.id:>5}  {each.student:<{width}}  {revisions}  {_changes(each)}")
    if comparison.criteria:
        yield Line("mean shift by criterion", "bold")
    for shift in comparison.criteria:
        yield Line(
            f"  {shift.criterion:<18}{shift.shift:+6.2f}  ({shift.before:.2f} > {shift.after:.2f})  "
            f"{shift.changed} of {shift.n} changed{_mixed(shift)}"
        )
    asked = Counter(name for each in comparison.tasks for name in each.asked_otherwise)
    for name, count in asked.items():
        yield Line(f"asked otherwise in {count} of {len(comparison.tasks)}: {name}", "dim")
    if unexplained := [each.id for each in comparison.tasks if each.unexplained]:
        ids = " ".join(map(str, unexplained))
        yield Line(f"same rubric, model and seed, other answer: {ids}", "yellow")


def _mixed(shift: "Shift") -> str:
    """That some of the scores are integers, where others are expected ones."""
    whole = shift.n - shift.by_expected
    return f", {whole} by their integers" if whole and shift.by_expected else ""


def _changes(each: "Compared") -> str:
    outcome = [] if each.outcome == each.outcome_before else [f"{each.outcome_before} > {each.outcome}"]
    shown = {**each.scores, **{name: (f"{a:.1f}", f"{b:.1f}") for name, (a, b) in each.expected.items()}}
    scores = [f"{name} {before or '-'} > {after or '-'}" for name, (before, after) in shown.items()]
    others = [part for part in each.changed if part not in shown]
    return ", ".join([*outcome, *scores, *others]) or "nothing changed"
