"""Adapters of the operating system: child processes, folders, mounts, locks, systemd."""
