"""Options and arguments that several commands share."""

from typing import Annotated

import typer

from daemon.cli import completing

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for other programs.")]
TASK = typer.Argument(metavar="ID", help="The number of a task.", autocompletion=completing.tasks)
STUDENT = typer.Argument(metavar="STUDENT", help="The id of a student.", autocompletion=completing.students)
