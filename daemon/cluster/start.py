"""How Ray is started on a machine: its command line and its environment.

All that Ray writes is in memory (`/dev/shm`), so that nothing of a student comes to a disk: neither sound
that does not fit into its store, nor a trace in its log. Every port is given, so that a firewall can name
them all; Ray itself listens on all addresses of the machine.
"""

import importlib.util
import json
import os
import re
import shutil
import signal
import stat
import sys
from collections.abc import Mapping
from pathlib import Path

from daemon.config.cluster import PORTS, ClusterSettings
from daemon.core.errors import ConfigError
from daemon.system import bound

MEMORY = Path("/dev/shm")
"""Where a file takes memory and no disk."""

RESOURCE = "introeval"
"""The resource of Ray by which a machine says that it lends its GPU."""

INSTALL = "Ray is not installed; run: pip install 'introeval[cluster]'"

_RAY = "ray.scripts.scripts"
_STORE_BYTES = 256_000_000  # of sound in transit, 8 MB for each transcription
_LEAST_TOKEN = 32
_FIXED_PORTS = (
    "node-manager-port",
    "object-manager-port",
    "metrics-export-port",
    "dashboard-agent-grpc-port",
    "dashboard-agent-listen-port",
    "runtime-env-agent-port",
    "dashboard-port",  # on the head alone, and on the loopback
)
_SETTINGS: Mapping[str, str] = {
    "RAY_AUTH_MODE": "token",
    # A frozen machine is seen after 9 s; by itself Ray would take 64.
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "2000",
    "RAY_health_check_failure_threshold": "3",
    "RAY_health_check_initial_delay_ms": "2000",
    # What has lost its head ends soon, and is started again.
    "RAY_gcs_rpc_server_reconnect_timeout_s": "5",
    "RAY_automatic_object_spilling_enabled": "0",
    "RAY_memory_monitor_refresh_ms": "0",  # the engines have limits of their own
    "RAY_enable_metrics_collection": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
}


def installed() -> bool:
    """Whether the extra is installed. Does not import it."""
    return importlib.util.find_spec("ray") is not None


def checked_token(settings: ClusterSettings) -> Path:
    """The file of the token. Raises ConfigError where there is none, or where others can read it."""
    file = settings.token_file
    try:
        mode, token = file.stat().st_mode, file.read_text(errors="replace").strip()
    except FileNotFoundError as exc:
        raise ConfigError(f"there is no token in {file}; make one with: introeval node token") from exc
    except OSError as exc:
        raise ConfigError(f"the token in {file} cannot be read: {exc.strerror}") from exc
    if stat.S_IMODE(mode) & 0o007:
        raise ConfigError(f"the token in {file} can be read by everybody; make it private: chmod o= {file}")
    if not is_token(token):
        raise ConfigError(
            f"the token in {file} is none of {_LEAST_TOKEN} letters and digits; make another one"
        )
    return file


def is_token(text: str) -> bool:
    """Whether a text can be the secret of a cluster."""
    return len(text) >= _LEAST_TOKEN and text.isascii() and text.isprintable() and " " not in text


def environment(token_file: Path) -> dict[str, str]:
    """What each program that speaks Ray needs in its environment."""
    return {**_SETTINGS, "RAY_AUTH_TOKEN_PATH": str(token_file)}


def head_command(settings: ClusterSettings) -> list[str]:
    """The command line of Ray on the machine of the inbox, which gives it no work."""
    own = ["--head", f"--port={settings.port}", "--num-cpus=0", "--num-gpus=0", "--include-dashboard=false"]
    own.append("--no-monitor")  # it scales clouds, and listens on a port of its own
    return [sys.executable, "-m", _RAY, *_arguments(settings, settings.address, own)]


def node_command(settings: ClusterSettings, head: str, address: str) -> list[str]:
    """The command line of Ray on a machine that joins the head at `host:port` to lend its GPU.

    Ray ends with this process, which runs it.
    """
    own = [f"--address={head}", "--num-cpus=1", f"--resources={json.dumps({RESOURCE: 1})}"]
    runs = [sys.executable, "-m", bound.__name__, str(os.getpid()), signal.SIGTERM.name, _RAY]
    return [*runs, *_arguments(settings, address, own)]


def new_folder(settings: ClusterSettings) -> None:
    """Make the folder of Ray's files on this machine, in memory, without those of an earlier Ray.

    Ray opens its own folders to everybody, so they lie in one that is private.
    """
    remove_folder(settings)
    folder = _folder(settings)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError as exc:  # anybody may write to the machine's memory
        raise ConfigError(f"{folder} is in the way and not ours; look whose it is, and remove it") from exc


def remove_folder(settings: ClusterSettings) -> None:
    """Remove Ray's files on this machine."""
    shutil.rmtree(_folder(settings), ignore_errors=True)


def _folder(settings: ClusterSettings) -> Path:
    return MEMORY / f"introeval-ray-{os.getuid()}-{settings.port}"


def _arguments(settings: ClusterSettings, address: str, own: list[str]) -> list[str]:
    first = settings.port + 1  # the port itself is the head's
    last = settings.port + PORTS - 1
    ports = {name: first + at for at, name in enumerate(_FIXED_PORTS)}
    ports |= {"min-worker-port": first + len(_FIXED_PORTS), "max-worker-port": last}
    return [
        *("start", "--block", *own),
        f"--node-ip-address={address}",
        *(f"--{name}={port}" for name, port in ports.items()),
        f"--temp-dir={_folder(settings) / 'ray'}",
        f"--object-store-memory={_STORE_BYTES}",
        *("--include-log-monitor=false", "--disable-usage-stats"),
    ]


def with_port(head: str, port: int) -> str:
    """The address of a head with its port; by default the one of this machine. Raises ConfigError."""
    if re.fullmatch(r"[A-Za-z0-9_.-]+(:[0-9]{1,5})?", head) is None:
        raise ConfigError(f"{head!r} is no address of a machine; name it as lab1 or 10.0.0.1:7300")
    return head if ":" in head else f"{head}:{port}"
