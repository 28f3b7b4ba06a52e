"""The GPU: its figures, the guard that waits for its free memory, and its last minutes."""
