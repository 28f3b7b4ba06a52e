"""What the tests of the scheduler, the lifecycle and the simulation share: tasks, groups, policies."""

from typing import Any

from daemon.core.schedule.decision import Group, Policy
from daemon.core.tasks.task import Stage, Status, Task

STT: Group = frozenset({Stage.STT})
EXTRACT: Group = frozenset({Stage.EXTRACT})
RATE: Group = frozenset({Stage.RATE})
EVAL: Group = EXTRACT | RATE
ALL: Group = STT | EVAL

APART = (STT, EXTRACT, RATE)
PAIRED = (STT, EVAL)
TOGETHER = (ALL,)


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
