"""`introeval forget`: with the daemon through its socket, without one on the database itself."""

from functools import partial
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import typer

from daemon import client
from daemon.cli import show
from daemon.cli.common import OUT, AsJson, configuration
from daemon.config import Config
from daemon.core.errors import NotRunning
from daemon.wire import Forgotten, PlaceName

if TYPE_CHECKING:
    from daemon.place import Place
    from daemon.store.store import SqliteStore


def forget(
    student: Annotated[str, typer.Argument(metavar="STUDENT")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete every video, transcript and result of a student, for good.

    A task that is open must be cancelled first. Files that other tools took from the outbox, backups, and
    the lines of the logs stay as they are.
    """
    settings = configuration()
    if not yes:
        typer.confirm(f"delete everything of {student}? It cannot be undone", abort=True, err=True)
    try:
        gone = Forgotten.model_validate(
            client.post(settings.paths.socket, f"/forget/{quote(student, safe='')}")
        )
    except NotRunning as exc:
        gone = _without_daemon(settings, student, exc)
    if as_json:
        typer.echo(gone.model_dump_json(indent=2))
    else:
        show.forgotten(OUT, gone)


def _without_daemon(settings: Config, student: str, unreached: NotRunning) -> Forgotten:
    from daemon.forget import delete_files
    from daemon.state import DATABASE, owned
    from daemon.store.store import SqliteStore

    database = settings.paths.state / DATABASE
    if not database.is_file():
        raise unreached
    with owned(settings.paths.state), SqliteStore(database) as store:
        kept = store.kept_of(student)
        files = delete_files(kept, _outbox(settings, store), settings.paths.state)
        store.forget(student)
    return Forgotten(student=student, tasks=kept.tasks, files=files)


def _outbox(settings: Config, store: "SqliteStore") -> "Place":
    """The outbox, as the database remembers it."""
    from daemon.place import Place

    path = settings.paths.outbox
    keep = partial(store.keep_place, PlaceName.OUTBOX, path)
    return Place(PlaceName.OUTBOX, path, store.place(PlaceName.OUTBOX, path), keep)
