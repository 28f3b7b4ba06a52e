"""Times of sound: where each piece belongs in a recording, and how much of it should have been decoded.

Pure. The probe and the decoder go through the same timeline, so that both find the same duration.
"""

from dataclasses import dataclass
from typing import Any

from daemon.stt.media_faults import check_length

GAP_S = 0.25  # a longer gap is silence: a paused recording, or a late start
_JUMP_S = 10.0  # as FFmpeg's dts_delta_threshold: in a stream that is joined, a longer one is no pause
_RESTART_S = 1.0  # timestamps that go back further begin anew: one recording was appended to another
_LONGEST_S = 1.0  # of sound in one packet; if it states more, the rest is a pause


class Timeline:
    """The place of each piece of sound, in order. `jumps`: the container's timestamps may be joined."""

    def __init__(self, origin_s: float, *, jumps: bool) -> None:
        self._origin_s = origin_s
        self._jumps = jumps
        self.seconds = 0.0
        """The duration of what was read."""

    def pause(self, stamp_s: float | None, here_s: float) -> float:
        """The seconds of silence before a piece that begins at `stamp_s`, after `here_s` of sound."""
        if stamp_s is None:
            return 0.0
        late_s = stamp_s - self._origin_s - here_s
        if late_s < -_RESTART_S or (self._jumps and late_s > _JUMP_S):
            self._origin_s += late_s
            return 0.0
        return late_s if late_s > GAP_S else 0.0

    def read(self, stamp_s: float | None, duration_s: float, max_s: float) -> None:
        """Count a packet. A pause may be in its duration. Raises MediaFault if there is too much."""
        self.pause(stamp_s, self.seconds)  # begins anew where it must
        begins_s = self.seconds if stamp_s is None else stamp_s - self._origin_s
        self.seconds = max(self.seconds, begins_s + min(duration_s, _LONGEST_S))
        check_length(self.seconds, max_s)


@dataclass
class PacketTally:
    """The packets of one track: seconds present, seconds decoded, and the number skipped."""

    there_s: float = 0.0
    decoded_s: float = 0.0
    skipped: int = 0
    _longest_s: float = GAP_S

    def count(self, packet: Any) -> None:
        """Count a packet as present, unless an mp4's edit list hides it.

        A pause is part of the duration of the packet before it. So a packet counts as no more than the
        longest that was decoded.
        """
        if not packet.is_discard:
            duration_s = seconds(packet.duration, float(packet.time_base or 0)) or 0.0
            self.there_s += min(duration_s, self._longest_s)

    def decoded(self, sound_s: float) -> None:
        """Count what was decoded of a packet."""
        self.decoded_s += sound_s
        self._longest_s = max(self._longest_s, sound_s)


def seconds(count: int | None, unit: float) -> float | None:
    """A duration of `count` units, in seconds; None without one."""
    return count * unit if count and count > 0 and unit else None
