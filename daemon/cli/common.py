"""Shared by all commands: the consoles, the `--json` option and the configuration."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from daemon.cli import time_parsing
from daemon.config.load import Config, load

OUT = Console()
ERR = Console(stderr=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for other programs.")]


class Chosen:
    """The configuration file that `--config` names."""

    file: Path | None = None


def configuration() -> Config:
    """Load the configuration that `--config` names, or the default one. Raises ConfigError."""
    return load(Chosen.file)


def span(day: str, since: str | None, until: str | None) -> tuple[float, float]:
    """The begin and end of a day, or of a part of it, in seconds since the epoch. Raises BadParameter."""
    try:
        whole = time_parsing.day(day, datetime.now().astimezone())
        begin = time_parsing.moment(since, whole.date()) if since else whole
        end = time_parsing.moment(until, whole.date()) if until else None
    except ValueError as exc:
        raise typer.BadParameter(str(exc)) from exc
    end = end or time_parsing.local(whole.date() + timedelta(days=1), 0, 0)
    return begin.timestamp(), end.timestamp()
