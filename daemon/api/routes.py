"""The application behind the control socket."""

from collections.abc import Callable

from fastapi import FastAPI

from daemon.api.errors import add_problems, problems
from daemon.api.protocols import (
    Accept,
    AcceptRater,
    Answers,
    Calibrating,
    Commands,
    Forget,
    LiveAnswers,
    Operators,
    ShownWanting,
    Wanting,
)
from daemon.api.read_routes import add_reading
from daemon.api.write_routes import add_changing


def make_reading(answers: Answers, wanting: ShownWanting) -> FastAPI:
    """Make an application that only answers, as for a day that is replayed: nobody may change anything."""
    api = FastAPI(docs_url=None, redoc_url=None)
    add_problems(api)
    add_reading(api, answers, wanting, lambda _: False)
    return api


def make_api(
    answers: LiveAnswers,
    commands: Commands,
    wanting: Wanting,
    accept: Accept,
    forget: Forget,
    accept_rater: AcceptRater,
    calibrations: Calibrating,
    operators: Operators,
    stopping: Callable[[], bool],
) -> FastAPI:
    """Make the application. Reading is open to everyone who may open the socket, changing to `operators`;
    it is refused while the daemon is `stopping`, since an order given then might never be carried out.
    """
    api = FastAPI(
        title="IntroEval",
        description="The control socket of the IntroEval daemon.",
        docs_url=None,
        redoc_url=None,
        responses=problems(422),
    )
    add_problems(api)
    add_reading(api, answers, wanting, operators)
    add_changing(
        api, answers, commands, wanting, accept, forget, accept_rater, calibrations, operators, stopping
    )
    return api
