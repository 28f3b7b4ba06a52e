"""What the control socket answers, put together from the running parts and the database."""

from daemon.status.observer import Observer

__all__ = ["Observer"]
