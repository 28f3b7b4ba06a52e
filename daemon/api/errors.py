"""Shared by all routes: the caller's user id, answers as JSON, and errors as Problems."""

import pwd
from typing import Annotated, Any

from fastapi import FastAPI, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from daemon.contracts.wire.base import Problem
from daemon.core.errors import (
    ConfigError,
    IllegalTransition,
    IntroEvalError,
    NotAllowed,
    PlaceError,
    Stopping,
    StoreError,
    UnknownClass,
    UnknownStudent,
    UnknownTask,
)
from daemon.core.intake.naming import printable

_HTTP = {
    NotAllowed: 403,
    UnknownTask: 404,
    UnknownStudent: 404,
    UnknownClass: 404,
    IllegalTransition: 409,
    PlaceError: 409,
    ConfigError: 422,
    StoreError: 503,
    Stopping: 503,
}
MOST_ID = 2**63 - 1

TaskId = Annotated[int, Path(ge=1, le=MOST_ID)]
Instant = Annotated[float, Query(ge=0, le=4e9)]  # seconds since the epoch, until 2096


def add_problems(api: FastAPI) -> None:
    """Answer every error with a Problem."""

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


def problems(*codes: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may answer with these HTTP status codes."""
    return {code: {"model": Problem} for code in codes}


def as_json(answer: BaseModel) -> Response:
    """Serialise the answer directly: FastAPI would validate and copy the model a second time."""
    return Response(answer.model_dump_json(), media_type="application/json")


def uid_of(request: Request) -> int:
    """The caller's user id as the kernel gives it; -1 when unknown."""
    return int(request.client.host) if request.client else -1


def account_of(uid: int) -> str:
    """The name of a user's account; the number of a user who has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return f"uid {uid}"
