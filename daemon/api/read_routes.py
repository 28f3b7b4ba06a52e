"""The reading routes, open to everyone who may open the socket."""

from typing import Annotated, Any

from fastapi import FastAPI, Header, Query, Request, Response
from pydantic import StringConstraints
from starlette.concurrency import run_in_threadpool

from daemon.api.errors import MOST_ID, Instant, TaskId, as_json, problems, uid_of
from daemon.api.protocols import Answers, Operators, ShownWanting
from daemon.api.stream import Stream
from daemon.contracts.task_query import AttentionQuery, TaskQuery
from daemon.contracts.wire.attention import AttentionPage
from daemon.contracts.wire.base import EventLine, LogLine
from daemon.contracts.wire.status import DaemonStatus, GpuHistory
from daemon.contracts.wire.tasks import RefusedLine, TaskDetail, TaskPage
from daemon.contracts.wire.words import AttentionKind, LogSource, TaskOrder
from daemon.core.tasks.task import Outcome
from daemon.core.tasks.task import Status as TaskStatus
from daemon.monitoring.events import RING

_MOST_OFFSET = 10_000

FlagCode = Annotated[str, StringConstraints(max_length=64)]
AnyId = Annotated[int | None, Query(ge=0, le=MOST_ID)]


def add_reading(api: FastAPI, answers: Answers, wanting: ShownWanting, operators: Operators) -> None:
    """Add the reading routes to `api`."""
    _add_state(api, answers, operators)
    _add_tasks(api, answers)
    _add_attention(api, answers, wanting)
    _add_events_and_logs(api, answers)


def _add_state(api: FastAPI, answers: Answers, operators: Operators) -> None:
    down = problems(503)

    @api.get("/healthz", responses=down)
    async def healthz() -> dict[str, str]:
        """Whether the daemon's loop and its database answer."""
        await answers.healthy()
        return {"status": "ok"}

    @api.get("/status", response_model=DaemonStatus, responses=down)
    async def get_status(request: Request) -> Response:
        """The daemon's status: the phase, the tasks, the class clock and the alarms."""
        # Looking up groups may ask a directory server, which must not block the event loop.
        may_change = await run_in_threadpool(operators, uid_of(request))
        return as_json(await answers.status(may_change=may_change))

    @api.get("/gpu", response_model=GpuHistory, responses=down)
    async def get_gpu() -> Response:
        """The GPU's history of the last minutes, and the last phases with the ledger of each switch."""
        return as_json(await answers.gpu())

    @api.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def get_metrics() -> Response:
        """The metrics in Prometheus' text format."""
        text, media_type = await answers.metrics()
        return Response(text, headers={"content-type": media_type})


def _add_tasks(api: FastAPI, answers: Answers) -> None:
    gone = problems(404, 503)

    @api.get("/tasks", response_model=TaskPage, responses=problems(503))
    async def get_tasks(
        status: Annotated[list[TaskStatus] | None, Query()] = None,
        outcome: Annotated[list[Outcome] | None, Query()] = None,
        flag: Annotated[list[FlagCode] | None, Query()] = None,
        student: Annotated[str | None, Query(max_length=256)] = None,
        q: Annotated[str, Query(max_length=256)] = "",
        only_open: Annotated[bool, Query(alias="open")] = False,
        order: TaskOrder = TaskOrder.AGE,
        descending: bool = False,
        offset: Annotated[int, Query(ge=0, le=_MOST_OFFSET)] = 0,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
        before: AnyId = None,
    ) -> Response:
        """A page of tasks. `flag`: those with at least one of these flags, among the newest. `before`: only
        smaller ids, i.e. the last id of the page before, newest first.
        """
        wanted = TaskQuery(
            statuses=frozenset(status or ()),
            outcomes=frozenset(outcome or ()),
            flags=frozenset(flag or ()),
            student=student,
            text=q.strip(),
            only_open=only_open,
            order=order,
            descending=descending,
            offset=offset,
            limit=limit,
            before=before,
        )
        return as_json(await answers.tasks(wanted))

    @api.get("/tasks/{task_id}", response_model=TaskDetail, responses=gone)
    async def get_task(task_id: TaskId) -> Response:
        """One task with its history and its files."""
        return as_json(await answers.task(task_id))

    @api.get("/tasks/{task_id}/results", responses=gone)
    async def get_results(task_id: TaskId) -> list[dict[str, Any]]:
        """The results of a task, one for each revision that ended, oldest first."""
        return await answers.results(task_id)

    @api.get("/tasks/{task_id}/stages", responses=gone)
    async def get_stages(task_id: TaskId) -> dict[str, Any]:
        """Transcript, speaking and profile of a task as far as they are there, also before its result."""
        return await answers.stages(task_id)


def _add_attention(api: FastAPI, answers: Answers, wanting: ShownWanting) -> None:
    @api.get("/attention", response_model=AttentionPage, responses=problems(503))
    async def get_attention(
        kind: Annotated[list[AttentionKind] | None, Query()] = None,
        offset: Annotated[int, Query(ge=0, le=_MOST_OFFSET)] = 0,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> Response:
        """What wants a person, and what is to be done: the most urgent kind first, in it the newest."""
        return as_json(await wanting.page(AttentionQuery(frozenset(kind or ()), offset, limit)))

    @api.get("/refused", response_model=list[RefusedLine], responses=problems(503))
    async def get_refused(limit: Annotated[int, Query(ge=1, le=500)] = 100) -> list[RefusedLine]:
        """The last refused files with the reasons, the newest first."""
        return await answers.refused(limit)


def _add_events_and_logs(api: FastAPI, answers: Answers) -> None:
    @api.get("/events", response_class=Response, responses={200: {"content": {"text/event-stream": {}}}})
    async def get_events(
        after: AnyId = None,
        last_event_id: Annotated[int | None, Header(ge=0, le=MOST_ID)] = None,
    ) -> Response:
        """Server-sent events, as they happen. After `reset` events are lost: read everything again."""
        return Stream(answers.events, after if last_event_id is None else last_event_id)

    @api.get("/events/recent")
    async def get_recent(limit: Annotated[int, Query(ge=1, le=RING)] = 100) -> list[EventLine]:
        """The last events, oldest first."""
        return answers.events.recent(limit)

    @api.get("/events/kept", responses=problems(503))
    async def get_kept(
        since: Instant,
        until: Instant,
        after: Annotated[int, Query(ge=0, le=MOST_ID)] = 0,
        limit: Annotated[int, Query(ge=1, le=RING)] = RING,
    ) -> list[EventLine]:
        """Events of a time in epoch seconds, the oldest first. `after`: the last id that you have."""
        return await answers.kept_events(since, until, after, limit)

    @api.get("/logs")
    async def get_logs(
        source: LogSource = LogSource.DAEMON,
        task_id: AnyId = None,
        lines: Annotated[int, Query(ge=1, le=2000)] = 200,
    ) -> list[LogLine]:
        """The last lines of a log, or the last that name a task, oldest first."""
        return await answers.logs(source, task_id, lines)
