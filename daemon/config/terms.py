"""The terms that files are judged by, from the configuration."""

from daemon import __version__
from daemon.config.load import Config
from daemon.core.tasks.offers import Terms


def terms_of(config: Config) -> Terms:
    """What files are judged by."""
    intake = config.intake
    return Terms(
        program=f"introeval {__version__}",
        max_duration_s=intake.max_duration_s,
        max_size_mb=intake.max_size_mb,
        oldest_wait_s=config.alerts.oldest_wait_min * 60,
    )
