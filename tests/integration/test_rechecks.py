"""Ratings made again while nothing waits: they load no engine, keep nobody waiting, and change no result."""

import asyncio
from pathlib import Path

import pytest

from daemon.core.tasks.task import Stage
from daemon.store import rechecks
from tests.integration.test_canary import CanaryLab, alarm
from tests.support.inprocess import worked_off
from tests.support.waiting import until

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("quick_backoff")]


async def test_a_class_is_rated_again_so_often_and_who_moves_is_told(tmp_path: Path) -> None:
    lab = CanaryLab(tmp_path, settings={"rate.idle_ratings": 2})
    for student in ("s001", "s002"):
        lab.hand_in(f"{student}_me.mp4")
    lab.rater.later = 4
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        before = lab.results()
        await until(lambda: not daemon.supervisor.view.phase.alive)
        spreads = await daemon.session(rechecks.spreads)
        assert [(each.task_id, each.ratings) for each in spreads] == [(1, 3), (2, 3)]
        assert "overall_rating of task 1 by 3.4" in alarm(daemon, "unsteady")
    assert lab.results() == before
    assert lab.rater.starts == 1


async def test_it_is_off_for_the_demonstration_model_unless_it_is_asked_for(tmp_path: Path) -> None:
    lab = CanaryLab(tmp_path)
    await lab.classes("s001")
    assert len(lab.rater.asked) == 2 + 3


async def test_an_arrival_ends_it_at_once(tmp_path: Path) -> None:
    lab = CanaryLab(tmp_path, settings={"rate.idle_ratings": 1})
    lab.hand_in("s001_me.mp4")
    async with lab.daemon() as daemon:
        await until(lambda: len(lab.rater.asked) == 2)  # the canary's
        lab.rater.hangs_after = 5  # the student's are answered, and then nothing
        await until(lambda: len(lab.rater.asked) == 6)
        await asyncio.sleep(0)
        assert daemon.supervisor.tasks == []
        lab.hand_in("s002_me.mp4")
        await until(lambda: lab.whisper.tickets[-1] == 2)
        lab.rater.hangs_after = None
        await worked_off(daemon)
    assert len(lab.results()) == 2
    assert {stage for stage in Stage if stage in lab.log.alive} == set()
