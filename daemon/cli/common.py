"""Shared by all commands: the consoles, the `--json` option and the configuration."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

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
