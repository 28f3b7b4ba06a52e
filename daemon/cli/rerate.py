"""`introeval rate`: asks for new ratings, waits for them, and compares them with the results before."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from daemon.api import client
from daemon.contracts.wire.tasks import TaskLine, TaskPage
from daemon.contracts.wire.words import Verb
from daemon.core.tasks.task import FINAL, Outcome

_LOOK_S = 0.5
_PAGE = 500
_SCORES = ("overall_rating", "clarity_of_speech", "content_quality", "confidence_level")
_PARTS = (*_SCORES, "feedback", "suggestions", "evidence")


@dataclass(frozen=True, slots=True)
class Compared:
    """Two revisions of one task's result. `scores` holds the changed scores as (before, after)."""

    id: int
    student: str
    revision: int
    outcome_before: str
    outcome: str
    scores: dict[str, tuple[int | None, int | None]]
    changed: list[str]


def rated(socket: Path) -> list[int]:
    """The ids of all tasks that were rated or need review, in order. Raises NotRunning."""
    ids: list[int] = []
    before = None
    while lines := TaskPage.model_validate(client.get(socket, "/tasks", limit=_PAGE, before=before)).tasks:
        before = lines[-1].id
        ids += [line.id for line in lines if line.outcome in (Outcome.EVALUATED, Outcome.NEEDS_REVIEW)]
    return sorted(ids)


def rate_again(socket: Path, ids: Sequence[int], console: Console, *, extract: bool) -> list[Compared]:
    """Ask for new ratings, wait for all of them, and compare. Raises NotRunning and the daemon's errors."""
    for task_id in ids:
        client.post(socket, f"/tasks/{task_id}/{Verb.RATE}", extract=extract)
    open_ids = list(ids)
    with console.status(f"rating {len(open_ids)} again"):
        while open_ids:
            lines = [TaskLine.model_validate(client.get(socket, f"/tasks/{each}")) for each in open_ids]
            open_ids = [line.id for line in lines if line.status not in FINAL]
            if open_ids:
                time.sleep(_LOOK_S)
    return [compare(*client.get(socket, f"/tasks/{each}/results")[-2:]) for each in ids]


def compare(before: dict[str, Any], after: dict[str, Any]) -> Compared:
    """Compare two result documents of one task."""
    one, other = before["evaluation"] or {}, after["evaluation"] or {}
    changed = [part for part in _PARTS if one.get(part) != other.get(part)]
    return Compared(
        id=after["task_id"],
        student=after["student_id"],
        revision=after["revision"],
        outcome_before=before["outcome"],
        outcome=after["outcome"],
        scores={score: (one.get(score), other.get(score)) for score in _SCORES if score in changed},
        changed=[*changed, *(["profile"] if before["profile"] != after["profile"] else [])],
    )
