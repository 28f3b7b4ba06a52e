"""The command line's way to a daemon: HTTP over its control socket."""

from pathlib import Path
from typing import Any

import httpx

from daemon.core.errors import (
    IllegalTransition,
    IntroEvalError,
    NotAllowed,
    NotRunning,
    StoreError,
    UnknownTask,
)
from daemon.wire import Problem

_ERRORS: dict[str, type[IntroEvalError]] = {
    e.__name__: e for e in (IllegalTransition, NotAllowed, StoreError, UnknownTask)
}


def get(socket: Path, path: str, **params: Any) -> Any:
    """The JSON answer to a question. Raises NotRunning when no daemon answers, and what the daemon says."""
    return _request("GET", socket, path, params)


def post(socket: Path, path: str, **params: Any) -> Any:
    """The JSON answer to a command. Raises NotRunning, NotAllowed, and what the daemon says."""
    return _request("POST", socket, path, params)


def _request(method: str, socket: Path, path: str, params: dict[str, Any]) -> Any:
    transport = httpx.HTTPTransport(uds=str(socket))
    with httpx.Client(
        transport=transport, base_url="http://introeval", trust_env=False, timeout=10.0
    ) as client:
        try:
            answer = client.request(method, path, params={k: v for k, v in params.items() if v is not None})
        except httpx.TransportError as exc:
            raise NotRunning(f"no daemon answers on {socket} ({exc}); start one with: introeval run") from exc
    if answer.is_success:
        return answer.json()
    try:
        problem = Problem.model_validate_json(answer.content)
    except ValueError as exc:
        raise NotRunning(f"{socket} answers {answer.status_code}, which no IntroEval daemon does") from exc
    raise _ERRORS.get(problem.error, IntroEvalError)(problem.message)
