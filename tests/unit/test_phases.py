"""The alarms of engines, for as long as the plan has their group."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from daemon.core.errors import EngineError
from daemon.core.schedule.decision import Policy
from daemon.core.schedule.phase_state import Group
from daemon.core.schedule.residency import ONE_BY_ONE, SIDE_BY_SIDE, Residency
from daemon.core.tasks.task import Stage
from daemon.monitoring.alarms import Alarms
from daemon.supervisor.phases import Phases, Switched

pytestmark = pytest.mark.anyio
BOTH: Group = frozenset({Stage.EXTRACT, Stage.RATE})


class NoRecords:
    async def phase_ready(self, *_: object) -> None:
        """Keep nothing."""


def policy(groups: Residency) -> Policy:
    return Policy(groups, dict.fromkeys(Stage, 1), 10)


async def test_the_alarm_of_a_group_that_the_plan_has_split_ends_with_its_parts() -> None:
    alarms = Alarms(lambda: 0.0)
    given: Any = SimpleNamespace(drifted=frozenset())
    phases = Phases(
        *(given, given, cast(Any, NoRecords()), policy(SIDE_BY_SIDE), alarms, lambda: 0.0),
        *(given, given, given, lambda event: None),
    )
    await phases.end(Switched(phases, BOTH, 1.0, EngineError("only 60 % of the model is on the GPU")))
    assert [alarm.code for alarm in alarms.all] == ["engine_extract_rate"]
    phases.policy = policy(ONE_BY_ONE)
    await phases.end(Switched(phases, frozenset({Stage.STT}), 1.0, None))
    assert alarms.all, "it has no stage of that group"
    await phases.end(Switched(phases, frozenset({Stage.EXTRACT}), 1.0, None))
    assert alarms.all == []
