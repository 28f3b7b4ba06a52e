"""The plan of the engines on this machine, and the scheduler's policy that follows from it."""
