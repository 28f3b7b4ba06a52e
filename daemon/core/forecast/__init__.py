"""The forecast: the scheduler's rules run forward with measured durations."""
