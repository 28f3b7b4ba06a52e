"""Values that a shell completes: of task ids and students, if the daemon is quick."""

import re
from typing import Any

import typer

from daemon.cli.common import configuration
from daemon.core.errors import IntroEvalError

_QUICK_S = 0.5
_MOST = 100
_PLAIN = re.compile(r"[\w.@+-]+")  # what no shell takes apart

Candidates = list[tuple[str, str]]


def tasks(context: typer.Context) -> Candidates:
    """The ids of the newest tasks that the command can be given."""
    from daemon.contracts.wire.states import state_word
    from daemon.contracts.wire.words import Verb

    verb = context.info_name
    return [
        (str(line["id"]), f"{line['student']}, {state_word(line['status'], line['outcome'])}")
        for line in _newest()
        if verb not in list(Verb) or verb in line.get("can", [verb])
    ]


def students() -> list[str]:
    """The students of the newest tasks."""
    found = dict.fromkeys(line["student"] for line in _newest())
    return [student for student in found if _PLAIN.fullmatch(student)]


def models() -> Candidates:
    """The models of the catalog."""
    from daemon.models import CATALOG

    return [(asset.shown, asset.what) for asset in CATALOG.values()]


def _newest() -> list[dict[str, Any]]:
    from daemon.api import client

    try:
        answer = client.get(configuration().paths.socket, "/tasks", patience_s=_QUICK_S, limit=_MOST)
    except IntroEvalError:
        return []
    return list(answer["tasks"])
