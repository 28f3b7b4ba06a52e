"""The control socket: HTTP over a Unix socket, for the dashboard, the commands and other tools."""
