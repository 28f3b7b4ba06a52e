"""Machines in network namespaces of their own, joined by a bridge. Needs root."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.ray_lab import RayLab

NETWORK = "10.231.7"
_BRIDGE = "introeval-t"


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


class NetLab(RayLab):
    """Ray's head on the bridge of this machine, and each node in a namespace."""

    def within(self, at: int) -> list[str]:
        return ["ip", "netns", "exec", _namespace(at)]

    def cut(self, at: int, *, off: bool) -> None:
        """Take a machine off the network, or put it on again."""
        _ip("link", "set", f"{_BRIDGE}{at}", "down" if off else "up")

    def lose(self, at: int, share: float) -> None:
        """Let the network lose a share of what a machine is sent; 0 for none."""
        rule = ["INPUT", "-i", "eth0", "-m", "statistic", "--mode", "random", "--probability", str(share)]
        flush = [*self.within(at), "iptables", "-F"]
        subprocess.run(flush, check=True, capture_output=True)
        if share:
            subprocess.run([*self.within(at), "iptables", "-A", *rule, "-j", "DROP"], check=True)


def _namespace(at: int) -> str:
    return f"introeval-t{at}"


def available() -> bool:
    """Whether namespaces and a bridge can be made here."""
    if os.geteuid() != 0:
        return False
    try:
        _ip("link", "add", f"{_BRIDGE}x", "type", "bridge")
    except (OSError, subprocess.CalledProcessError):
        return False
    _ip("link", "del", f"{_BRIDGE}x")
    return True


@contextmanager
def network(nodes: int) -> Iterator[None]:
    """A bridge with a namespace for each node."""
    _remove(nodes)
    try:
        _ip("link", "add", _BRIDGE, "type", "bridge")
        _ip("addr", "add", f"{NETWORK}.2/24", "dev", _BRIDGE)
        _ip("link", "set", _BRIDGE, "up")
        for at in range(1, nodes + 1):
            space, near = _namespace(at), f"{_BRIDGE}{at}"
            _ip("netns", "add", space)
            _ip("link", "add", near, "type", "veth", "peer", "name", "eth0", "netns", space)
            _ip("link", "set", near, "master", _BRIDGE, "up")
            _ip("-n", space, "addr", "add", f"{NETWORK}.{2 + at}/24", "dev", "eth0")
            _ip("-n", space, "link", "set", "lo", "up")
            _ip("-n", space, "link", "set", "eth0", "up")
        yield
    finally:
        _remove(nodes)


def _remove(nodes: int) -> None:
    for at in range(1, nodes + 1):
        subprocess.run(["ip", "netns", "del", _namespace(at)], check=False, capture_output=True)
    subprocess.run(["ip", "link", "del", _BRIDGE], check=False, capture_output=True)
