"""`introeval forget`: asks the daemon or, when none runs, works on the database itself."""

import os
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.common import configuration
from daemon.cli.declare import STUDENT, AsJson
from daemon.cli.exit_codes import ExitCode
from daemon.contracts.wire.words import PlaceName
from daemon.core.errors import NotForgotten, NotRunning, UnknownStudent
from daemon.core.intake.naming import is_safe, printable

if TYPE_CHECKING:
    from daemon.config.load import Config
    from daemon.contracts.wire.base import Forgotten
    from daemon.store import Database
    from daemon.system.place import Place


def forget(
    student: Annotated[str, STUDENT],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> int:
    """Delete every video, transcript and result of a student, for good.

    Cancel the student's open tasks first. Copies of the database made before updates are deleted, too. Then
    everything that the program has written is searched: what still names the student is listed, with exit
    code 15. Files taken from the outbox, backups of the machine and systemd's journal are out of reach.
    """
    from daemon.api import client
    from daemon.cli import show
    from daemon.cli.lines import say
    from daemon.contracts.wire.base import Forgotten

    settings = configuration()
    if not is_safe(student):  # "." and the like would change the path of the request
        raise UnknownStudent(f"{printable(student)!r} is no student's id; see: introeval tasks")
    if not yes and not confirmed(f"delete everything of {student}? This cannot be undone"):
        print("nothing was deleted", file=sys.stderr)
        return ExitCode.NO
    try:
        gone = Forgotten.model_validate(client.forget(settings.paths.socket, student))
    except NotRunning as exc:
        gone = _without_daemon(settings, student, exc)
    if as_json:
        print(gone.model_dump_json(indent=2))
    else:
        say(show.forgotten(gone))
    if gone.left:
        places = ", ".join(gone.left)
        raise NotForgotten(
            f"{student} is still named in {places}; check each, and where it names the student delete the "
            f"file or its lines, but nothing that the daemon keeps; then run: introeval forget {student}"
        )
    return ExitCode.DONE


def confirmed(question: str) -> bool:
    """Ask on stderr, and return whether the answer is yes. No answer is no."""
    print(f"{question} [y/N]: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _without_daemon(settings: "Config", student: str, unreached: NotRunning) -> "Forgotten":
    from daemon.api.errors import account_of
    from daemon.delivery.forget import delete_files, forget_rows, look_up, proved
    from daemon.store import open_store, recording
    from daemon.system.state_folder import DATABASE, owned

    paths = settings.paths
    database = paths.state / DATABASE
    if not database.is_file():
        raise unreached
    with owned(paths.state), open_store(database) as db:
        kept = look_up(db, student, paths)
        deleted = delete_files(kept, paths, _outbox(settings, db))
        recording.forget_frames(db, kept.traces, 0, -1)
        recording.forget_events(db, kept.traces)
        forget_rows(db, kept, deleted, paths, at=time.time(), actor=account_of(os.geteuid()))
        return proved(kept, deleted, paths)


def _outbox(settings: "Config", db: "Database") -> "Place":
    """The outbox with the mark and file system that the database has of it."""
    from daemon.store import settings as kept
    from daemon.system.place import Place

    path = settings.paths.outbox
    keep = partial(kept.keep_place, db, PlaceName.OUTBOX, path)
    return Place(PlaceName.OUTBOX, path, kept.place(db, PlaceName.OUTBOX, path), keep)
