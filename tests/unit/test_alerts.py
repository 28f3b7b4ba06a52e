"""The conditions of which the operator is told."""

from dataclasses import replace
from typing import Any

import pytest
import structlog.testing

from daemon.config.load import Config
from daemon.config.records import AlertSettings
from daemon.contracts.wire.status import Clock, DaemonStatus, Disk, EngineReport, Switching
from daemon.core.alarms import trouble
from daemon.core.tasks.task import Status as TaskStatus
from daemon.core.tasks.task import Task
from daemon.monitoring.alarms import Alarm, Alarms
from daemon.monitoring.alert_rules import Situation, conditions

NOW = 1_700_000_000.0
CONFIG = Config().model_copy(update={"alerts": AlertSettings(queue_depth=2, oldest_wait_min=10, failures=3)})
STATUS = DaemonStatus(
    version="0",
    pid=1,
    running=True,
    runtime="embedded",
    phase="stt",
    group=[],
    phase_since=None,
    why="",
    counts={},
    undelivered=0,
)
CALM = Situation(NOW, (), (), STATUS, None)


def task(number: int, waited_s: float = 0.0, **fields: Any) -> Task:
    return Task(number, f"s{number}", "me.mp4", "/x", "sha", 1, 10.0, NOW - waited_s, **fields)


def codes(situation: Situation) -> set[str]:
    found = conditions(situation, CONFIG)
    assert all("\n" not in str(each) and each.cause and each.affects and each.fix for each in found)
    return {each.code.removeprefix("alert_") for each in found}


def with_status(**fields: Any) -> Situation:
    return replace(CALM, status=STATUS.model_copy(update=fields))


def test_when_all_is_well_nothing_is_said() -> None:
    well = with_status(
        disk=Disk(free_mb=9000, total_mb=10000, min_free_mb=1000),
        clock=Clock(done=1, total=2),
        engines=[EngineReport(stage="stt", name="whisper", state="ready")],
    )
    assert codes(CALM) == codes(well) == set()


def test_more_open_tasks_than_configured() -> None:
    assert codes(replace(CALM, tasks=[task(1), task(2)])) == set()
    assert codes(replace(CALM, tasks=[task(1), task(2), task(3)])) == {"queue_depth"}
    assert codes(replace(CALM, tasks=[task(1), task(2), task(3, held=True)])) == set()


@pytest.mark.parametrize(
    ("waits", "is_told"),
    [
        (task(1, 601), True),
        (task(1, 599), False),
        (task(1, 601, held=True), False),
        (task(1, 601, status=TaskStatus.STT_PROCESSING), False),
        (task(1, 601, status=TaskStatus.MISTRAL_COMPLETE, revision=2), False),
    ],
    ids=["long", "not long", "held", "in work", "rated again"],
)
def test_a_task_that_waits_too_long(waits: Task, is_told: bool) -> None:
    assert ("oldest_wait" in codes(replace(CALM, tasks=[waits]))) is is_told


def test_many_failures_in_the_last_hour() -> None:
    assert codes(replace(CALM, failed=["eve", "dan"])) == set()
    failed = replace(CALM, failed=["eve", "dan", "eve", "anna", "ben", "cleo"])
    assert codes(failed) == {"failures"}
    (told,) = conditions(failed, CONFIG)
    assert told.affects == "6 tasks of eve, dan, anna and 2 more"


def test_a_switch_that_does_not_end() -> None:
    usual = with_status(switching=Switching(to=["rate"], since="", usual_s=10.0))
    limit = CONFIG.gpu.free_timeout_s + 20
    assert codes(replace(usual, switching_s=limit - 1)) == set()
    assert codes(replace(usual, switching_s=limit + 1)) == {"switch_blocked"}
    new = with_status(switching=Switching(to=["rate"], since="", usual_s=None))
    assert codes(replace(new, switching_s=limit + 1)) == set(), "the first load of a model may take longer"
    assert codes(replace(new, switching_s=3600)) == {"switch_blocked"}


def test_a_disk_that_fills() -> None:
    assert codes(with_status(disk=Disk(free_mb=1999, total_mb=10000, min_free_mb=1000))) == {"disk"}


@pytest.mark.parametrize("state", ["missing", "crash_loop", "unreachable", "denied", "failed"])
def test_an_engine_that_is_down(state: str) -> None:
    engines = [EngineReport(stage="rate", name="llama3-container", state=state, detail="why")]
    assert codes(with_status(engines=engines)) == {"engine_rate"}


def test_an_engine_whose_group_has_its_alarm_is_told_of_once() -> None:
    engines = [EngineReport(stage=stage, name=stage, state="failed") for stage in ("stt", "extract", "rate")]
    lasting = [trouble("engine_extract_rate", "it ended")]
    alarms = [Alarm(each, NOW).line for each in lasting]
    assert codes(with_status(engines=engines, alarms=alarms)) == {"engine_stt"}


@pytest.mark.parametrize(
    ("detail", "message"),
    [
        ("llama3 ends by itself", "llama3 ends by itself; run: introeval doctor"),
        ("no engine", "llama3 is failed: no engine; run: introeval doctor"),
        ("", "llama3 is failed; run: introeval doctor"),
    ],
)
def test_an_engine_is_named_once(detail: str, message: str) -> None:
    engines = [EngineReport(stage="rate", name="llama3", state="failed", detail=detail)]
    (told,) = conditions(with_status(engines=engines), CONFIG)
    assert f"{told.cause}; {told.fix}" == message


def test_a_deadline_that_cannot_be_held() -> None:
    clock = Clock(
        done=1,
        total=30,
        deadline="2026-03-04T10:45:00Z",
        state="late",
        spare_s=-720,
        cause="it is slow",
    )
    (told,) = conditions(replace(with_status(clock=clock), tasks=[task(1), task(2)]), CONFIG)
    assert told.cause == "the deadline will be missed by 12 min: it is slow"
    assert told.affects == "2 tasks of s1, s2"


def test_no_log_names_whose_task_has_waited() -> None:
    with structlog.testing.capture_logs() as logged:
        Alarms(lambda: 0.0).set(trouble("alert_oldest_wait", "task 7 of zoe has waited 12 min"))
    assert logged
    assert "zoe" not in str(logged)
