"""The node: one GPU with its engines, of which one group at a time may be loaded."""

from daemon.node.local import LocalNode

__all__ = ["LocalNode"]
