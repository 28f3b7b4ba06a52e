"""Days of classes on a clock of our own: the real daemon in one process, everything drawn from one seed."""
