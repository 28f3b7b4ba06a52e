"""The forecast in a running daemon on scripted engines."""

import json
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from daemon.app.parts import Daemon
from daemon.contracts.wire.status import Clock
from daemon.contracts.wire.words import Order, Verb
from daemon.core.forecast.durations import MeasuredSwitch
from daemon.core.schedule.batch_curve import FIRST_GUESS
from daemon.core.schedule.phase_state import Group
from daemon.core.tasks.task import Stage
from daemon.core.timestamps import from_iso
from daemon.forecast import read_durations
from daemon.store import measured, reports
from tests.support.inprocess import PASSES, Lab, worked_off
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

SECONDS = {Stage.STT: 0.05, Stage.EXTRACT: 0.1, Stage.RATE: 0.1}


def lab(folder: Path, **settings: Any) -> Lab:
    return Lab(folder, seconds=SECONDS, start_seconds=0.05, settings={"run.stop_grace_s": 0, **settings})


def receipts(a_lab: Lab) -> dict[str, dict[str, Any]]:
    return {path.parent.name: json.loads(path.read_text()) for path in a_lab.outbox.glob("*/*.receipt.json")}


def clock(daemon: Daemon, deadline: float | None = None) -> Clock:
    face = daemon.forecaster.clock(deadline, {})
    assert face is not None
    return face


async def learnt(daemon: Daemon) -> None:
    """Wait for the end of the first class, and until the forecast knows of it."""
    await worked_off(daemon)
    await until(lambda: daemon.forecaster.usual_switch_s(frozenset({Stage.STT})))


async def expected(daemon: Daemon) -> None:
    """Ask until there is a forecast."""

    def asked() -> bool:
        daemon.forecaster.refresh()
        return bool(daemon.forecaster.etas)

    await until(asked)


async def test_receipts_of_a_first_class_say_when_by_the_plan_and_later_ones_by_what_was_measured(
    tmp_path: Path,
) -> None:
    a_lab = lab(tmp_path)
    async with a_lab.daemon() as daemon:
        a_lab.hand_in("anna_1.mp4")
        await learnt(daemon)
        for student in ("ben", "cleo", "dan"):
            a_lab.hand_in(f"{student}_1.mp4")
        await worked_off(daemon)
        said = {name: receipt["estimated_completion"] for name, receipt in receipts(a_lab).items()}
        tasks = {line.student: line for line in await daemon.session(reports.tasks)}
    first = from_iso(said["anna"]) - tasks["anna"].claimed_at
    assert 50 < first < 75, "10, 20 and 20 s, and 5 for each switch"
    for student in ("ben", "cleo", "dan"):
        assert abs(from_iso(said[student]) - (tasks[student].ended_at or 0.0)) < 2.0


async def test_at_a_phases_end_what_is_expected_of_open_tasks_is_written(tmp_path: Path) -> None:
    a_lab = lab(tmp_path)
    async with a_lab.daemon() as daemon:
        a_lab.hand_in("anna_1.mp4")
        await learnt(daemon)
        # Nothing at the claim, so that what is written comes from the phase's end.
        daemon.session.db.estimate = None
        a_lab.hand_in("ben_1.mp4")
        await daemon.intake.settle()
        seen: list[float] = []

        async def written() -> bool:
            lines = await daemon.session(reports.tasks, limit=1)
            seen.extend(line.estimated_completion for line in lines if line.estimated_completion)
            return bool(seen)

        while not await written():
            assert daemon.supervisor.tasks, "it ended, and nothing was written"
    assert seen[0] > time.time() - 60


async def test_the_class_clock_counts_the_class_and_holds_it_against_the_deadline(tmp_path: Path) -> None:
    a_lab = lab(tmp_path)
    async with a_lab.daemon() as daemon:
        assert daemon.forecaster.clock(None, {}) is None
        early = clock(daemon, time.time() + 3600)
        assert (early.total, early.expected_at) == (0, None), "before the first video"
        assert early.deadline is not None
        a_lab.hand_in("anna_1.mp4")
        await until(lambda: daemon.forecaster.clock(None, {}))
        assert clock(daemon).guess
        assert clock(daemon).expected_at is not None, "before anything was measured"
        await learnt(daemon)
        first = clock(daemon)
        assert (first.done, first.total, first.state, first.guess) == (1, 1, "done", False)
        a_lab.engines[Stage.RATE].seconds = 30.0
        for student in ("ben", "cleo"):
            a_lab.hand_in(f"{student}_1.mp4")
        await until(lambda: len(daemon.supervisor.tasks) == 2)
        now = time.time()
        assert (clock(daemon).done, clock(daemon).total) == (1, 3), "the class goes on"
        await expected(daemon)
        in_time = clock(daemon, now + 3600)
        assert (in_time.state, in_time.cause) == ("on_time", "")
        assert in_time.spare_s is not None
        assert 3500 < in_time.spare_s < 3600
        assert in_time.expected_at is not None
        assert datetime.fromisoformat(in_time.expected_at)
        late = clock(daemon, now)
        assert late.state == "missed"
        assert late.spare_s is not None
        assert late.spare_s < 0
        assert "what is left takes" in late.cause
        assert clock(daemon, now - 3600).deadline is None, "that was another class's"


async def test_a_class_goes_on_after_a_restart(tmp_path: Path) -> None:
    a_lab = lab(tmp_path)
    a_lab.seconds = {**SECONDS, Stage.RATE: 30.0}
    async with a_lab.daemon() as daemon:
        a_lab.hand_in("anna_1.mp4")
        a_lab.hand_in("ben_1.mp4")
        await until(lambda: len(daemon.supervisor.tasks) == 2)
        await daemon.supervisor.ask(Verb.CANCEL, min(t.id for t in daemon.supervisor.tasks))
        await until(lambda: clock(daemon).done == 1)
    async with a_lab.daemon() as daemon:
        await until(lambda: daemon.supervisor.tasks)
        assert (clock(daemon).done, clock(daemon).total) == (1, 2)


@pytest.mark.alone
async def test_a_burst_gets_estimates_in_its_order_and_little_is_spent_on_them(tmp_path: Path) -> None:
    a_lab = lab(tmp_path)
    async with a_lab.daemon() as daemon:
        a_lab.hand_in("anna_1.mp4")
        await learnt(daemon)
        await daemon.supervisor.order(Order.PAUSE)
        spent: list[float] = []
        estimate = daemon.forecaster.expected

        def timed(new: Any) -> Any:
            began = time.perf_counter()
            found = estimate(new)
            spent.append(time.perf_counter() - began)
            assert len(found) == len(new)
            return found

        daemon.session.db.estimate = timed
        for n in range(150):
            a_lab.hand_in(f"s{n:03}_1.mp4")
        await until(lambda: len(daemon.supervisor.tasks) == 150)
        lines = await daemon.session(reports.tasks, limit=150)
        ends = [line.estimated_completion or 0.0 for line in sorted(lines, key=lambda line: line.id)]
        assert ends[-1] - ends[0] > 149 * SECONDS[Stage.RATE] * 0.8
        assert sum(spent) < 1.0


async def test_the_scheduler_goes_by_what_was_measured(tmp_path: Path) -> None:
    a_lab = lab(tmp_path)
    a_lab.start_seconds = 0.3
    async with a_lab.daemon() as daemon:
        before = daemon.supervisor.policy.batch_size
        assert daemon.supervisor.view.phase.switch_s == 0.0
        a_lab.hand_in("anna_1.mp4")
        await learnt(daemon)
        await until(lambda: daemon.supervisor.policy.batch_size != before)
        assert 0.3 <= daemon.supervisor.view.phase.switch_s < 2.0
        assert daemon.supervisor.policy.batch_size > before, "a switch costs more than a video here"
        assert daemon.forecaster.usual_switch_s(frozenset({Stage.STT})) is not None


async def test_what_the_scheduler_waits_for_is_said_with_figures(tmp_path: Path) -> None:
    a_lab = lab(tmp_path)
    async with a_lab.daemon() as daemon:
        a_lab.hand_in("anna_1.mp4")
        await learnt(daemon)
        a_lab.engines[Stage.STT].seconds = 30.0
        a_lab.hand_in("ben_1.mp4")
        await until(lambda: "1 running" in daemon.forecaster.why_detail)
        assert daemon.forecaster.why_detail.startswith("stt: 1 running, 0 waiting")
        await daemon.supervisor.order(Order.PAUSE)
        await until(lambda: daemon.forecaster.why_detail.startswith("nothing starts"))
        assert daemon.forecaster.next_switch_at is None
        assert daemon.observer.live(2, held=False)["eta"] is None
        paused = clock(daemon, time.time() + 30)
        assert (paused.state, paused.spare_s) == ("paused", None)


async def test_the_history_knows_what_a_switch_left_and_how_many_ran_at_once(tmp_path: Path) -> None:
    a_lab = lab(tmp_path, **{"gpu.residency": PASSES, "extract.parallel": 2, "rate.parallel": 2})
    async with a_lab.daemon() as daemon:
        for student in ("anna", "ben", "cleo", "dan"):
            a_lab.hand_in(f"{student}_1.mp4")
        await worked_off(daemon)
        switches = await daemon.session(measured.switches)
        rated = await daemon.session(measured.tries, Stage.RATE)
        transcribed = await daemon.session(measured.tries, Stage.STT)
        learnt = await daemon.session(read_durations)
    known = [(leaving and sorted(leaving), sorted(entering)) for leaving, entering in map(ends_of, switches)]
    assert known == [(["extract"], ["rate"]), (["stt"], ["extract"]), (None, ["stt"])]
    assert all(one.seconds >= 0.05 for one in switches)
    assert sum(one.spent[1] for one in rated) > 0.8 * sum(one.seconds for one in rated)
    assert all(one.spent == pytest.approx((one.seconds, 0, 0, 0)) for one in transcribed)
    assert learnt.curves[Stage.RATE] != FIRST_GUESS
    assert Stage.STT not in learnt.curves
    assert {one.media_s for one in transcribed} == {10.0}


def ends_of(switch: MeasuredSwitch) -> tuple[Group | None, Group]:
    return switch.leaving, switch.entering
