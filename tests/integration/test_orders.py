"""What is ordered of the whole daemon: pause now, drain, deadline; and what is asked for one task."""

import asyncio
import contextlib
import sqlite3
from pathlib import Path

import httpx
import pytest

from daemon.contracts.wire.words import Order, Verb
from daemon.core.errors import IllegalTransition, Stopping, UnknownTask
from daemon.core.tasks.task import Stage, Status
from daemon.system.state_folder import DATABASE
from tests.support.inprocess import PHASES, TOGETHER, Lab, worked_off
from tests.support.waiting import until

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("stage", list(Stage))
@pytest.mark.parametrize("residency", [PHASES, TOGETHER], ids=["phases", "together"])
async def test_a_pause_now_ends_what_runs_and_charges_nothing(
    tmp_path: Path, stage: Stage, residency: list[list[str]]
) -> None:
    lab = Lab(tmp_path, seconds={stage: 60.0}, settings={"gpu.residency": residency})
    lab.hand_in("s001_me.mp4")
    async with lab.daemon() as daemon:
        await until(lambda: lab.log.tried(stage))
        await daemon.supervisor.order(Order.PAUSE, at_once=True)
        await until(
            lambda: (
                daemon.supervisor.tasks[0].status.value in ("uploaded", "stt_complete", "mistral_complete")
            )
        )
        (task,) = daemon.supervisor.tasks
        assert (task.stage, task.retry_count, task.suspicion) == (stage, 0, 0)
        for engine in lab.engines.values():
            engine.seconds = 0.0
        await daemon.supervisor.order(Order.RESUME)
        await worked_off(daemon)
    (result,) = lab.results().values()
    assert result["outcome"] == "evaluated"
    assert len(lab.log.tried(stage)) == 2


async def test_a_pause_now_cancels_what_was_to_be_cancelled(tmp_path: Path) -> None:
    lab = Lab(tmp_path, seconds={Stage.STT: 60.0})
    lab.hand_in("s001_me.mp4")
    async with lab.daemon() as daemon:
        await until(lambda: lab.log.tried(Stage.STT))
        await daemon.supervisor.ask(Verb.CANCEL, 1)
        await daemon.supervisor.order(Order.PAUSE, at_once=True)
        await until(lambda: not daemon.supervisor.tasks)
        await worked_off(daemon)
    assert [r["outcome"] for r in lab.results().values()] == ["cancelled"]


async def test_a_pause_now_with_nothing_in_hand_is_a_pause(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    async with lab.daemon() as daemon:
        await daemon.supervisor.order(Order.PAUSE, at_once=True)
        lab.hand_in("s001_me.mp4")
        await until(lambda: daemon.supervisor.tasks)
        await daemon.supervisor.order(Order.RESUME)
        await worked_off(daemon)
    assert len(lab.results()) == 1


async def test_a_drain_takes_nothing_new_lingers_for_nobody_and_survives_a_restart(tmp_path: Path) -> None:
    lab = Lab(tmp_path, start_seconds=0.3, settings={"batch.max_wait_s": 600})
    lab.hand_in("s001_me.mp4")
    async with lab.daemon() as daemon:
        await until(lambda: daemon.supervisor.tasks)
        await daemon.supervisor.order(Order.DRAIN)
        lab.hand_in("s002_me.mp4")
        await until(lambda: not daemon.supervisor.tasks)
        status = await daemon.observer.status()
        assert (status.draining, status.left) == (True, 0)
    async with lab.daemon() as daemon:
        await daemon.intake.settle()
        await until(lambda: daemon.intake.waiting == 1)
        assert (await daemon.observer.status()).draining
        assert not daemon.supervisor.tasks
        assert [r["student_id"] for r in lab.results().values()] == ["s001"]
        await daemon.supervisor.order(Order.RESUME)
        await worked_off(daemon)
        assert not (await daemon.observer.status()).draining
    assert sorted(r["student_id"] for r in lab.results().values()) == ["s001", "s002"]


async def test_a_drain_is_finished_when_only_held_tasks_are_left(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    async with lab.daemon() as daemon:
        await daemon.supervisor.order(Order.PAUSE)
        for student in ("s001", "s002"):
            lab.hand_in(f"{student}_me.mp4")
        await until(lambda: len(daemon.supervisor.tasks) == 2)
        await daemon.supervisor.ask(Verb.HOLD, 2)
        await daemon.supervisor.order(Order.RESUME)
        await daemon.supervisor.order(Order.DRAIN)
        await until(lambda: len(daemon.supervisor.tasks) == 1)
        status = await daemon.observer.status()
    assert (status.left, status.held, status.draining) == (0, 1, True)


async def test_a_deadline_is_kept_through_a_restart_and_taken_away(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    async with lab.daemon() as daemon:
        await daemon.supervisor.deadline(1_800_000_000.0)
    async with lab.daemon() as daemon:
        await until(lambda: daemon.supervisor.orders.deadline == 1_800_000_000.0)
        await daemon.supervisor.deadline(None)
        assert daemon.supervisor.orders.deadline is None


async def test_orders_that_come_at_once_do_not_undo_each_other(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    async with lab.daemon() as daemon:
        supervisor = daemon.supervisor
        await asyncio.gather(
            supervisor.order(Order.PAUSE), supervisor.order(Order.DRAIN), supervisor.deadline(1_800_000_000.0)
        )
        orders = supervisor.orders
        assert (orders.paused, orders.draining, orders.deadline) == (True, True, 1_800_000_000.0)


async def test_a_result_that_was_taken_away_is_put_into_the_outbox_again(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.hand_in("s001_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        (name,) = lab.results()
        before = (lab.outbox / name).read_bytes()
        (lab.outbox / name).unlink()
        await daemon.supervisor.ask(Verb.DELIVER, 1)
        await until(lambda: (lab.outbox / name).exists())
        assert (lab.outbox / name).read_bytes() == before
        with pytest.raises(UnknownTask):
            await daemon.supervisor.ask(Verb.DELIVER, 99)


async def test_a_result_that_there_is_not_yet_cannot_be_delivered(tmp_path: Path) -> None:
    lab = Lab(tmp_path, seconds={Stage.STT: 60.0}, settings={"run.stop_grace_s": 0})
    lab.hand_in("s001_me.mp4")
    async with lab.daemon() as daemon:
        await until(lambda: lab.log.tried(Stage.STT))
        with pytest.raises(IllegalTransition, match="no result"):
            await daemon.supervisor.ask(Verb.DELIVER, 1)
        assert daemon.supervisor.tasks[0].status is Status.STT_PROCESSING


async def test_the_sequence_grows_with_every_change_of_a_task(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    async with lab.daemon() as daemon:
        seen = [(await daemon.observer.status()).seq]
        lab.hand_in("s001_me.mp4")
        await worked_off(daemon)
        seen.append((await daemon.observer.status()).seq)
        await daemon.supervisor.ask(Verb.RATE, 1)
        seen.append((await daemon.observer.status()).seq)
        messages = [event.message for event in daemon.events.recent(100)]
    assert seen == sorted(set(seen))
    assert "task 1 of s001 is claimed" in messages
    assert any(message.startswith("task 1 of s001 is done after") for message in messages)
    assert any(message.startswith("stt is loaded after") for message in messages)


async def test_what_is_asked_while_the_daemon_stops_is_refused_in_one_line(tmp_path: Path) -> None:
    lab = Lab(tmp_path, seconds={Stage.STT: 60.0}, settings={"run.stop_grace_s": 1})
    lab.hand_in("s001_me.mp4")
    answers: dict[str, list[httpx.Response]] = {}
    paths = ("/tasks/1/hold", "/tasks/1/release", "/tasks/1/retry", "/pause", "/deadline", "/forget/s001")

    async def ask(path: str) -> None:
        """Again and again until nobody answers."""
        transport = httpx.AsyncHTTPTransport(uds=str(lab.config.paths.socket))
        async with httpx.AsyncClient(transport=transport, base_url="http://introeval", timeout=20) as client:
            with contextlib.suppress(httpx.TransportError):
                while True:
                    answers.setdefault(path, []).append(await client.post(path, json={"at": None}))

    async with lab.daemon():
        await until(lambda: lab.log.tried(Stage.STT))
        asking = [asyncio.create_task(ask(path)) for path in paths]
        await until(lambda: len(answers) == len(paths))
    await asyncio.gather(*asking)
    for path in paths:
        assert {answer.status_code for answer in answers[path]} <= {200, 409, 503}, path
        last = answers[path][-1]
        assert (last.status_code, last.json()["error"]) == (503, "Stopping")
        assert "\n" not in last.json()["message"]


async def test_what_is_asked_of_a_supervisor_that_has_ended_is_refused(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    async with lab.daemon() as daemon:
        pass
    with pytest.raises(Stopping):
        await daemon.supervisor.ask(Verb.HOLD, 1)


async def test_a_locked_database_keeps_nobody_waiting_who_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.store.session._READ_S", 0.2)
    lab = Lab(tmp_path)
    async with lab.daemon() as daemon:
        with contextlib.closing(sqlite3.connect(tmp_path / "var" / DATABASE, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            pausing = asyncio.create_task(daemon.supervisor.order(Order.PAUSE))
            await asyncio.sleep(0)
            transport = httpx.AsyncHTTPTransport(uds=str(lab.config.paths.socket))
            async with httpx.AsyncClient(transport=transport, base_url="http://introeval") as client:
                for path in ("/status", "/healthz", "/tasks", "/tasks/1", "/gpu"):
                    answer = await client.get(path, timeout=5)
                    assert (answer.status_code, answer.json()["error"]) == (503, "StoreError"), path
                    assert "does not answer" in answer.json()["message"]
                other.execute("ROLLBACK")
                await pausing  # a write keeps its patience
                assert (await client.get("/status")).json()["paused"] is True
