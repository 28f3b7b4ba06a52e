"""The control socket: HTTP over a Unix socket that we bind ourselves."""

import contextlib
import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, TypeVar

import uvicorn
from fastapi import FastAPI, Query, Request
from fastapi.responses import JSONResponse

from daemon import report
from daemon.core.errors import AlreadyRunning, ConfigError, IntroEvalError, StoreError, UnknownTask
from daemon.core.task import Status as TaskStatus
from daemon.store.reader import Reader
from daemon.wire import Problem, Status, TaskDetail, TaskLine

R = TypeVar("R")
Ask = Callable[[Callable[[Reader], R]], Awaitable[R]]

_MODE = 0o660
_HTTP = {UnknownTask: 404, StoreError: 503}


def make_api(
    status: Callable[[Reader], Status],
    ask: Callable[..., Awaitable[Any]],
    progress: Callable[[int], float | None],
) -> FastAPI:
    """The application. `ask` runs a function with the open store on the database thread."""
    api = FastAPI(
        title="IntroEval",
        description="The control socket of the IntroEval daemon.",
        docs_url=None,
        redoc_url=None,
    )

    @api.exception_handler(IntroEvalError)
    async def problem(_: Request, exc: IntroEvalError) -> JSONResponse:
        answer = Problem(error=type(exc).__name__, message=str(exc))
        return JSONResponse(answer.model_dump(), status_code=_HTTP.get(type(exc), 500))

    @api.get("/healthz")
    async def healthz() -> dict[str, str]:
        """Whether the daemon's loop and its database answer."""
        await ask(report.counts)
        return {"status": "ok"}

    @api.get("/status")
    async def get_status() -> Status:
        """What the system is doing now."""
        answer: Status = await ask(status)
        return answer

    @api.get("/tasks")
    async def get_tasks(
        status: Annotated[list[TaskStatus] | None, Query()] = None,
        student: str | None = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
        before: int | None = None,
    ) -> list[TaskLine]:
        """A page of tasks, the newest first; `before` is the last id of the page before."""
        lines: list[TaskLine] = await ask(
            lambda reader: report.task_lines(reader, status, student, limit, before)
        )
        return [line.model_copy(update={"progress": progress(line.id)}) for line in lines]

    @api.get("/tasks/{task_id}", responses={404: {"model": Problem}})
    async def get_task(task_id: int) -> TaskDetail:
        """One task with its history and its files."""
        detail: TaskDetail = await ask(lambda reader: report.task_detail(reader, task_id))
        return detail.model_copy(update={"progress": progress(task_id)})

    return api


class Server(uvicorn.Server):
    """uvicorn without its signal handlers: the daemon has its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


def make_server(api: FastAPI) -> Server:
    """A server that serves `api` on a socket given to `serve`."""
    return Server(
        uvicorn.Config(api, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1)
    )


def bind(path: Path) -> socket.socket:
    """Our end of the control socket, for the owner and the group alone.

    The caller owns the state folder; a socket that nobody answers on is a crash's and is replaced.
    Raises AlreadyRunning when somebody does, and ConfigError when it can't be bound.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            pass
        except OSError as exc:
            raise ConfigError(f"the control socket {path} cannot be used: {exc}; set paths.socket") from exc
        else:
            raise AlreadyRunning(f"another daemon answers on {path}; set paths.socket to another path")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fresh.unlink(missing_ok=True)
        listener.bind(str(fresh))
        fresh.chmod(_MODE)
        listener.listen(64)
        fresh.rename(path)  # it appears with its right mode, or not at all
    except OSError as exc:
        listener.close()
        raise ConfigError(f"the control socket {path} cannot be made: {exc}; set paths.socket") from exc
    return listener
