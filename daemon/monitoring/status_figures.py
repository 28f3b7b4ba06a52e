"""The figures of a status that stand in the database or are the disk's."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass

from daemon.config.load import Config
from daemon.contracts.wire.status import Disk
from daemon.monitoring import attention, queries
from daemon.monitoring.attention import Live
from daemon.monitoring.sources import ForecastSource
from daemon.store import calibration, lists, measured
from daemon.store.database import Database
from daemon.store.lists import Speed

LATELY_S = 3600.0
_LATELY_EVERY_S = 5.0  # each status would read an hour of outcomes


@dataclass(frozen=True, slots=True)
class StatusFigures:
    """Figures of the database and the disk."""

    counts: dict[str, int]
    undelivered: int
    refused: int
    failed: list[str]  # the students of the tasks that failed in the last hour
    speed: Speed
    outcomes: dict[str, int]  # of the class
    disk: Disk | None
    attention: dict[str, int]
    calibration: int | None


class StatusReader:
    """Reads them. Used on the database thread."""

    def __init__(self, config: Config, forecast: ForecastSource | None, clock: Callable[[], float]) -> None:
        self._config, self._forecast, self._clock = config, forecast, clock
        self._lately: tuple[float, list[str], Speed] | None = None

    def read(self, db: Database, live: Live) -> StatusFigures:
        """Read them now; the recent outcomes only every few seconds."""
        now = self._clock()
        if self._lately is None or not 0 <= now - self._lately[0] < _LATELY_EVERY_S:
            self._lately = now, lists.failed_since(db, now - LATELY_S), lists.speed(db)
        return StatusFigures(
            queries.counts(db),
            queries.undelivered(db),
            queries.refused_lately(db, now),
            *self._lately[1:],
            measured.outcomes_of(db, self._forecast.members) if self._forecast else {},
            self._disk(),
            attention.counts(db, live),
            calibration.number_in_use(db),
        )

    def _disk(self) -> Disk | None:
        """The free space of the state folder's disk; None while it can't be read."""
        try:
            usage = shutil.disk_usage(self._config.paths.state)
        except OSError:
            return None
        return Disk(
            free_mb=usage.free / 1e6,
            total_mb=usage.total / 1e6,
            min_free_mb=self._config.intake.min_free_mb,
        )
