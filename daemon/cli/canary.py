"""`introeval canary`: what known words gave, what drifted, and its acceptance by a person."""

import json
import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from daemon.cli.common import configuration
from daemon.cli.declare import AsJson
from daemon.cli.lines import Line, say
from daemon.core.canary.record import NOTHING_DRIFTED
from daemon.core.errors import IllegalTransition, NotRunning

if TYPE_CHECKING:
    from daemon.config.load import Config
    from daemon.contracts.wire.canary import CanaryLine


def show(as_json: AsJson = False) -> None:
    """Show what is recorded of the canary for the configured models and rubric, and what drifted.

    Known words go through each stage before the first task of a day, and after each change of a model, a
    prompt, a parameter or a server. Where the answer is not as recorded, no task of that stage starts.
    """
    from daemon.cli import reading

    _tell(reading.canaries(configuration()), as_json)


def run(as_json: AsJson = False) -> None:
    """Ask the canary again before the next task: after a model or a prompt was put back."""
    from daemon.api import client

    _tell_answer(client.post(configuration().paths.socket, "/canary/run"), as_json)


def accept(as_json: AsJson = False) -> None:
    """Accept what drifted, as you: it is recorded anew, and the class goes on. The audit names you."""
    from daemon.api import client

    config = configuration()
    try:
        _tell_answer(client.post(config.paths.socket, "/canary/accept"), as_json)
    except NotRunning as exc:
        _tell(_accept_in_database(config, exc), as_json)


def _accept_in_database(config: "Config", unreached: NotRunning) -> "list[CanaryLine]":
    """Accept where no daemon runs, as after `run --once`. Raises `unreached` without a database."""
    from daemon.api.errors import account_of
    from daemon.app.configured import canary_keys
    from daemon.store import canaries, open_store
    from daemon.system.state_folder import DATABASE, owned

    file, keys = config.paths.state / DATABASE, canary_keys(config)
    if not file.exists():
        raise unreached
    with owned(config.paths.state), open_store(file) as db:
        if not canaries.accept(db, list(keys.values()), at=time.time(), actor=account_of(os.getuid())):
            raise IllegalTransition(NOTHING_DRIFTED)
        return canaries.lines(db, keys)


def _tell_answer(answer: Any, as_json: bool) -> None:
    from daemon.contracts.wire.canary import CanaryLine

    _tell([CanaryLine.model_validate(line) for line in answer], as_json)


def _tell(lines: "list[CanaryLine]", as_json: bool) -> None:
    if as_json:
        print(json.dumps([line.model_dump() for line in lines], indent=2))
    else:
        say([each for line in lines for each in _lines(line)])


def _lines(line: "CanaryLine") -> Iterator[Line]:
    from daemon.cli.plain import local

    if line.recorded_at is None:
        yield Line(f"{line.stage:<8} {line.configuration}: never asked")
        return
    by = f", accepted by {line.recorded_by}" if line.recorded_by else ", the first answer"
    yield Line(f"{line.stage:<8} {line.configuration}: recorded {local(line.recorded_at)[:16]}{by}", "bold")
    if line.answer is None:
        yield Line("         no answer is recorded yet")
    for name, value in (line.answer or {}).items():
        shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        yield Line(f"         {name}: {shown}")
    for drift in line.drift:
        yield Line(f"         drifted: {drift}", "red")
