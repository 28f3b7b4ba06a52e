"""The scheduler's policy, from the configuration, the plan of the engines, and the measured durations."""

import os
from dataclasses import replace
from pathlib import Path

from daemon.config.load import Config
from daemon.config.sections import SttSettings
from daemon.core.forecast.durations import Durations
from daemon.core.schedule.decision import Policy
from daemon.core.schedule.residency import Plan
from daemon.core.schedule.scheduler import auto_batch_size
from daemon.core.tasks.task import Stage

_MOST_STREAMS = 4
_QUEUED = 16  # videos of one or two windows: one batch of eight is in work while the next one is prepared


def streams(stt: SttSettings) -> int:
    """The number of videos that Whisper has at once: one a core up to four; on a GPU what fills batches; four
    at a server elsewhere.
    """
    if stt.parallel != "auto":
        return stt.parallel
    if stt.url:
        return _MOST_STREAMS
    on_gpu = stt.device == "cuda" or (stt.device == "auto" and Path("/dev/nvidia0").exists())
    return _QUEUED if on_gpu else min(_MOST_STREAMS, len(os.sched_getaffinity(0)))


def make_policy(config: Config, plan: Plan, durations: Durations) -> Policy:
    """The scheduler's policy."""
    policy = Policy(
        residency=plan.groups,
        parallel={Stage.STT: streams(config.stt), **plan.parallel},
        batch_size=1,
        remainder_goes_along=config.batch.size == "auto",
        max_wait_s=config.batch.max_wait_s,
        order=config.batch.order,
    )
    return replace(policy, batch_size=batch_size(config.batch.size, policy, durations))


def batch_size(asked: int | str, policy: Policy, durations: Durations) -> int:
    """R5: the configured number or, for "auto", the one that follows from the durations of a round."""
    if isinstance(asked, int):
        return asked
    widest = max(slots for stage, slots in policy.parallel.items() if stage is not Stage.STT)
    return auto_batch_size(widest, durations.round_s(policy), durations.work_s(policy))
