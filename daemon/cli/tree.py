"""The commands as typer's tree, made from the table. A command's module is imported when it is called."""

from pathlib import Path
from typing import Annotated, Any, cast

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from daemon import __version__
from daemon.cli.common import Chosen
from daemon.cli.table import ROWS, Group, Row

ABOUT = "Evaluate self-introduction videos: a class of videos in, one JSON result for each out."


def _choose(file: Path | None) -> None:
    Chosen.file = file or Chosen.file


def _tell_version(context: typer.Context, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        print(f"introeval {__version__}")
        raise typer.Exit


def shared(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", callback=_choose, expose_value=False, help="The configuration file."),
    ] = None,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_tell_version, expose_value=False, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """The options of the whole program, which each command takes, too. Without a command: the help."""
    if context.invoked_subcommand is None:
        print(context.get_help())


class CommandGroup(TyperGroup):
    """The program, or the commands that share their first word, which may be a command as well."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Note the word: a message of a wrong one names the command whose help tells more."""
        if parent:
            parent.obj.append(info_name)
        own = ROWS.get(self.name or "")
        if own and not (args and args[0] in self.commands):
            return made(own).make_context(info_name, args, parent)
        return super().make_context(info_name, args, parent, **extra)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the names and summaries by group, from the table alone."""
        known = [row for row in ROWS.values() if not self.name or row.name.startswith(f"{self.name} ")]
        for group in Group:
            if rows := [(row.name, row.summary) for row in known if row.group is group]:
                with formatter.section(group):
                    formatter.write_dl(rows)


class LazyCommand(TyperCommand):
    """The name and the summary of a command, which is made when it is called."""

    def __init__(self, name: str, row: Row) -> None:
        super().__init__(name, short_help=row.summary)
        self.row = row

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """The context of the command itself."""
        parent.obj.append(info_name)
        return made(self.row).make_context(info_name, args, parent, **extra)


def program() -> CommandGroup:
    """The whole tree."""
    root = _group("", ABOUT)
    for row in ROWS.values():
        first, _, second = row.name.partition(" ")
        if second and not isinstance(root.commands.get(first), CommandGroup):
            root.add_command(_group(first, ""))
        parent = cast(CommandGroup, root.commands[first]) if second else root
        parent.add_command(LazyCommand(second or first, row))
    return root


def made(row: Row) -> TyperCommand:
    """Import the function of a command, and make the command of it."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(row.name.split()[-1])(row.load())
    command = cast(TyperCommand, get_command(app))
    command.params += _group("", "").params
    return command


def _group(name: str, about: str) -> CommandGroup:
    app = typer.Typer(
        cls=CommandGroup,
        name=name,
        help=about,
        callback=shared,
        invoke_without_command=True,
        add_completion=False,
        rich_markup_mode=None,
    )
    return cast(CommandGroup, get_command(app))
