"""What a switch found on the GPU. Apart from the other values: a command that only reads needs no more."""

from dataclasses import dataclass

from daemon.contracts.wire.status import Holder


@dataclass(frozen=True, slots=True)
class Ledger:
    """Memory that a switch found on the GPU, in MB; None where there is no GPU to measure.

    `freed` came free by the stop of the other groups; `foreign` is held by processes that are not ours;
    `margin` is free beyond what the group needs. `waited_s` is how long the switch waited for memory.
    `holders` are the foreign processes.
    """

    freed_mb: float | None = None
    foreign_mb: float | None = None
    needed_mb: float | None = None
    margin_mb: float | None = None
    waited_s: float = 0.0
    holders: tuple[Holder, ...] = ()
