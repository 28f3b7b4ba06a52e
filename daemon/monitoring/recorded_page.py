"""A page of a list of recorded tasks, in the orders that `queries.task_page` gives those of the database."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from daemon.contracts.task_query import TaskQuery
from daemon.contracts.wire.tasks import TaskLine, TaskPage
from daemon.contracts.wire.words import TaskOrder
from daemon.core.tasks.task import FINAL, Status
from daemon.store.lists import WINDOW, matches

Line = Mapping[str, Any]

_LIFECYCLE = {status.value: place for place, status in enumerate(Status)}
_KEYS: dict[TaskOrder, Callable[[Line], tuple[Any, ...]]] = {
    TaskOrder.AGE: lambda line: (-line["id"],),
    TaskOrder.STUDENT: lambda line: (line["student"], line["status"], line["id"]),
    TaskOrder.STATUS: lambda line: (_LIFECYCLE[line["status"]], -line["id"]),
}


def page(wanted: TaskQuery, opened: Sequence[Line], ended: Iterable[Line], status: Line) -> TaskPage:
    """A page of tasks. `opened` are in the order of service; `status` has the numbers of all that ended."""
    mine = [line for line in opened if _matches(wanted, line)]
    final = sorted((line for line in ended if _matches(wanted, line)), key=_KEYS[TaskOrder.AGE])
    total = len(mine) + len(final)
    if wanted.student is None and not (wanted.text or wanted.outcomes or wanted.flags):
        total = len(mine) + sum(status["counts"].get(s.value, 0) for s in wanted.of_status & FINAL)
    if wanted.order in (TaskOrder.QUEUE, TaskOrder.ETA):
        if wanted.order is TaskOrder.ETA:
            mine.sort(key=lambda line: (line["eta"] is None, line["eta"]))
        every = [*(reversed(mine) if wanted.descending else mine), *final]
    else:
        every = sorted([*mine, *final], key=_KEYS[wanted.order], reverse=wanted.descending)
    shown = every[wanted.offset : wanted.offset + wanted.limit]
    return TaskPage(
        total=total,
        tasks=[TaskLine(**{**line, "can": []}) for line in shown],
        partial=wanted.is_searched and len(opened) + len(final) >= WINDOW,
    )


def _matches(wanted: TaskQuery, line: Line) -> bool:
    needle = wanted.text.casefold()
    return (
        line["status"] in wanted.of_status
        and (not wanted.outcomes or line["outcome"] in wanted.outcomes)
        and (not wanted.flags or not wanted.flags.isdisjoint(line["flag_codes"]))
        and wanted.student in (None, line["student"])
        and (wanted.before is None or line["id"] < wanted.before)
        and (not needle or matches(needle, line["id"], line["student"], line["filename"]))
    )
