"""What the tests of the scheduler, the lifecycle and the simulation share: tasks, groups, policies."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from daemon.core.schedule.decision import Policy, View
from daemon.core.schedule.phase_state import Group, PhaseState
from daemon.core.tasks.task import Stage, Status, Task

STT: Group = frozenset({Stage.STT})
EXTRACT: Group = frozenset({Stage.EXTRACT})
RATE: Group = frozenset({Stage.RATE})
EVAL: Group = EXTRACT | RATE
ALL: Group = STT | EVAL

APART = (STT, EXTRACT, RATE)
PAIRED = (STT, EVAL)
TOGETHER = (ALL,)


_OF_THE_VIEW = ("paused", "draining", "go_at", "last_claim_at")


def task(id: int, status: Status = Status.UPLOADED, **fields: Any) -> Task:
    """A task of its own student, claimed at second `id` unless said otherwise."""
    known = {"student": f"s{id}", "claimed_at": float(id), **fields}
    return Task(
        id=id,
        filename="a.mp4",
        path=f"/spool/{id}",
        sha256=f"{id:x}",
        size_bytes=1,
        duration_s=60.0,
        status=status,
        **known,
    )


def view_of(now: float, tasks: Sequence[Task], group: Group | None = None, **fields: Any) -> View:
    """A view of these tasks; what is no field of `View` is one of its phase state."""
    own = {name: fields.pop(name) for name in _OF_THE_VIEW if name in fields}
    if fields.pop("switching", False):
        fields["switching_since"] = now
    return View(now, tasks, PhaseState(group=group, **fields), **own)


def in_phase(view: View, **fields: Any) -> View:
    """The view with these fields of its phase state."""
    return replace(view, phase=replace(view.phase, **fields))


def burst(n: int) -> list[Task]:
    """A class that copies all its videos at once."""
    return [task(id, claimed_at=0.0) for id in range(1, n + 1)]


def policy(
    residency: tuple[Group, ...] = PAIRED,
    *,
    size: int = 10,
    remainder: bool = False,
    stt: int = 1,
    llm: int = 1,
) -> Policy:
    """A policy with so many at once in stt, and with each language model."""
    parallel = {Stage.STT: stt, Stage.EXTRACT: llm, Stage.RATE: llm}
    return Policy(residency, parallel, size, remainder)
