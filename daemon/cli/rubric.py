"""`introeval rubric`: shows, checks and compares the templates of the prompts, and chooses the folder.

What the commands do is in `templates`, which is imported by them alone: it takes long.
"""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from daemon.cli.common import configuration
from daemon.cli.declare import AsJson

Folder = Annotated[Path, typer.Argument(metavar="FOLDER|ours", help="A folder of templates, or ours.")]


def show(
    stage: Annotated[Literal["extract", "rate"] | None, typer.Option(help="Only this template.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the templates in use: the files, their variables, and a prompt made of them."""
    from daemon.cli import templates

    settings = configuration()
    rubric = templates.check_rubric(settings, settings.prompts.folder)
    chosen = [prompt for prompt in rubric.prompts.values() if stage in (None, prompt.name)]
    if as_json:
        _tell([templates.values(rubric, prompt) for prompt in chosen])
    else:
        templates.show(settings, rubric, chosen)


def check(
    folder: Annotated[
        Path | None, typer.Argument(metavar="FOLDER", help="By default the one in use.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a rubric, and say what is weak about it. The exit code is 4 when it cannot be used."""
    from daemon.cli import templates

    settings = configuration()
    path = templates.place(folder) if folder else settings.prompts.folder
    rubric = templates.check_rubric(settings, path)
    if as_json:
        checked = [templates.values(rubric, prompt) for prompt in rubric.prompts.values()]
        _tell({"templates": checked, "folder": rubric.beside})
    else:
        templates.show_check(rubric)


def diff(one: Folder, other: Folder, as_json: AsJson = False) -> None:
    """Show how two rubrics differ, and how many results rest on each."""
    from daemon.cli import templates

    differences = templates.differences(configuration(), one, other)
    if as_json:
        _tell(differences)
    else:
        templates.show_differences(differences)


def use(folder: Folder) -> None:
    """Check a rubric, and name its folder in the configuration file. A reload takes it up."""
    from daemon.cli import templates

    templates.use(configuration(), folder)


def _tell(answer: object) -> None:
    print(json.dumps(answer, indent=2, ensure_ascii=False))
