"""A real SSH server on 127.0.0.1 with keys of its own, and the command line of a client that reaches it."""

import getpass
import os
import shlex
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.docker.engine import absent
from tests.support.waiting import wait_until

_SEPARATION = Path("/run/sshd")  # where an sshd that root starts locks up its unprivileged part
_CONFIGURATION = """
ListenAddress 127.0.0.1:{port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/client.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
PermitTunnel no
AllowTcpForwarding no
"""


@dataclass(frozen=True)
class Server:
    """A running server."""

    folder: Path
    port: int

    def client(self, command: str, *options: str) -> list[str]:
        """The command line that runs a shell command over there; the option `-tt` gives it a terminal."""
        return [
            *("ssh", "-F", "/dev/null", "-p", str(self.port), "-i", str(self.folder / "client")),
            *("-o", f"UserKnownHostsFile={self.folder / 'known'}", "-o", "StrictHostKeyChecking=yes"),
            *("-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR", *options),
            f"{getpass.getuser()}@127.0.0.1",
            command,
        ]


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """A server for as long as the context lasts. Skips or fails the test where there can be none."""
    program = shutil.which("sshd", path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")
    if program is None or shutil.which("ssh") is None:
        absent("sshd and ssh are not installed (Debian: openssh-server, openssh-client)")
    for name in ("host", "client"):
        _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "introeval-test", "-f", str(folder / name))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    (folder / "sshd.conf").write_text(_CONFIGURATION.format(port=port, folder=folder))
    kind, key, *_ = (folder / "host.pub").read_text().split()
    (folder / "known").write_text(f"[127.0.0.1]:{port} {kind} {key}\n")
    made = os.geteuid() == 0 and not _SEPARATION.exists()
    if made:
        _SEPARATION.mkdir(mode=0o755)
    log = folder / "sshd.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program, "-D", "-e", "-f", str(folder / "sshd.conf")], stdin=subprocess.DEVNULL, stderr=output
        )
    try:
        wait_until(lambda: _listens(port, process), lambda: f"the SSH server:\n{log.read_text()}")
        server = Server(folder, port)
        hello = subprocess.run(server.client("true"), capture_output=True, text=True, timeout=60)
        if hello.returncode != 0:
            absent(f"nobody can log in at the SSH server of the tests: {hello.stderr}{log.read_text()}")
        yield server
    finally:
        process.terminate()
        process.wait(30)
        if made:
            _SEPARATION.rmdir()


def _listens(port: int, process: "subprocess.Popen[bytes]") -> bool:
    assert process.poll() is None, f"sshd ended by itself with {process.returncode}"
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{shlex.join(command)}: {done.stderr}"
