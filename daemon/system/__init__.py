"""The operating system: child processes, folders, mounts, locks, systemd."""
