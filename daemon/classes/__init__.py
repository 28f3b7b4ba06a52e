"""Classes in a running daemon: opening and closing them, their students, and decisions on results."""
