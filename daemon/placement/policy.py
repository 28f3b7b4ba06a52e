"""The scheduler's policy, from the configuration, the plan of the engines, and the measured durations."""

import os
from dataclasses import replace
from pathlib import Path

from daemon.config.load import Config
from daemon.config.sections import SttSettings
from daemon.contracts.values import NodePlan
from daemon.core.forecast.durations import PLANNED, Durations
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


def node_plan(config: Config, plan: Plan) -> NodePlan:
    """What the scheduler reads of a machine's plan."""
    return NodePlan(plan.groups, {Stage.STT: streams(config.stt), **plan.parallel})


def make_policy(config: Config, plan: NodePlan, durations: Durations) -> Policy:
    """The scheduler's policy for a node with this plan."""
    policy = Policy(
        residency=plan.groups,
        parallel=plan.parallel,
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


class Policies:
    """Makes the policy of each node from its plan, by the durations that were learnt last."""

    def __init__(self, config: Config) -> None:
        self._config, self._durations = config, PLANNED

    def here(self, plan: Plan, durations: Durations) -> Policy:
        """The policy of this machine's node, after something was learnt."""
        self._durations = durations
        return self.of(node_plan(self._config, plan))

    def of(self, plan: NodePlan) -> Policy:
        """The policy of a node with this plan."""
        return make_policy(self._config, plan, self._durations)
