"""The routes of the control socket, and what stands behind them as protocols."""

from typing import Annotated, Any, Protocol

from fastapi import Depends, FastAPI, Header, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from daemon.api.stream import Stream
from daemon.core.errors import (
    ConfigError,
    IllegalTransition,
    IntroEvalError,
    NotAllowed,
    StoreError,
    UnknownStudent,
    UnknownTask,
)
from daemon.core.instant import from_text, to_iso
from daemon.core.naming import printable
from daemon.core.task import Status as TaskStatus
from daemon.events import RING, Events
from daemon.report import Wanted
from daemon.wire import (
    Deadline,
    EventLine,
    Forgotten,
    GpuHistory,
    LogLine,
    LogSource,
    Order,
    Problem,
    Status,
    TaskDetail,
    TaskOrder,
    TaskPage,
    Verb,
)

_HTTP = {
    NotAllowed: 403,
    UnknownTask: 404,
    UnknownStudent: 404,
    IllegalTransition: 409,
    ConfigError: 422,
    StoreError: 503,
}
_MOST_ID = 2**63 - 1
_MOST_OFFSET = 10_000

TaskId = Annotated[int, Path(ge=1, le=_MOST_ID)]
AnyId = Annotated[int | None, Query(ge=0, le=_MOST_ID)]


class Answers(Protocol):
    """What may be asked of the daemon. Each may raise StoreError."""

    events: Events

    async def healthy(self) -> None:
        """Return when the database answers."""
        ...

    async def status(self, *, may_change: bool) -> Status:
        """What the system is doing now."""
        ...

    async def tasks(self, wanted: Wanted) -> TaskPage:
        """A page of tasks."""
        ...

    async def task(self, task_id: int) -> TaskDetail:
        """One task. Raises UnknownTask."""
        ...

    async def results(self, task_id: int) -> list[dict[str, Any]]:
        """The results of a task, oldest first. Raises UnknownTask."""
        ...

    async def gpu(self) -> GpuHistory:
        """The last minutes of the GPU, and the last phases."""
        ...

    async def logs(self, source: LogSource, task_id: int | None, lines: int) -> list[LogLine]:
        """The last lines of a log, oldest first. Raises LogUnreadable."""
        ...

    async def metrics(self) -> tuple[bytes, str]:
        """The figures as Prometheus reads them, and the type of that text."""
        ...


class Commands(Protocol):
    """What may be asked to be done."""

    async def ask(self, verb: Verb, task_id: int, *, extract: bool = False) -> object:
        """Ask for something for one task. Raises UnknownTask, IllegalTransition."""
        ...

    async def order(self, order: Order, *, at_once: bool = False) -> None:
        """Pause, go on, drain, or go. Raises StoreError."""
        ...

    async def deadline(self, at: float | None) -> None:
        """By when the class is to be done. Raises StoreError."""
        ...


class Forget(Protocol):
    """What deletes a student."""

    async def __call__(self, student: str) -> Forgotten:
        """Delete all of a student. Raises UnknownStudent, and IllegalTransition while a task is open."""
        ...


class Operators(Protocol):
    """Who may change things, by user id."""

    def __call__(self, uid: int, /) -> bool:
        """Whether that user may."""
        ...


def make_api(answers: Answers, commands: Commands, forget: Forget, operators: Operators) -> FastAPI:
    """The application. Reading is for everyone who may open the socket, changing for `operators`."""
    api = FastAPI(
        title="IntroEval",
        description="The control socket of the IntroEval daemon.",
        docs_url=None,
        redoc_url=None,
        responses=_problems(422),
    )
    _add_problems(api)
    _add_reading(api, answers, operators)
    _add_changing(api, answers, commands, forget, operators)
    return api


def _add_problems(api: FastAPI) -> None:
    @api.exception_handler(IntroEvalError)
    async def problem(_: Request, exc: IntroEvalError) -> JSONResponse:
        answer = Problem(error=type(exc).__name__, message=str(exc))
        return JSONResponse(answer.model_dump(), status_code=_HTTP.get(type(exc), 500))

    @api.exception_handler(HTTPException)
    async def no_route(_: Request, exc: HTTPException) -> JSONResponse:
        answer = Problem(error="HttpError", message=f"{exc.detail}; see GET /openapi.json")
        return JSONResponse(answer.model_dump(), status_code=exc.status_code, headers=exc.headers)

    @api.exception_handler(RequestValidationError)
    async def wrong(_: Request, exc: RequestValidationError) -> JSONResponse:
        told = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in exc.errors())
        answer = Problem(error="WrongRequest", message=printable(told))
        return JSONResponse(answer.model_dump(), status_code=422)


def _add_reading(api: FastAPI, answers: Answers, operators: Operators) -> None:
    gone = _problems(404, 503)
    down = _problems(503)

    @api.get("/healthz", responses=down)
    async def healthz() -> dict[str, str]:
        """Whether the daemon's loop and its database answer."""
        await answers.healthy()
        return {"status": "ok"}

    @api.get("/status", response_model=Status, responses=down)
    async def get_status(request: Request) -> Response:
        """What the system is doing now."""
        # Whose groups they are may be asked of another machine: that must not hold up the loop.
        may_change = await run_in_threadpool(operators, _uid(request))
        return _json(await answers.status(may_change=may_change))

    @api.get("/tasks", response_model=TaskPage, responses=down)
    async def get_tasks(
        status: Annotated[list[TaskStatus] | None, Query()] = None,
        student: Annotated[str | None, Query(max_length=256)] = None,
        q: Annotated[str, Query(max_length=256)] = "",
        only_open: Annotated[bool, Query(alias="open")] = False,
        order: TaskOrder = TaskOrder.AGE,
        descending: bool = False,
        offset: Annotated[int, Query(ge=0, le=_MOST_OFFSET)] = 0,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
        before: AnyId = None,
    ) -> Response:
        """A page of tasks; `before` is the last id of the page before, where the newest come first."""
        wanted = Wanted(
            statuses=frozenset(status or ()),
            student=student,
            text=q.strip(),
            only_open=only_open,
            order=order,
            descending=descending,
            offset=offset,
            limit=limit,
            before=before,
        )
        return _json(await answers.tasks(wanted))

    @api.get("/tasks/{task_id}", response_model=TaskDetail, responses=gone)
    async def get_task(task_id: TaskId) -> Response:
        """One task with its history and its files."""
        return _json(await answers.task(task_id))

    @api.get("/tasks/{task_id}/results", responses=gone)
    async def get_results(task_id: TaskId) -> list[dict[str, Any]]:
        """The results of a task, one for each revision that ended, oldest first."""
        return await answers.results(task_id)

    @api.get("/gpu", response_model=GpuHistory, responses=down)
    async def get_gpu() -> Response:
        """The last minutes of the GPU, and the last phases with what each switch found and cost."""
        return _json(await answers.gpu())

    @api.get("/events", response_class=Response, responses={200: {"content": {"text/event-stream": {}}}})
    async def get_events(
        after: AnyId = None,
        last_event_id: Annotated[int | None, Header(ge=0, le=_MOST_ID)] = None,
    ) -> Response:
        """What happens, as it happens: server-sent events. After `reset`, read everything anew."""
        return Stream(answers.events, after if last_event_id is None else last_event_id)

    @api.get("/events/recent")
    async def get_recent(limit: Annotated[int, Query(ge=1, le=RING)] = 100) -> list[EventLine]:
        """The last events, oldest first."""
        return answers.events.recent(limit)

    @api.get("/logs")
    async def get_logs(
        source: LogSource = LogSource.DAEMON,
        task_id: AnyId = None,
        lines: Annotated[int, Query(ge=1, le=2000)] = 200,
    ) -> list[LogLine]:
        """The last lines of a log, or those of them that name a task, oldest first."""
        return await answers.logs(source, task_id, lines)

    @api.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def get_metrics() -> Response:
        """The figures as Prometheus reads them."""
        text, media_type = await answers.metrics()
        return Response(text, headers={"content-type": media_type})


def _add_changing(
    api: FastAPI, answers: Answers, commands: Commands, forget: Forget, operators: Operators
) -> None:
    def may_change(request: Request) -> None:
        if not operators(_uid(request)):
            raise NotAllowed("only the daemon's user, root and the operators' group may change things")

    changes = [Depends(may_change)]
    whole = _problems(403, 503)

    @api.post("/tasks/{task_id}/{verb}", response_model=TaskDetail, dependencies=changes,
              responses=_problems(403, 404, 409, 503))  # fmt: skip
    async def post_task(task_id: TaskId, verb: Verb, extract: bool = False) -> Response:
        """Retry, rate anew, cancel, hold, release, or deliver again one task."""
        await commands.ask(verb, task_id, extract=extract)
        return _json(await answers.task(task_id))

    @api.post("/deadline", response_model=Status, dependencies=changes, responses=whole)
    async def post_deadline(deadline: Deadline) -> Response:
        """By when the class is to be done: ISO 8601 with its zone, or null for no deadline."""
        try:
            at = None if deadline.at is None else from_text(deadline.at)
        except ValueError as exc:
            raise HTTPException(422, f"at must be a time with its zone, as in {to_iso(0)}") from exc
        await commands.deadline(at)
        return _json(await answers.status(may_change=True))

    @api.post("/forget/{student}", dependencies=changes, responses=_problems(403, 404, 409, 503))
    async def post_forget(student: Annotated[str, Path(max_length=256)]) -> Forgotten:
        """Delete a student with every video, transcript and result. It cannot be undone."""
        return await forget(student)

    @api.post("/{order}", response_model=Status, dependencies=changes, responses=whole)
    async def post_order(order: Order, now: bool = False) -> Response:
        """Pause (`now`: what runs waits again), resume, drain, or go on without waiting for more uploads."""
        await commands.order(order, at_once=now)
        return _json(await answers.status(may_change=True))


def _problems(*codes: int) -> dict[int | str, dict[str, Any]]:
    return {code: {"model": Problem} for code in codes}


def _json(answer: BaseModel) -> Response:
    """The answer, written once: the framework would check and copy what is one of its types already."""
    return Response(answer.model_dump_json(), media_type="application/json")


def _uid(request: Request) -> int:
    return int(request.client.host) if request.client else -1
