"""Shared by the commands that give results away: the class they are of, and files that appear whole."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.common import configuration
from daemon.core.errors import UsageError

if TYPE_CHECKING:
    from daemon.classes.outgoing import ClassResults
    from daemon.store import Database

Force = Annotated[bool, typer.Option("--force", help="Replace files that are there.")]


@contextmanager
def opened(name: str | None) -> "Iterator[tuple[Database, ClassResults]]":
    """The database for reading, beside a daemon or without one, and the results of a class in it.

    Raises StoreError, UnknownClass.
    """
    from daemon.classes.outgoing import class_results
    from daemon.cli.time_parsing import day_name
    from daemon.store import open_reader
    from daemon.store.membership import CURRENT
    from daemon.system.state_folder import DATABASE

    config = configuration()
    wanted = day_name(name, datetime.now().astimezone()) if name else CURRENT
    with open_reader(config.paths.state / DATABASE) as db:
        yield db, class_results(db, wanted, config.review, time.time())


def read(file: Path, what: str) -> bytes:
    """A file that the user names. Raises UsageError."""
    try:
        return file.read_bytes()
    except OSError as exc:
        raise UsageError(f"{file} cannot be read: {exc.strerror}; name {what}") from exc


def write(files: "dict[Path, bytes]", *, force: bool) -> None:
    """Write files that only this user reads, each whole. UsageError where one is there: none is written."""
    from daemon.system.durable import make_folder, whole_file

    if not force and (there := next((file for file in files if file.exists()), None)):
        raise UsageError(f"{there} is there, and nothing was written; to replace it, add: --force")
    for file, content in files.items():
        try:
            make_folder(file.parent)
            with whole_file(file, 0o600) as out:
                out.write(content)
        except OSError as exc:
            raise UsageError(f"{file} cannot be written: {exc.strerror}; name another place") from exc
