"""The scheduler's policy from the configuration and from what this machine's history shows."""

import os
from pathlib import Path
from statistics import fmean

from daemon.config import Config, Model, Stt
from daemon.core.scheduler import Policy, auto_batch_size
from daemon.core.task import Stage
from daemon.store.reader import Reader

EMBEDDED_RESIDENCY = (frozenset({Stage.STT}), frozenset({Stage.EXTRACT, Stage.RATE}))
EMBEDDED_PARALLEL = 1  # a second slot on the same processors makes both slower
_PLANNED_S = {Stage.STT: 10.0, Stage.EXTRACT: 20.0, Stage.RATE: 20.0}
_PLANNED_SWITCH_S = 5.0
_LAST = 20
_MOST_STREAMS = 4


def parallel(model: Model) -> int:
    """How many requests a language model serves at once."""
    return EMBEDDED_PARALLEL if model.parallel == "auto" else model.parallel


def streams(stt: Stt) -> int:
    """How many videos Whisper transcribes at once: on processors one a core, up to four; on a GPU one."""
    if stt.parallel != "auto":
        return stt.parallel
    on_gpu = stt.device == "cuda" or (stt.device == "auto" and Path("/dev/nvidia0").exists())
    return 1 if on_gpu else min(_MOST_STREAMS, len(os.sched_getaffinity(0)))


def make_policy(config: Config, reader: Reader) -> Policy:
    """What the scheduler goes by. Durations that were never measured are the plan's."""
    residency = (
        EMBEDDED_RESIDENCY
        if config.gpu.residency == "auto"
        else tuple(frozenset(group) for group in config.gpu.residency)
    )
    slots = {
        Stage.STT: streams(config.stt),
        Stage.EXTRACT: parallel(config.extract),
        Stage.RATE: parallel(config.rate),
    }
    size = config.batch.size
    if size == "auto":
        work = sum(
            fmean(reader.stage_seconds(stage, _LAST) or [_PLANNED_S[stage]]) / slots[stage] for stage in Stage
        )
        switches = sum(fmean(reader.switch_seconds(group) or [_PLANNED_SWITCH_S]) for group in residency)
        size = auto_batch_size(max(parallel(config.extract), parallel(config.rate)), switches, work)
    return Policy(
        residency=residency,
        parallel=slots,
        batch_size=size,
        remainder_goes_along=config.batch.size == "auto",
        max_wait_s=config.batch.max_wait_s,
    )


def estimate(reader: Reader, ahead: int, now: float) -> float | None:
    """When a new task with `ahead` open tasks before it is expected to be completed, in epoch seconds.

    None before each stage was measured on this machine.
    """
    measured = [reader.stage_seconds(stage, _LAST) for stage in Stage]
    if not all(measured):
        return None
    return now + (ahead + 1) * sum(map(fmean, measured))
