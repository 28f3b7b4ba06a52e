"""The canary on the control socket."""

from typing import Any

from daemon.contracts.wire.base import WireModel


class CanaryLine(WireModel):
    """The canary of one stage: what was recorded for its configuration (model, and rubric's folder), and what
    differs from that.

    `recorded_by` is the account that accepted it, None for the first answer. `asked_at` is the last time.
    """

    stage: str
    configuration: str
    recorded_at: str | None
    recorded_by: str | None
    asked_at: str | None
    identity: dict[str, Any]
    answer: dict[str, Any] | None
    drift: list[str]
