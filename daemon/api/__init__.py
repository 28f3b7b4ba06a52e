"""The control socket: HTTP over a Unix socket, for the dashboard, the commands and other tools."""

from daemon.api.protocols import Answers, Commands
from daemon.api.routes import make_api, make_reading
from daemon.api.server import ControlServer, bind, make_server

__all__ = ["Answers", "Commands", "ControlServer", "bind", "make_api", "make_reading", "make_server"]
