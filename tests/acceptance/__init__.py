"""The real daemon, run as its own process."""
