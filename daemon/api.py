"""The control socket: HTTP over a Unix socket that we bind ourselves."""

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Protocol

import uvicorn
from fastapi import Depends, FastAPI, Query, Request
from fastapi.responses import JSONResponse
from uvicorn.protocols.http.h11_impl import H11Protocol

from daemon import report
from daemon.core.errors import (
    AlreadyRunning,
    ConfigError,
    IllegalTransition,
    IntroEvalError,
    NotAllowed,
    StoreError,
    UnknownTask,
)
from daemon.core.task import Status as TaskStatus
from daemon.store.reader import Reader
from daemon.wire import Order, Problem, Status, TaskDetail, TaskLine, Verb

_MODE = 0o660
_HTTP = {NotAllowed: 403, UnknownTask: 404, IllegalTransition: 409, StoreError: 503}
_PROBLEMS: dict[int | str, dict[str, Any]] = {code: {"model": Problem} for code in (403, 404, 409)}


class Commands(Protocol):
    """What may be asked of the daemon."""

    async def ask(self, verb: Verb, task_id: int, *, extract: bool = False) -> object:
        """Ask for something for one task. Raises UnknownTask, IllegalTransition."""
        ...

    async def order(self, order: Order) -> None:
        """Pause, go on, or go."""
        ...


def make_api(
    status: Callable[[Reader], Status],
    ask: Callable[..., Awaitable[Any]],
    progress: Callable[[int], float | None],
    commands: Commands,
    operators: Callable[[int], bool],
) -> FastAPI:
    """The application. `ask` runs a function with the open store on the database thread.

    `operators` says whether a user id may change things; reading is for everyone who may open the socket.
    """
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

    def may_change(request: Request) -> None:
        uid = int(request.client.host) if request.client else -1
        if not operators(uid):
            raise NotAllowed("only the daemon's user, root and the operators' group may change things")

    changes = [Depends(may_change)]

    @api.get("/tasks/{task_id}/results", responses={404: {"model": Problem}})
    async def get_results(task_id: int) -> list[dict[str, Any]]:
        """The results of a task, one for each revision that ended, oldest first."""
        answer: list[dict[str, Any]] = await ask(lambda reader: report.results(reader, task_id))
        return answer

    @api.post("/tasks/{task_id}/{verb}", dependencies=changes, responses=_PROBLEMS)
    async def post_task(task_id: int, verb: Verb, extract: bool = False) -> TaskDetail:
        """Retry, rate anew, cancel, hold or release one task."""
        await commands.ask(verb, task_id, extract=extract)
        detail: TaskDetail = await ask(lambda reader: report.task_detail(reader, task_id))
        return detail

    @api.post("/{order}", dependencies=changes, responses={403: {"model": Problem}})
    async def post_order(order: Order) -> Status:
        """Pause (running attempts end), resume, or go on without waiting for more uploads."""
        await commands.order(order)
        answer: Status = await ask(status)
        return answer

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


class PeerProtocol(H11Protocol):
    """HTTP whose client is named by its user id: the kernel's word for who opened the socket."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Learn who it is."""
        super().connection_made(transport)
        peer = transport.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        _, uid, _ = struct.unpack("3i", peer)
        self.client = (str(uid), 0)


class Server(uvicorn.Server):
    """uvicorn without its signal handlers: the daemon has its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


def make_server(api: FastAPI) -> Server:
    """A server that serves `api` on a socket given to `serve`."""
    return Server(
        uvicorn.Config(
            api,
            http=PeerProtocol,
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
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
