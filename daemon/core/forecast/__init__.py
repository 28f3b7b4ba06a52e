"""When each task will be done: the scheduler's rules run forward with measured durations."""
