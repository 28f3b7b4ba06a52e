"""What is expected: made by `daemon.core.forecast.forecast`, kept for the others here."""

from daemon.forecast.forecaster import Forecaster, read_durations

__all__ = ["Forecaster", "read_durations"]
