"""The types of the control socket, shared by the daemon, the command line and the dashboard."""
