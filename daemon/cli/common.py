"""Shared by all commands: the configuration that `--config` names, and how often garbage is searched for."""

import gc
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.cli import time_parsing
from daemon.core.errors import UsageError

if TYPE_CHECKING:
    from daemon.config.load import Config


_COLLECTS = gc.get_threshold()
_SELDOM = 100_000  # new objects: the imports of a command make half as many, and none of them is garbage


def collect_rarely() -> None:
    """Search for garbage so seldom that a short command never does."""
    gc.set_threshold(_SELDOM)


def collect_as_usual() -> None:
    """Search for garbage as Python does by itself, in what is made from now on: for what runs long."""
    gc.freeze()
    gc.set_threshold(*_COLLECTS)


class Chosen:
    """The configuration file that `--config` names."""

    file: Path | None = None


def configuration() -> "Config":
    """Load the configuration that `--config` names, or the default one. Raises ConfigError."""
    from daemon.config.load import load  # pydantic takes longer to load than all else that a help text needs

    return load(Chosen.file)


def deadline_of(text: str) -> str | None:
    """A deadline as ISO 8601 with its zone; None for `none`. Raises UsageError."""
    try:
        when = time_parsing.deadline(text, datetime.now().astimezone())
    except ValueError as exc:
        raise UsageError(str(exc)) from exc
    return None if when is None else when.isoformat()


def span(day: str, since: str | None, until: str | None) -> tuple[float, float]:
    """The begin and end of a day, or of a part of it, in seconds since the epoch. Raises UsageError."""
    try:
        whole = time_parsing.day(day, datetime.now().astimezone())
        begin = time_parsing.moment(since, whole.date()) if since else whole
        end = time_parsing.moment(until, whole.date()) if until else None
    except ValueError as exc:
        raise UsageError(str(exc)) from exc
    end = end or time_parsing.local(whole.date() + timedelta(days=1), 0, 0)
    return begin.timestamp(), end.timestamp()
