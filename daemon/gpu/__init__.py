"""The GPU: its figures, the guard that waits for free memory, and its recent history."""
