"""`introeval completion`: typer's scripts for the shells, and the answers to what they ask."""

import io
from contextlib import redirect_stdout
from enum import StrEnum
from typing import Annotated

import typer
from typer.completion import get_completion_inspect_parameters, shell_complete

from daemon.cli.tree import program

ASKED = "_INTROEVAL_COMPLETE"
_AUTOLOADED = "if [[ $funcstack[1] == _introeval ]]; then _introeval_completion; fi"


class Shell(StrEnum):
    """The shells with a script."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(shell: Annotated[Shell, typer.Argument(help="Of which shell.")]) -> None:
    """Print the script that completes commands, options, task ids and students in a shell.

    `make install` puts it where the distribution looks.
    """
    with redirect_stdout(io.StringIO()) as script:
        answer(f"source_{shell}")
    print(script.getvalue().strip())  # zsh reads what a file completes from its first line
    if shell is Shell.ZSH:
        print(_AUTOLOADED)  # else the first use of the file that zsh loads itself would complete nothing


def answer(instruction: str) -> int:
    """Print the script of a shell, or the candidates for what it tells in the environment."""
    get_completion_inspect_parameters()  # makes typer know the shells
    return shell_complete(program(), {"obj": []}, "introeval", ASKED, instruction)
