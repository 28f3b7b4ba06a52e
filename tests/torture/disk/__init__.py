"""A disk that forgets what was not synced, made from a log of the daemon's own calls."""
