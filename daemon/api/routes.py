"""The application behind the control socket."""

from fastapi import FastAPI

from daemon.api.errors import add_problems, problems
from daemon.api.protocols import Answers, Controls, LiveAnswers, ShownWanting
from daemon.api.read_routes import add_reading
from daemon.api.write_routes import add_changing


def make_reading(answers: Answers, wanting: ShownWanting) -> FastAPI:
    """Make an application that only answers, as for a day that is replayed: nobody may change anything."""
    api = FastAPI(docs_url=None, redoc_url=None)
    add_problems(api)
    add_reading(api, answers, wanting, lambda _: False)
    return api


def make_api(answers: LiveAnswers, controls: Controls) -> FastAPI:
    """Make the application. Reading is open to everyone who may open the socket, changing to operators; it is
    refused while the daemon is stopping, since an order given then might never be carried out.
    """
    api = FastAPI(
        title="IntroEval",
        description="The control socket of the IntroEval daemon.",
        docs_url=None,
        redoc_url=None,
        responses=problems(422),
    )
    add_problems(api)
    add_reading(api, answers, controls.wanting, controls.operators)
    add_changing(api, answers, controls)
    return api
