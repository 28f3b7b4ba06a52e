"""The time of a day that is replayed: it runs through what was recorded, at any speed, and can be moved."""

import time
from collections.abc import Callable, Sequence

from introeval_tui.rows.format import clock

SPEEDS = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)


class Tape:
    """Recorded time, in seconds since the epoch. `spans` are the times that were recorded, in order; what is
    between them is passed over. May be read on any thread.
    """

    def __init__(
        self,
        spans: Sequence[tuple[float, float]],
        speed: float = 1.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._spans, self._monotonic = spans, monotonic
        self._set(spans[0][0], speed, paused=False)

    @property
    def speed(self) -> float:
        """Recorded seconds a second, while it runs."""
        return self._mark[2]

    @property
    def paused(self) -> bool:
        """Whether it stands: because it was paused, or at the end."""
        return self._mark[3] or self.now() >= self._spans[-1][1]

    @property
    def badge(self) -> str:
        """The time and the speed, as they are shown."""
        return f"{'‖' if self.paused else '▶'} REPLAY {clock(self.now(), seconds=True)} {self.speed:g}x"

    def now(self) -> float:
        """The recorded time now; it stands still at the end."""
        at, since, speed, paused = self._mark
        left = 0.0 if paused else (self._monotonic() - since) * speed
        for begin, end in self._spans:
            at = max(at, begin)
            if at + left <= end:
                return at + left
            left = max(0.0, left - max(0.0, end - at))
        return self._spans[-1][1]

    def pause(self) -> None:
        """Pause, or go on."""
        self._set(self.now(), self.speed, paused=not self._mark[3])

    def play(self, speed: float) -> None:
        """Go on at a speed."""
        self._set(self.now(), speed, paused=False)

    def faster(self, by: int) -> None:
        """Choose the speed that is `by` steps faster, or slower below 0."""
        place = min(range(len(SPEEDS)), key=lambda at: abs(SPEEDS[at] - self.speed)) + by
        self._set(self.now(), SPEEDS[max(0, min(place, len(SPEEDS) - 1))], paused=self._mark[3])

    def seek(self, at: float) -> None:
        """Go to a recorded time, or to the nearest that was recorded."""
        begin, end = min(self._spans, key=lambda span: max(span[0] - at, at - span[1], 0.0))
        self._set(min(max(at, begin), end), self.speed, paused=self._mark[3])

    def jump(self, seconds: float) -> None:
        """Go so many recorded seconds on, or back; over what was not recorded in one step."""
        now = self.now()
        begin, end = next(span for span in self._spans if now <= span[1])
        place = self._spans.index((begin, end))
        if begin <= now + seconds <= end:
            self.seek(now + seconds)
        elif seconds > 0:
            self.seek(self._spans[place + 1][0] if now == end and place + 1 < len(self._spans) else end)
        else:
            self.seek(self._spans[place - 1][1] if now == begin and place else begin)

    def ends(self, *, last: bool) -> None:
        """Go to the begin or, with `last`, to the end."""
        self.seek(self._spans[-1][1] if last else self._spans[0][0])

    def _set(self, at: float, speed: float, *, paused: bool) -> None:
        self._mark = (at, self._monotonic(), speed, paused)
