"""What all commands share: where they print, and the configuration that they go by."""

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
    """The configuration that this command goes by. Raises ConfigError."""
    return load(Chosen.file)
