"""A recorded day, decided again: each decision follows from what the record holds."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.contracts.values import Ticket
from daemon.contracts.wire.words import Order, Verb
from daemon.core.errors import Blame, Fault, RecordUnreadable
from daemon.core.schedule import phase_state
from daemon.core.schedule.phase_state import AttemptStarted, PhaseEvent, PhaseState
from daemon.core.schedule.replay import Difference, decode, replay
from daemon.core.tasks.task import Stage
from tests.support.commands import invoke
from tests.support.inprocess import PASSES, PHASES, TOGETHER, Lab, worked_off
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

DEATH = Fault(Blame.ENGINE, "died", "the engine died", died=True)
SICK = Fault(Blame.ENGINE, "server_error", "the server answers 500")
BROKEN = Fault(Blame.TASK, "bad_answer", "the answer makes no sense")


@pytest.fixture(autouse=True)
def quick_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """Backoffs of milliseconds: their lengths are the subject of the lifecycle's own tests."""
    monkeypatch.setattr("daemon.core.tasks.lifecycle._BACKOFF_FIRST_S", 0.02)
    monkeypatch.setattr("daemon.core.tasks.lifecycle.BACKOFF_MOST_S", 0.05)


def with_faults() -> Callable[[Stage, Ticket], Fault | None]:
    """A death, a sick engine, answers that make no sense: each for some tasks once."""
    due = {
        (Stage.STT, 2): [DEATH],
        (Stage.RATE, 3): [SICK, DEATH],
        (Stage.EXTRACT, 4): [BROKEN, BROKEN],
        (Stage.RATE, 5): [BROKEN, BROKEN, BROKEN],
    }

    def script(stage: Stage, ticket: Ticket) -> Fault | None:
        faults = due.get((stage, ticket.task_id))
        return faults.pop() if faults else None

    return script


async def a_day(lab: Lab) -> list[str]:
    """A class under faults, with orders and a new rating; its record."""
    lab.settings |= {"batch.size": 2}
    lab.script = with_faults()
    async with lab.daemon() as daemon:
        for number in range(4):
            lab.hand_in(f"s{number:03d}_me.mp4")
        await until(lambda: daemon.born == 4)
        await daemon.supervisor.order(Order.PAUSE)
        for number in range(4, 8):
            lab.hand_in(f"s{number:03d}_me.mp4")
        await until(lambda: daemon.born == 8)
        await daemon.supervisor.ask(Verb.HOLD, 7)
        await daemon.supervisor.order(Order.RESUME)
        await until(lambda: len(daemon.supervisor.tasks) == 1)
        await daemon.supervisor.ask(Verb.RELEASE, 7)
        await worked_off(daemon)
        await daemon.supervisor.ask(Verb.RATE, 1)
        await worked_off(daemon)
    return record_of(lab).read_text(encoding="utf-8").splitlines()


def record_of(lab: Lab) -> Path:
    return lab.folder / "var" / "log" / "decisions.jsonl"


def differences(lines: list[str]) -> list[Difference]:
    return [found for found in replay(lines) if found is not None]


@pytest.fixture(params=[PHASES, PASSES, TOGETHER], ids=["phases", "passes", "together"])
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Lab:
    return Lab(tmp_path, settings={"gpu.residency": request.param})


async def test_a_class_under_faults_is_decided_again_as_it_was(lab: Lab) -> None:
    lines = await a_day(lab)
    assert len(lines) > 30
    assert differences(lines) == []


async def test_a_phase_state_that_forgets_something_decides_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = await a_day(Lab(tmp_path, settings={"gpu.residency": PHASES}))

    def forgetful(state: PhaseState, event: PhaseEvent) -> PhaseState:
        after = phase_state.after(state, event)
        return replace(after, fresh=state.fresh) if isinstance(event, AttemptStarted) else after

    monkeypatch.setattr("daemon.core.schedule.replay.after", forgetful)
    assert differences(lines)


async def test_a_record_goes_on_through_a_restart_and_a_full_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.supervisor.decision_log._MOST_BYTES", 8_000)
    lab = Lab(tmp_path)
    for day in range(2):
        for number in range(3):
            lab.hand_in(f"s{day}{number:02d}_me.mp4")
        async with lab.daemon() as daemon:
            await worked_off(daemon)
    older = record_of(lab).with_name("decisions.1.jsonl")
    for file in (older, record_of(lab)):
        lines = file.read_text(encoding="utf-8").splitlines()
        assert lines
        assert differences(lines) == []
    assert older.stat().st_size < 20_000


async def test_a_record_names_nobody(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.hand_in("zacharias_secret.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
    record = record_of(lab).read_text(encoding="utf-8")
    assert "zacharias" not in record
    assert "secret" not in record
    assert str(tmp_path) not in record


async def test_a_record_that_cannot_be_written_costs_the_record_alone(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    record_of(lab).mkdir(parents=True)
    lab.hand_in("s001_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
    assert len(lab.results()) == 1


def run_command(*args: str) -> tuple[int, str]:
    result = invoke("decisions", *args)
    return result.exit_code, result.output


async def test_the_command_shows_what_does_not_follow(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.hand_in("s001_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
    record = record_of(lab)
    lines = record.read_text(encoding="utf-8").splitlines()
    code, said = run_command(str(record))
    assert (code, said.strip()) == (0, f"{len(lines)} decisions repeated, {len(lines)} the same")
    told = json.loads(lines[-1])
    told["decided"]["why"] = "lingering"
    record.write_text("\n".join([*lines[:-1], json.dumps(told)]), encoding="utf-8")
    with pytest.raises(RecordUnreadable):
        list(replay(record.read_text(encoding="utf-8").splitlines()))
    told["decided"]["why"] = "working"
    record.write_text("\n".join([*lines[:-1], json.dumps(told)]), encoding="utf-8")
    code, said = run_command(str(record))
    assert code == 1
    assert f"line {len(lines)}: recorded" in said
    assert f"{len(lines) - 1} the same" in said


@pytest.mark.parametrize("line", ["", "no JSON", "[]", "{}", '{"now": 1.0}', '{"events": [["Other", {}]]}'])
def test_what_is_no_record_is_refused_with_its_line(line: str) -> None:
    with pytest.raises(RecordUnreadable, match="line 3"):
        decode(line, 3)


async def test_the_middle_of_a_record_is_refused(tmp_path: Path) -> None:
    lines = await a_day(Lab(tmp_path))
    with pytest.raises(RecordUnreadable, match="no record begins here"):
        list(replay(lines[3:]))


async def test_a_line_that_a_kill_cut_short_costs_itself_alone(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    record = record_of(lab)
    for day in range(2):
        lab.hand_in(f"s00{day}_me.mp4")
        async with lab.daemon() as daemon:
            await worked_off(daemon)
        record.write_bytes(record.read_bytes()[:-20])
    lines = record.read_text(encoding="utf-8").splitlines()
    assert len(list(replay(lines))) == len([line for line in lines if line]) - 2
    assert differences(lines) == []
    with pytest.raises(RecordUnreadable, match="line 3"):
        list(replay([*lines[:2], lines[2][:-20], *lines[3:]]))
