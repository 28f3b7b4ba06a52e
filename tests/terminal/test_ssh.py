"""The dashboard through a real SSH server: it attaches to others' daemons, and never outlives its line."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
import pytest

from tests.docker.engine import absent
from tests.support.waiting import wait_until
from tests.terminal.desk import Desk, Played, RealDaemon
from tests.terminal.ssh import Server
from tests.terminal.tmux import (
    BEFORE,
    INTROEVAL,
    SANE,
    Modes,
    Terminal,
    environment,
    nothing_left_behind,
    plain,
)

pytestmark = pytest.mark.terminal

_MENDS = "tput rmcup; reset"  # within tmux, reset alone leaves the alternate screen
_LINE = ("TERM", "SSH_CONNECTION", "SSH_TTY")


def _far(
    desk: Desk,
    ssh: Server,
    *options: str,
    socket: Path | None = None,
    wrapper: Sequence[str] = (),
    tty: bool = True,
) -> list[str]:
    """The client's command line that opens a dashboard over there."""
    dashboard = [*INTROEVAL, "tui", "--socket", str(socket or desk.folder / "s"), *options]
    there = f"cd {desk.folder} && exec " + plain(
        [*wrapper, *dashboard], environment(desk.folder), inherited=_LINE
    )
    return ssh.client(there, *(["-tt"] if tty else []))


def _open(
    desk: Desk, client: Sequence[str], term: str = "xterm-256color", width: int = 80, height: int = 24
) -> Terminal:
    return desk.terminal(shlex.join(client), width, height, term=term)


@pytest.mark.parametrize("term", ["xterm-256color", "linux"])
def test_it_is_the_same_through_ssh_and_quits_in_peace(
    desk: Desk, daemon: Played, ssh: Server, term: str
) -> None:
    daemon.reset()
    terminal = _open(desk, _far(desk, ssh), term)
    seen = terminal.sees("INTROEVAL ● live", "> 0005", "0017", "?help")
    assert len(seen.splitlines()) == 24
    terminal.type("Down")
    terminal.sees("> 0006")
    terminal.resize(120, 40)
    terminal.sees("[2]GPU", "[3]Engines", "0030")
    terminal.type("q")
    assert terminal.ended() == 0
    nothing_left_behind(str(desk.folder))


def test_a_signal_through_ssh_restores_the_terminal(desk: Desk, daemon: Played, ssh: Server) -> None:
    daemon.reset()
    terminal = _open(desk, _far(desk, ssh))
    terminal.sees("live", "0005")
    _dashboard(desk).terminate()
    assert terminal.ended() == 143


def test_without_a_terminal_over_there_it_prints_one_frame(desk: Desk, daemon: Played, ssh: Server) -> None:
    daemon.reset()
    done = subprocess.run(_far(desk, ssh, tty=False), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "INTROEVAL" in done.stdout
    assert "0005" in done.stdout
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize("stalled", [False, True], ids=["at once", "after the line stood still"])
def test_a_killed_client_leaves_no_process_and_its_terminal_can_be_mended(
    desk: Desk, daemon: Played, ssh: Server, stalled: bool
) -> None:
    fake = daemon.reset()
    terminal = desk.terminal(f"{shlex.join(_far(desk, ssh))}; {_MENDS}")
    terminal.sees("live", "0005")
    client = terminal.program("-tt")
    if stalled:
        client.suspend()
        asked = len(fake.requests)
        wait_until(lambda: len(fake.requests) >= asked + 3, lambda: "three more requests of the dashboard")
        assert _dashboard(desk).is_running()
    client.kill()
    nothing_left_behind(str(desk.folder))
    terminal.sees("\nline: ")
    # Nothing can reach that terminal any more but what its user types there.
    assert terminal.modes == Modes(alternate=False, mouse=False, cursor=True)
    assert SANE in terminal.text


def _dashboard(desk: Desk) -> psutil.Process:
    """The one dashboard of this desk, on whichever side of the line it runs."""
    found: list[psutil.Process] = []

    def one() -> bool:
        found[:] = [
            process
            for process in psutil.process_iter(["cmdline"])
            if "tui" in (line := process.info["cmdline"] or [])
            and str(desk.folder / "s") in line
            and line[1] == "-m"
        ]
        return len(found) == 1

    wait_until(one, lambda: f"one dashboard: {found}")
    return found[0]


# --- a daemon of another user


_NOBODY, _OTHERS = 65534, 65533


def _as(user: int, group: int) -> tuple[str, ...]:
    """A command line that runs the one that follows as that user, who may read this checkout.

    Where it lies below a folder of root's, it is the right to read everything that lets him: to open a
    socket needs the right to write, and so the socket's own mode still counts.
    """
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        absent("to run a daemon as another user needs root and setpriv (Debian: util-linux)")
    bare = ("setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups")
    looks = [sys.executable, "-c", "import daemon, textual"]
    here = environment(Path("/"), PYTHONDONTWRITEBYTECODE="1")
    for command in (bare, (*bare, "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")):
        if subprocess.run([*command, *looks], capture_output=True, env=here, cwd="/").returncode == 0:
            return command
    absent("no other user may read this checkout and its Python")


@pytest.fixture(scope="module")
def theirs(folder: Path) -> Iterator[RealDaemon]:
    """A daemon of a user of its own, whose socket is for the group of nobody."""
    home = folder / "theirs"
    for path in (home, home / "inbox", home / "outbox", home / "var"):
        path.mkdir()
    wrapper = _as(_OTHERS, _NOBODY)
    for path in (home, home / "inbox", home / "outbox", home / "var"):
        os.chown(path, _OTHERS, _NOBODY)
    daemon = RealDaemon(home, seconds=0.05, wrapper=wrapper)
    daemon.start()
    try:
        yield daemon
    finally:
        daemon.stop()


def test_who_is_in_the_sockets_group_sees_all_and_may_change_nothing(
    desk: Desk, theirs: RealDaemon, ssh: Server
) -> None:
    theirs.hand_in("s301_a.mp4")
    client = _far(desk, ssh, socket=theirs.socket, wrapper=_as(_NOBODY, _NOBODY))
    terminal = _open(desk, client)
    terminal.sees("● live", "read-only")
    terminal.type("v", "v", "v")
    terminal.sees("─ done ─", "s301", "✓ evaluated")
    terminal.type("P")
    terminal.sees("read-only: only the")
    terminal.type("a")
    terminal.sees("read-only")
    terminal.type("q")
    assert terminal.ended() == 0


def test_who_is_not_in_it_is_told_which_group_to_join(desk: Desk, theirs: RealDaemon, ssh: Server) -> None:
    client = _far(desk, ssh, socket=theirs.socket, wrapper=_as(65532, 65532))
    terminal = _open(desk, client)
    terminal.sees("No daemon answers", "permission denied", "join its group", "usermod -aG")
    terminal.type("q")
    assert terminal.ended() == 0


def test_root_attaches_to_anyones_daemon_and_may_change_things(
    desk: Desk, theirs: RealDaemon, ssh: Server
) -> None:
    first, second = (_open(desk, _far(desk, ssh, socket=theirs.socket)) for _ in range(2))
    for terminal in (first, second):
        seen = terminal.sees("● live")
        assert "read-only" not in seen
    first.type("P")
    first.sees("Pause the daemon?")
    first.type("y")
    for terminal in (first, second):
        terminal.sees("PAUSED")
    second.type("P")
    second.sees("Resume?")
    second.type("y")
    for terminal in (first, second):
        terminal.sees_no("PAUSED")
    assert BEFORE not in first.text
