"""The forecast: computed by `daemon.core.forecast.forecast`, kept up to date for all readers here."""

from daemon.forecast.forecaster import Forecaster, read_durations

__all__ = ["Forecaster", "read_durations"]
