"""The daemon on scripted engines: batches, switches, retries, deaths, stop and recovery."""

import asyncio
import sqlite3
from collections import Counter
from pathlib import Path

import pytest

from daemon.contracts.values import Decoded, Ticket
from daemon.contracts.wire.words import Order, Verb
from daemon.core.errors import Blame, Fault, IllegalTransition, UnknownTask
from daemon.core.schedule.decision import Why
from daemon.core.tasks.task import Stage
from tests.support.inprocess import PASSES, PHASES, TOGETHER, Lab, worked_off
from tests.support.scripted import ScriptedMedia
from tests.support.waiting import until

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("quick_backoff")]

BROKEN = Fault(Blame.TASK, "bad_answer", "the answer makes no sense")
DEATH = Fault(Blame.ENGINE, "died", "the engine died", died=True)
SICK = Fault(Blame.ENGINE, "server_error", "the server answers 500")
HOPELESS = Fault(Blame.PERMANENT, "too_long", "the transcript is too long")


class GatedMedia(ScriptedMedia):
    """Decodes nothing until it is open."""

    def __init__(self) -> None:
        super().__init__()
        self.open = asyncio.Event()

    async def decode(self, path: Path, pcm: Path, account: str | None = None) -> Decoded | Fault:
        await self.open.wait()
        return await super().decode(path, pcm, account)


@pytest.fixture(params=[PHASES, PASSES, TOGETHER], ids=["phases", "passes", "together"])
def residency(request: pytest.FixtureRequest) -> list[list[str]]:
    groups: list[list[str]] = request.param
    return groups


async def test_a_class_becomes_one_result_each(tmp_path: Path, residency: list[list[str]]) -> None:
    lab = Lab(tmp_path, settings={"gpu.residency": residency})
    for number in range(6):
        lab.hand_in(f"s{number:03d}_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
    results = lab.results()
    assert sorted(r["student_id"] for r in results.values()) == [f"s{n:03d}" for n in range(6)]
    assert {r["outcome"] for r in results.values()} == {"evaluated"}
    for stage in Stage:
        assert sorted(lab.log.tried(stage)) == sorted(r["task_id"] for r in results.values())


async def test_two_groups_are_never_alive_together(tmp_path: Path, residency: list[list[str]]) -> None:
    lab = Lab(tmp_path, settings={"gpu.residency": residency, "batch.size": 2})
    for number in range(7):
        lab.hand_in(f"s{number:03d}_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
    groups = [frozenset(map(Stage, group)) for group in residency]
    alive: set[Stage] = set()
    for what, stage, _ in lab.log.entries:
        if what == "start":
            alive.add(stage)
            assert any(alive <= group for group in groups), lab.log.entries
        elif what == "stop":
            alive.discard(stage)
        else:
            assert stage in alive


async def test_with_nothing_to_do_every_engine_is_stopped(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.hand_in("s001_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        await until(lambda: not lab.log.alive)


async def test_a_fault_of_the_task_is_tried_again_and_then_fails_alone(tmp_path: Path) -> None:
    def script(stage: Stage, ticket: Ticket) -> Fault | None:
        return BROKEN if stage is Stage.EXTRACT and ticket.task_id == 1 else None

    lab = Lab(tmp_path, script=script)
    for number in range(3):
        lab.hand_in(f"s{number:03d}_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
    by_task = {r["task_id"]: r for r in lab.results().values()}
    assert by_task[1]["outcome"] == "failed"
    assert by_task[1]["error"] == {
        "code": "bad_answer",
        "stage": "extract",
        "message": "the answer makes no sense",
        "attempts": 3,
    }
    assert {by_task[2]["outcome"], by_task[3]["outcome"]} == {"evaluated"}
    assert Counter(lab.log.tried(Stage.EXTRACT)) == {1: 3, 2: 1, 3: 1}
    assert Counter(lab.log.tried(Stage.STT)) == {1: 1, 2: 1, 3: 1}


async def test_a_permanent_fault_fails_at_once(tmp_path: Path) -> None:
    lab = Lab(tmp_path, script=lambda stage, ticket: HOPELESS if stage is Stage.RATE else None)
    lab.hand_in("s001_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
    (result,) = lab.results().values()
    assert (result["outcome"], result["error"]["attempts"]) == ("failed", 1)
    assert result["profile"]["name"] == "Ada"


async def test_a_sick_engine_is_started_anew_and_charges_nobody(tmp_path: Path) -> None:
    sick = [SICK, SICK]

    def script(stage: Stage, ticket: Ticket) -> Fault | None:
        return sick.pop() if stage is Stage.RATE and sick else None

    lab = Lab(tmp_path, script=script, settings={"retry.max_retry_count": 1})
    lab.hand_in("s001_me.mp4")
    lab.hand_in("s002_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        assert daemon.alarms.all == []
    assert {r["outcome"] for r in lab.results().values()} == {"evaluated"}
    assert [e for e in lab.log.entries if e[:2] == ("start", Stage.RATE)].__len__() >= 3


async def test_an_engine_that_does_not_start_is_an_alarm_until_it_does(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.hand_in("s001_me.mp4")
    async with lab.daemon() as daemon:
        lab.engines[Stage.STT].fails_to_start = 3
        await until(lambda: any(a.code == "engine_stt" for a in daemon.alarms.all))
        await worked_off(daemon)
        assert daemon.alarms.all == []
    (result,) = lab.results().values()
    assert result["outcome"] == "evaluated"


async def test_while_the_rater_rests_the_row_of_what_runs_tells_the_truth(tmp_path: Path) -> None:
    lab = Lab(tmp_path, settings={"gpu.residency": PASSES})
    for number in range(3):
        lab.hand_in(f"s{number:03d}_me.mp4")
    async with lab.daemon() as daemon:
        lab.engines[Stage.RATE].fails_to_start = 10_000
        await until(lambda: any(a.code == "engine_rate" for a in daemon.alarms.all))
        socket = (await daemon.observer.status()).phase
        with sqlite3.connect(tmp_path / "var" / "introeval.db") as database:
            row = database.execute("SELECT * FROM system_state").fetchone()
            batches = database.execute("SELECT DISTINCT batch_id FROM processing_tasks").fetchall()
        assert (row[1], socket) == ("eval", "eval")
        assert [(row[2],)] == batches, "the batch that is being evaluated"
        assert row[4:6] == (3, 0), "none of three is rated"


async def test_what_was_in_an_engine_s_way_is_gone_and_it_rests_no_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.core.tasks.lifecycle._BACKOFF_FIRST_S", 60.0)
    monkeypatch.setattr("daemon.core.tasks.lifecycle.BACKOFF_MOST_S", 60.0)
    lab = Lab(tmp_path)
    lab.hand_in("s001_me.mp4")
    async with lab.daemon() as daemon:
        lab.engines[Stage.STT].fails_to_start = 1
        await until(lambda: daemon.supervisor.decision.why is Why.BACKOFF)
        daemon.supervisor.try_again()
        await worked_off(daemon, 20.0)
        assert daemon.alarms.all == []
    (result,) = lab.results().values()
    assert result["outcome"] == "evaluated"


async def test_a_video_that_kills_its_engine_fails_and_its_neighbours_do_not(
    tmp_path: Path, residency: list[list[str]]
) -> None:
    def script(stage: Stage, ticket: Ticket) -> Fault | None:
        return DEATH if stage is Stage.STT and ticket.task_id == 2 else None

    lab = Lab(tmp_path, script=script, settings={"gpu.residency": residency})
    for number in range(4):
        lab.hand_in(f"s{number:03d}_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        assert daemon.alarms.all == []
    outcomes = {r["task_id"]: r["outcome"] for r in lab.results().values()}
    assert outcomes == {1: "evaluated", 2: "failed", 3: "evaluated", 4: "evaluated"}
    assert Counter(lab.log.tried(Stage.STT)) == {1: 1, 2: 3, 3: 1, 4: 1}


async def test_a_death_costs_those_nothing_with_which_the_engine_had_not_begun(tmp_path: Path) -> None:
    untouched = Fault(Blame.ENGINE, "worker_died", "the worker died", begun=False)
    struck: set[int] = set()

    def script(stage: Stage, ticket: Ticket) -> Fault | None:
        if stage is not Stage.STT or ticket.task_id in struck:
            return None
        struck.add(ticket.task_id)
        return DEATH if ticket.task_id == 2 else untouched

    lab = Lab(tmp_path, script=script, settings={"stt.parallel": 4})
    for number in range(4):
        lab.hand_in(f"s{number:03d}_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        assert daemon.alarms.all == []
    assert {r["outcome"] for r in lab.results().values()} == {"evaluated"}
    assert lab.log.tried(Stage.STT)[-1] == 2  # it alone is a suspect, and comes last


async def test_a_video_that_cannot_be_decoded_fails_before_its_turn(tmp_path: Path) -> None:
    damaged = Fault(Blame.PERMANENT, "damaged", "record it again")
    lab = Lab(tmp_path, media=ScriptedMedia({"bad": damaged}))
    lab.hand_in("s001_me.mp4")
    lab.hand_in("s002_me.mp4", "bad")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
    by_student = {r["student_id"]: r for r in lab.results().values()}
    assert by_student["s001"]["outcome"] == "evaluated"
    assert (by_student["s002"]["outcome"], by_student["s002"]["error"]["code"]) == ("failed", "damaged")
    assert len(lab.log.tried(Stage.STT)) == 1


async def test_a_stop_in_the_middle_is_taken_up_where_it_was(
    tmp_path: Path, residency: list[list[str]]
) -> None:
    lab = Lab(tmp_path, seconds=dict.fromkeys(Stage, 0.01), settings={"gpu.residency": residency})
    for number in range(5):
        lab.hand_in(f"s{number:03d}_me.mp4")
    async with lab.daemon():
        await until(lambda: len(lab.log.tried(Stage.EXTRACT)) >= 2)
    assert not lab.log.alive
    async with lab.daemon() as daemon:
        await worked_off(daemon)
    assert len(lab.results()) == 5
    again = {stage: [n for n in Counter(lab.log.tried(stage)).values() if n > 1] for stage in Stage}
    assert again == {stage: [] for stage in Stage}


async def test_attempts_that_outlast_the_grace_are_released(tmp_path: Path) -> None:
    lab = Lab(tmp_path, seconds={Stage.STT: 60.0}, settings={"run.stop_grace_s": 0.05})
    lab.hand_in("s001_me.mp4")
    async with lab.daemon():
        await until(lambda: lab.log.tried(Stage.STT))
    with sqlite3.connect(tmp_path / "var" / "introeval.db") as database:
        assert database.execute("SELECT status FROM processing_tasks").fetchall() == [("uploaded",)]
    lab.seconds = {}
    async with lab.daemon() as daemon:
        await worked_off(daemon)
    assert len(lab.results()) == 1


async def test_an_outbox_that_is_gone_costs_only_time(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.hand_in("s001_me.mp4")
    async with lab.daemon() as daemon:
        lab.outbox.rename(tmp_path / "elsewhere")
        await until(lambda: any(a.code == "outbox" for a in daemon.alarms.all))
        await until(lambda: daemon.supervisor.idle)
        (tmp_path / "elsewhere").rename(lab.outbox)
        await worked_off(daemon)
        assert daemon.alarms.all == []
    assert len(lab.results()) == 1


async def test_a_lone_upload_starts_at_once_and_a_late_one_joins_its_batch(tmp_path: Path) -> None:
    lab = Lab(tmp_path, seconds={Stage.STT: 2.0})
    lab.hand_in("s001_me.mp4")
    async with lab.daemon() as daemon:
        await until(lambda: lab.log.tried(Stage.STT))
        lab.hand_in("s002_me.mp4")
        await worked_off(daemon)
    starts = [stage for what, stage, _ in lab.log.entries if what == "start"]
    assert starts.count(Stage.STT) == 1


async def test_the_video_ends_in_the_archive(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.hand_in("s001_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        await until(lambda: list((tmp_path / "var" / "archive").glob("*/*.mp4")))
    assert [p.parent.name for p in (tmp_path / "var" / "archive").glob("*/*.mp4")] == ["s001"]
    assert list((tmp_path / "var" / "spool").iterdir()) == []
    assert list((tmp_path / "var" / "decoded").iterdir()) == []


async def test_a_second_stop_of_the_class_finds_every_phase_in_the_database(tmp_path: Path) -> None:
    lab = Lab(tmp_path, settings={"batch.size": 2})
    for number in range(4):
        lab.hand_in(f"s{number:03d}_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        await asyncio.sleep(0)
    with sqlite3.connect(tmp_path / "var" / "introeval.db") as database:
        phases = database.execute(
            "SELECT phase, switch_s IS NOT NULL, tasks FROM phases ORDER BY id"
        ).fetchall()
        batches = database.execute("SELECT count(*) FROM batches WHERE ended_at IS NOT NULL").fetchone()
    assert phases == [("stt", 1, 2), ("eval", 1, 2), ("stt", 1, 2), ("eval", 1, 2)]
    assert batches == (2,)


async def test_newest_cancels_what_has_not_started_of_the_same_student(tmp_path: Path) -> None:
    lab = Lab(tmp_path, settings={"intake.resubmission": "newest"})
    async with lab.daemon() as daemon:
        await daemon.supervisor.order(Order.PAUSE)
        for take in range(3):
            lab.hand_in(f"s001_take{take}.mp4")
            await until(lambda count=take + 1: daemon.born == count)  # type: ignore[misc]
        lab.hand_in("s002_me.mp4")
        await until(lambda: daemon.born == 4)
        await daemon.supervisor.order(Order.RESUME)
        await worked_off(daemon)
    outcomes = {r["source"]["filename"]: r["outcome"] for r in lab.results().values()}
    assert outcomes == {
        "s001_take0.mp4": "cancelled",
        "s001_take1.mp4": "cancelled",
        "s001_take2.mp4": "evaluated",
        "s002_me.mp4": "evaluated",
    }


async def test_reject_refuses_a_second_video_while_the_first_stands(tmp_path: Path) -> None:
    lab = Lab(tmp_path, settings={"intake.resubmission": "reject"})
    lab.hand_in("s001_first.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        lab.hand_in("s001_second.mp4")
        await worked_off(daemon)
    assert [r["source"]["filename"] for r in lab.results().values()] == ["s001_first.mp4"]
    (reason,) = lab.outbox.glob("_rejected/*.reason.json")
    assert "handed_in" in reason.read_text()
    assert len(list((tmp_path / "var" / "rejected").iterdir())) == 1
    assert daemon.intake.refused == 1


async def test_a_held_task_waits_and_goes_on_when_it_is_released(tmp_path: Path) -> None:
    lab = Lab(tmp_path, start_seconds=0.2)
    async with lab.daemon() as daemon:
        lab.hand_in("s001_me.mp4")
        await until(lambda: daemon.supervisor.tasks)
        await daemon.supervisor.ask(Verb.HOLD, 1)
        lab.hand_in("s002_me.mp4")
        await until(lambda: len(lab.results()) == 1)
        assert lab.log.tried(Stage.RATE) == [2]
        await daemon.supervisor.ask(Verb.RELEASE, 1)
        await worked_off(daemon)
    assert len(lab.results()) == 2


async def test_a_task_that_is_held_while_its_sound_is_decoded_goes_on_with_the_class(tmp_path: Path) -> None:
    media = GatedMedia()
    lab = Lab(tmp_path, media=media, settings={"stt.parallel": 2})
    for student in ("s001", "s002"):
        lab.hand_in(f"{student}_me.mp4")
    async with lab.daemon() as daemon:
        await until(lambda: len(daemon.supervisor.started) == 2)
        await daemon.supervisor.ask(Verb.HOLD, 2)
        await daemon.supervisor.ask(Verb.NEXT, 1)  # another turn
        media.open.set()
        await until(lambda: len(lab.results()) == 1)
        await daemon.supervisor.ask(Verb.RELEASE, 2)
        await worked_off(daemon)
    assert len(lab.results()) == 2
    assert sorted(lab.log.tried(Stage.STT)) == [1, 2]


async def test_only_a_pause_ends_what_runs(tmp_path: Path) -> None:
    lab = Lab(tmp_path, seconds={Stage.STT: 0.3})
    lab.hand_in("s001_me.mp4")
    async with lab.daemon() as daemon:
        await until(lambda: daemon.supervisor.started)
        for order in (Order.RESUME, Order.GO, Order.DRAIN):
            await daemon.supervisor.order(order, at_once=True)
        await until(lambda: lab.results())
    assert lab.log.tried(Stage.STT) == [1]


@pytest.mark.parametrize("stage", [Stage.STT, Stage.EXTRACT, Stage.RATE])
async def test_a_running_task_can_be_cancelled_at_every_stage(tmp_path: Path, stage: Stage) -> None:
    lab = Lab(tmp_path, seconds={stage: 0.3 if stage is Stage.STT else 60.0})
    async with lab.daemon() as daemon:
        lab.hand_in("s001_me.mp4")
        await until(lambda: lab.log.tried(stage))
        await daemon.supervisor.ask(Verb.CANCEL, 1)
        await worked_off(daemon)
    (result,) = lab.results().values()
    assert (result["outcome"], result["evaluation"]) == ("cancelled", None)


async def test_a_pause_starts_nothing_and_survives_a_restart(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    async with lab.daemon() as daemon:
        await daemon.supervisor.order(Order.PAUSE)
        lab.hand_in("s001_me.mp4")
        await until(lambda: daemon.supervisor.tasks)
    async with lab.daemon() as daemon:
        await until(lambda: daemon.supervisor.decision.why is Why.PAUSED)
        assert lab.log.tried(Stage.STT) == []
        await daemon.supervisor.order(Order.RESUME)
        await worked_off(daemon)
    assert len(lab.results()) == 1


async def test_a_new_rating_is_the_next_revision_and_needs_no_new_transcript(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.hand_in("s001_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        await daemon.supervisor.ask(Verb.RATE, 1)
        await worked_off(daemon)
    assert sorted(lab.results()) == ["s001/0001-s001_me.r2.result.json", "s001/0001-s001_me.result.json"]
    assert [len(lab.log.tried(stage)) for stage in Stage] == [1, 1, 2]


async def test_what_a_task_s_status_does_not_allow_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.hand_in("s001_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        with pytest.raises(IllegalTransition, match="nothing to retry"):
            await daemon.supervisor.ask(Verb.RETRY, 1)
        with pytest.raises(IllegalTransition, match="nothing to cancel"):
            await daemon.supervisor.ask(Verb.CANCEL, 1)
        with pytest.raises(UnknownTask):
            await daemon.supervisor.ask(Verb.HOLD, 2)
    assert len(lab.results()) == 1


async def test_another_model_in_mid_class_is_an_alarm_and_in_the_next_class_is_none(tmp_path: Path) -> None:
    lab = Lab(tmp_path, seconds={Stage.RATE: 0.1})
    for number in range(4):
        lab.hand_in(f"s{number:03d}_me.mp4")
    async with lab.daemon() as daemon:
        await until(lambda: lab.engines)
        rater = lab.engines[Stage.RATE]
        rater.provenance = {"model": "one"}
        await until(lambda: len(lab.log.tried(Stage.RATE)) == 2)
        rater.provenance = {"model": "another"}
        await worked_off(daemon)
        assert [a.code for a in daemon.alarms.all] == ["class_changed"]
        lab.hand_in("s009_me.mp4")
        rater.provenance = {"model": "third"}
        await worked_off(daemon)
        assert daemon.alarms.all == []
