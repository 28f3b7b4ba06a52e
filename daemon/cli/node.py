"""`introeval node`: makes this machine a part of a cluster. Its head becomes Ray; who joins runs it."""

import os
import secrets
import signal
import socket
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.common import Chosen, configuration
from daemon.core.errors import ConfigError, NodeGone, UsageError

if TYPE_CHECKING:
    from daemon.config.load import Config

_REACHED_S = 5.0
_TOKEN_BYTES = 32
_MOST_GIVEN = 4096


def token(
    given: Annotated[
        bool,
        typer.Option("--stdin", help="Take it from the standard input, as on each other machine."),
    ] = False,
) -> None:
    """Make the secret that all machines of a cluster share, where this machine has none.

    Whoever has it can run any program on all of them. It goes to the others by a safe way:
    `ssh lab1 sudo cat /etc/introeval/cluster-token | sudo introeval node token --stdin`.
    """
    from daemon.cluster import start

    config = configuration()
    file, state = config.cluster.token_file, config.paths.state
    secret = sys.stdin.read(_MOST_GIVEN).strip() if given else secrets.token_hex(_TOKEN_BYTES)
    if not start.is_token(secret):  # as when the command before the pipe fails
        raise UsageError("no token came on the standard input; check the command that gives it")
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
    except FileExistsError:
        raise ConfigError(f"there is a token in {file} already; delete it first to make another") from None
    except OSError as exc:
        raise ConfigError(f"no token can be written to {file}: {exc.strerror}") from exc
    with os.fdopen(descriptor, "w") as opened:
        os.fchmod(descriptor, 0o640)  # whatever the umask of root is
        if state.is_dir():  # the service's group reads it
            os.chown(descriptor, -1, state.stat().st_gid)
        opened.write(f"{secret}\n")
    print(f"the token is in {file}; every machine of the cluster needs the same")


def head() -> None:
    """Run Ray's head on this machine, which has the inbox, until stopped. The daemon connects to it.

    Needs cluster.address, and a token. It is a program of its own, so that a restart of the daemon leaves the
    machines where they are.
    """
    from daemon.cluster import start

    config = _ready()
    if not config.cluster.address:
        raise ConfigError("cluster.address is empty; set it to this machine's address in the lab's network")
    start.new_folder(config.cluster)
    command = start.head_command(config.cluster)
    os.execve(command[0], command, {**os.environ, **start.environment(config.cluster.token_file)})


def join(
    head: Annotated[
        str | None,
        typer.Argument(help="The machine that has the inbox, as 10.0.0.1; default: cluster.head."),
    ] = None,
) -> None:
    """Lend this machine's GPU to the machine that has the inbox, until stopped.

    Its engines, models and prompts are those of this machine's own configuration; they must be the same as
    there. Its state folder may have no daemon of its own meanwhile.
    """
    from daemon.cluster import start
    from daemon.cluster.keeper import RayKeeper
    from daemon.config.load import FILE_VARIABLE, find

    config = _ready()
    wanted = head or config.cluster.head
    if not wanted:
        raise UsageError(
            "no head is named; name it, as in: introeval node join 10.0.0.1; or set cluster.head"
        )
    there = start.with_port(wanted, config.cluster.port)
    own = _address_towards(there)
    command = start.node_command(config.cluster, there, config.cluster.address or own)
    environ = {**os.environ, **start.environment(config.cluster.token_file)}
    if (file := find(Chosen.file)) is not None:
        environ[FILE_VARIABLE] = str(file)
    keeper = RayKeeper(command, environ, there, lambda: start.new_folder(config.cluster))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: keeper.stop())
    raise typer.Exit(keeper.run())


def _ready() -> "Config":
    """The configuration of a machine that can start Ray. Raises ConfigError."""
    from daemon.cluster import start

    if not start.installed():
        raise ConfigError(start.INSTALL)
    config = configuration()
    start.checked_token(config.cluster)
    return config


def _address_towards(head: str) -> str:
    """This machine's address on the way to the head. Raises NodeGone when nothing answers there."""
    host, _, port = head.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), _REACHED_S) as connection:
            own: str = connection.getsockname()[0]
            return own
    except OSError as exc:
        why = exc.strerror or str(exc)
        raise NodeGone(f"no head answers at {head} ({why}); start it there: introeval node head") from exc
