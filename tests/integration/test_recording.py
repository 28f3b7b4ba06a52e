"""The recording of a class: what was shown comes back, through a restart, and without a forgotten student."""

from pathlib import Path

import pytest

from daemon.core.alarms import Trouble
from daemon.core.keeping import frames
from daemon.core.keeping.frames import State
from daemon.store import open_reader, recording
from daemon.system.state_folder import DATABASE
from tests.integration.test_cli_daemon import run
from tests.integration.test_forget import forgotten
from tests.support.inprocess import Lab, worked_off
from tests.support.waiting import until

pytestmark = pytest.mark.anyio


def recorded(lab: Lab) -> list[tuple[float, State]]:
    with open_reader(lab.config.paths.state / DATABASE) as db:
        ids = [id_ for id_, _, _ in recording.stretches(db, 0.0, 4e9)]
        return [frame for id_ in ids for frame in frames.states(recording.frames(db, id_))]


def lines(lab: Lab, task_id: int) -> list[dict[str, object]]:
    return [state["tasks"][str(task_id)] for _, state in recorded(lab) if str(task_id) in state["tasks"]]


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.monitoring.record._EVERY_S", 0.02)


async def test_every_task_is_shown_open_and_as_it_ended(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    async with lab.daemon() as daemon:
        for number in range(3):
            lab.hand_in(f"s{number:03d}_me.mp4")
        await worked_off(daemon)
        await until(lambda: not daemon.record._camera._watched)
        now = await daemon.observer.status()
        last = {line.id: line for line in await daemon.observer.lines([1, 2, 3])}
    shown = recorded(lab)
    assert [at for at, _ in shown] == sorted({at for at, _ in shown})
    for id_, line in last.items():
        seen = lines(lab, id_)
        assert seen[-1] | {"eta": None} == line.model_dump(mode="json", exclude={"can"}) | {"eta": None}
        assert seen[-1]["delivered_at"]
    assert any(state["status"]["group"] == ["extract", "rate"] for _, state in shown)
    (final,) = [state for _, state in shown if state["status"]["counts"] == now.counts][-1:]
    assert final["tasks"] == {}
    assert final["queue"] == []


async def test_a_recording_goes_on_in_the_next_run_and_forgets_a_student(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    for day in range(2):
        lab.hand_in(f"s00{day}_me.mp4")
        async with lab.daemon() as daemon:
            await worked_off(daemon)
            await until(lambda: not daemon.record._camera._watched)
            daemon.alarms.set(Trouble("outbox", f"/outbox/s00{day}/x.json cannot be written", "it", "fix it"))
            await daemon.record.flush()
            if day:
                assert (await forgotten(lab, "s001")).left == []
    assert lines(lab, 1)
    assert not lines(lab, 2)
    told = [alarm["message"] for _, state in recorded(lab) for alarm in state["status"]["alarms"]]
    assert "/outbox/s000/x.json cannot be written" in told
    assert (await run(lab, "forget", "s000", "--yes")).exit_code == 0, "without a daemon"
    assert not lines(lab, 1)


async def test_what_changes_nothing_is_looked_at_and_not_written(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    async with lab.daemon() as daemon:
        await until(lambda: daemon.record._stretch.frames)
        looks = daemon.record._camera._looks
        await until(lambda: daemon.record._camera._looks > looks + 50)
    assert len(recorded(lab)) < 10


async def test_many_open_tasks_are_recorded_up_to_a_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.monitoring.camera.MOST", 2)
    lab = Lab(tmp_path)
    for number in range(5):
        lab.hand_in(f"s{number:03d}_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
    assert max(len(state["queue"]) for _, state in recorded(lab)) == 2
