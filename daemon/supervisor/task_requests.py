"""Requests of people for one task, carried out in the store and in the book."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from daemon.contracts.wire.words import Verb
from daemon.core.errors import IntroEvalError
from daemon.core.tasks.task import FINAL, RUNNING, Event, Stage, Task
from daemon.store import reopening
from daemon.supervisor.attempts import Attempts
from daemon.supervisor.journal import Journal
from daemon.supervisor.task_book import TaskBook

_DONE = {
    Verb.RETRY: "is retried",
    Verb.RATE: "is rated again",
    Verb.CANCEL: "is to be cancelled",
    Verb.HOLD: "is held",
    Verb.RELEASE: "is released",
    Verb.NEXT: "is put first",
    Verb.IN_TURN: "is in its turn again",
    Verb.ACKNOWLEDGE: "is acknowledged",
}


@dataclass(frozen=True, slots=True)
class TaskRequest:
    """A person's request; `actor` is their account. `answer` gets the changed task, or the error."""

    verb: Verb
    task_id: int
    extract: bool
    actor: str | None
    answer: asyncio.Future[Task | None]


async def answer(asked: TaskRequest, obeying: Awaitable[Task | None]) -> None:
    """Pass the result or the error on to the requester, if they still wait."""
    try:
        task = await obeying
    except IntroEvalError as exc:
        if not asked.answer.cancelled():
            asked.answer.set_exception(exc)
    else:
        if not asked.answer.cancelled():
            asked.answer.set_result(task)


async def execute(
    asked: TaskRequest,
    journal: Journal,
    book: TaskBook,
    attempts: Attempts,
    now: float,
    on_final: Callable[[], None],
) -> Task | None:
    """Carry out a request; the book must be committed. Gives the changed task, or None without a change.

    Raises UnknownTask, and IllegalTransition for what the task's status does not allow.
    """
    session, task_id, actor = journal.session, asked.task_id, asked.actor
    match asked.verb:
        case Verb.DELIVER:
            await session(reopening.deliver_again, task_id, now, actor)
            journal.events.add("order", f"task {task_id}: deliver again", task_id=task_id, actor=actor)
            on_final()
            return None
        case Verb.RETRY:
            task = await session(reopening.retry, task_id, now, actor)
        case Verb.RATE:
            task = await session(reopening.rate_again, task_id, now, actor, extract=asked.extract)
        case Verb.CANCEL:
            task = await session(reopening.request_cancel, task_id, now, actor)
        case Verb.NEXT | Verb.IN_TURN:
            first = asked.verb is Verb.NEXT
            task = await session(reopening.put_first, task_id, now, actor, first=first)
        case Verb.ACKNOWLEDGE:
            task = await session(reopening.acknowledge, task_id, now, actor)
        case _:
            task = await session(reopening.hold, task_id, now, actor, held=asked.verb is Verb.HOLD)
    if task.status not in FINAL:
        book.put(task)
    journal.events.of_task(task, _DONE[asked.verb], actor=actor)
    if asked.verb is Verb.CANCEL and task.status not in RUNNING:
        return book.move(task.id, Event.CANCELLED)
    if asked.verb is Verb.CANCEL and task.stage is not Stage.STT:
        attempts.cancel(task.id)
    return task
