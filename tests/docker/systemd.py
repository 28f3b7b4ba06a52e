"""A machine for the service: systemd as process 1 of a container, with this machine's programs below /usr.

Its /etc is made for it, from the few files that programs need of this machine's; so nothing that is enabled
here starts there, and nothing that is changed there is changed here. It has no network but its loopback.
"""

import io
import os
import shlex
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.docker.engine import LABEL, Containers, import_image
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from docker.models.containers import Container

INIT = "/lib/systemd/systemd"
IMAGE = "introeval-test:systemd"
_FOLDERS = "dev etc/systemd/system home opt proc root run srv sys tmp usr var/lib var/log"
_OF_THIS_MACHINE = "alternatives dbus-1 ld.so.cache ld.so.conf ld.so.conf.d nsswitch.conf pam.d security"
_NEVER_STARTED = "containerd.service docker.service docker.socket"
_SYSTEM_IDS = 1000


@dataclass
class Machine:
    """A booted one. `run` raises AssertionError, with what was printed, for a command that fails."""

    container: "Container"

    def attempt(self, *command: str, user: str = "root") -> "subprocess.CompletedProcess[str]":
        """Run a command there as `user`, with the groups that this one has now."""
        line = ["runuser", "-u", user, "--", *command] if user != "root" else list(command)
        try:
            done: Any = self.container.exec_run(line, demux=True)
        except ValueError:  # the SDK loses output that comes in one piece with the head of the answer
            done = self.container.exec_run(line, demux=True)
        out, err = ((part or b"").decode() for part in done.output)
        return subprocess.CompletedProcess(line, done.exit_code, out, err)

    def run(self, *command: str, user: str = "root") -> str:
        """What the command prints."""
        done = self.attempt(*command, user=user)
        assert done.returncode == 0, f"{shlex.join(command)}: {done.stdout}{done.stderr}"
        return done.stdout

    def write(self, path: str, content: str) -> None:
        """Write a file there."""
        self.run("sh", "-c", f"mkdir -p {os.path.dirname(path)} && printf %s {shlex.quote(content)} > {path}")

    def shows(self, unit: str, name: str) -> str:
        """One property of a unit, e.g. MainPID."""
        return self.run("systemctl", "show", "--property", name, "--value", unit).strip()

    def processes(self, user: str) -> list[str]:
        """The command lines of a user's processes."""
        return self.attempt("ps", "-o", "args=", "-u", user).stdout.splitlines()

    def journal(self, unit: str) -> str:
        """What a unit has logged."""
        return self.run("journalctl", "--unit", unit, "--output", "cat", "--no-pager")


def unfit() -> str | None:
    """Why systemd can't be booted from this machine's programs, or None."""
    if not os.path.exists(INIT) or shutil.which("dbus-daemon") is None:
        return "systemd and dbus must be installed"
    if not os.path.islink("/lib"):
        return "/lib is not below /usr"
    return None


@contextmanager
def booted(containers: Containers, mounts: Mapping[Path, str]) -> Iterator[Machine]:
    """A machine that has booted. `mounts` maps folders of this one to where they are seen, as "/there:ro"."""
    volumes = ["/usr:/usr:ro", "/sys/fs/cgroup:/sys/fs/cgroup:rw"]
    container = containers.engine.client.containers.create(
        import_image(containers.engine, IMAGE, root_tar()),
        [INIT],
        name=containers.name("systemd"),
        labels={LABEL: "1"},
        cap_add=["SYS_ADMIN", "LEASE"],
        security_opt=["seccomp=unconfined", "apparmor=unconfined"],
        cgroupns="host",
        network_mode="none",
        environment={"container": "docker"},
        tmpfs={"/run": "", "/tmp": ""},
        volumes=volumes + [f"{here}:{there}" for here, there in mounts.items()],
        stop_signal="SIGRTMIN+3",
    )
    machine = Machine(container)
    container.start()
    wait_until(
        lambda: machine.attempt("systemctl", "is-system-running").stdout.strip() == "running", what="the boot"
    )
    yield machine


def root_tar() -> bytes:
    """The root file system: empty folders, /usr's links, and an /etc of the system's own users alone."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:

        def add(name: str, kind: bytes, *, link: str = "", content: bytes = b"", mode: int = 0o755) -> None:
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname, entry.size, entry.mode = kind, link, len(content), mode
            tar.addfile(entry, io.BytesIO(content))

        for name in _FOLDERS.split():
            add(name, tarfile.DIRTYPE)
        for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
            if os.path.islink(f"/{name}"):
                add(name, tarfile.SYMTYPE, link=os.readlink(f"/{name}"))
        for name in _OF_THIS_MACHINE.split():
            if os.path.exists(f"/etc/{name}"):
                tar.add(f"/etc/{name}", f"etc/{name}")
        for unit in _NEVER_STARTED.split():
            add(f"etc/systemd/system/{unit}", tarfile.SYMTYPE, link="/dev/null")
        add("etc/os-release", tarfile.SYMTYPE, link="../usr/lib/os-release")
        add("etc/machine-id", tarfile.REGTYPE, mode=0o444)
        users, groups = _system_lines("/etc/passwd"), _system_lines("/etc/group")
        locked = [f"{line.split(':')[0]}:*:19000:0:99999:7:::\n" for line in users]
        for name, lines, mode in (
            ("passwd", users, 0o644),
            ("group", groups, 0o644),
            ("shadow", locked, 0o600),
        ):
            add(f"etc/{name}", tarfile.REGTYPE, content="".join(lines).encode(), mode=mode)
    return buffer.getvalue()


def _system_lines(path: str) -> list[str]:
    lines = Path(path).read_text().splitlines(keepends=True)
    return [line for line in lines if ":" in line and int(line.split(":")[2]) < _SYSTEM_IDS]
