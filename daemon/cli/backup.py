"""`introeval backup` and `restore`: the state of a lab as one file, and back."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.common import configuration
from daemon.cli.declare import AsJson

if TYPE_CHECKING:
    from daemon.delivery.backup import BackupManifest

File = Annotated[Path, typer.Argument(metavar="FILE", help="A tar file.", show_default=False)]


def backup(
    file: File,
    videos: Annotated[
        bool, typer.Option("--videos/--no-videos", help="The videos of finished tasks, and refused files.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Copy the state of a lab into one file, while the daemon works on.

    It holds the database, the videos and the calibrations, was read again when it is there, and is readable
    by you alone: every student is in it. Models and logs are left out; keep your configuration and your
    rubric beside it.
    """
    from daemon import __version__
    from daemon.delivery.backup import back_up

    state = configuration().paths.state
    made = back_up(state, file, videos=videos, program=f"introeval {__version__}", now=time.time())
    _tell(made, f"{file} is whole", as_json=as_json)


def restore(file: File, as_json: AsJson = False) -> None:
    """Put a backup into the configured state folder, which must be empty.

    Start the daemon afterwards: it goes on where the backup was made. Who was forgotten since then is back;
    run `introeval forget` again.
    """
    from daemon.delivery.restore import restore as put_back
    from daemon.system.state_folder import owned, write_privately

    state = configuration().paths.state
    write_privately()
    with owned(state):
        made = put_back(file, state)
        if os.geteuid() == 0:
            _give_to_owner(state)
    _tell(made, f"{state} is restored", as_json=as_json)


def _give_to_owner(state: Path) -> None:
    """Root restores for the daemon's user, who owns the state folder."""
    owner = state.stat()
    for path in state.rglob("*"):
        if path.lstat().st_uid == 0:
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _tell(made: "BackupManifest", what: str, *, as_json: bool) -> None:
    from daemon.cli.lines import say
    from daemon.cli.plain import local

    if as_json:
        print(made.model_dump_json(indent=2))
        return
    size_mb = sum(each.size for each in made.files) / 1_000_000
    left = "" if made.videos else ", without the videos of finished tasks"
    say([f"{what}: {len(made.files)} files, {size_mb:.0f} MB, of {local(made.made_at)[:16]}{left}"])
