"""A replayed day answers as the daemon did: lists, tasks, results, phases, and nothing of what came later."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from daemon.api import client
from daemon.cli.common import Chosen
from daemon.cli.playing import playing
from daemon.contracts.values import Ticket
from daemon.contracts.wire.words import Verb
from daemon.core.errors import Blame, Fault, IntroEvalError, RecordUnreadable, UnknownTask, UsageError
from daemon.core.tasks.task import Stage
from daemon.core.timestamps import from_iso
from introeval_tui.link.tape import Tape
from tests.support.commands import invoke
from tests.support.inprocess import Lab, worked_off
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

BROKEN = Fault(Blame.PERMANENT, "undecodable", "the video is broken")


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.monitoring.record._EVERY_S", 0.02)


class Day:
    """A replayed day at a time that the test chooses."""

    def __init__(self, socket: Path, tape: Tape) -> None:
        self._socket, self.tape = socket, tape
        tape.pause()

    def ask(self, path: str, **params: Any) -> Any:
        return client.get(self._socket, path, **params)

    def order(self, path: str) -> Any:
        return client.post(self._socket, path)

    def ids(self, **params: Any) -> list[int]:
        return [line["id"] for line in self.ask("/tasks", **params)["tasks"]]


@contextmanager
def replayed(lab: Lab) -> Iterator[Day]:
    with playing(lab.config, 0.0, 4e9) as (socket, tape):
        yield Day(socket, tape)


def script(stage: Stage, ticket: Ticket) -> Fault | None:
    return BROKEN if stage is Stage.STT and ticket.task_id == 2 and ticket.revision == 1 else None


async def two_lessons(lab: Lab) -> tuple[float, float]:
    """One class, a restart, another one. A time between two changes of the first, and one of the second."""
    lab.script = script
    async with lab.daemon() as daemon:
        for number in range(3):
            lab.hand_in(f"s{number:03d}_me.mp4")
        lab.hand_in("s009_notes.txt")
        await worked_off(daemon)
        await until(lambda: not daemon.record._camera._watched)
        first = from_iso((await daemon.observer.status()).now)
    lab.seconds = dict.fromkeys(Stage, 0.3)
    async with lab.daemon() as daemon:
        await daemon.supervisor.ask(Verb.RETRY, 2)
        lab.hand_in("s003_me.mp4")
        await until(lambda: lab.log.tried(Stage.EXTRACT)[3:])
        await asyncio.sleep(0.1)  # so that it was recorded
        second = from_iso((await daemon.observer.status()).now)
        await worked_off(daemon)
    return first, second


async def test_a_time_shows_what_was_known_then(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    first, second = await two_lessons(lab)

    def look() -> None:
        with replayed(lab) as day:
            day.tape.seek(first)
            assert day.ids(order="age") == [3, 2, 1]
            assert day.ids(status="failed") == [2]
            assert day.ids(open=True) == []
            assert day.ids(q="S002") == [3]
            page = day.ask("/tasks", order="age", limit=1, offset=1)
            assert (page["total"], [line["id"] for line in page["tasks"]]) == (3, [2])
            assert day.ask("/tasks", status="completed")["total"] == 2
            failed = day.ask("/tasks/2")
            assert (failed["status"], failed["revision"], failed["error_code"]) == (
                "failed",
                1,
                "undecodable",
            )
            assert failed["history"][-1]["event"] == "failed"
            assert [result["revision"] for result in day.ask("/tasks/2/results")] == [1]
            assert [line["filename"] for line in day.ask("/refused")] == ["s009_notes.txt"]
            wanting = day.ask("/attention")
            assert (wanting["total"], wanting["counts"]) == (2, {"failed": 1, "refused": 1})
            assert [line["key"].partition(":")[0] for line in wanting["lines"]] == ["task", "refused"]
            assert day.ask("/attention", kind="failed")["lines"][0]["who"] == "s001"
            with pytest.raises(UnknownTask):
                day.ask("/tasks/4")
            with pytest.raises(IntroEvalError):
                day.order("/pause")
            before = day.ask("/gpu")["phases"]
            day.tape.seek(second)
            assert set(day.ids(open=True, order="queue")) <= {2, 4}
            assert day.ids(status="failed") == []
            assert day.ask("/tasks/2")["revision"] == 2
            assert {line["id"] for line in day.ask("/tasks", order="student")["tasks"]} == {1, 2, 3, 4}
            phases = day.ask("/gpu")["phases"]
            assert phases[0]["ended_at"] is None
            assert [phase["ended_at"] is not None for phase in phases[1:]] == [True] * (len(phases) - 1)
            assert before == phases[-len(before) :]
            status, events = day.ask("/status"), day.ask("/events/recent")
            assert day.ask("/attention")["counts"] == {"refused": 1}
            assert status["can"] == []
            assert not status["may_change"]
            assert max(event["at"] for event in events) <= status["now"]
            day.tape.ends(last=True)
            assert day.ids(order="age", status="completed") == [4, 3, 2, 1]
            assert [result["revision"] for result in day.ask("/tasks/2/results")] == [1, 2]

    await asyncio.to_thread(look)


def run_command(lab: Lab, *arguments: str) -> tuple[int, str]:
    Chosen.file = None
    done = invoke("--config", str(lab.folder / "introeval.toml"), "replay", *arguments)
    if done.exception:
        raise done.exception
    return done.exit_code, done.output


async def test_the_command_prints_one_picture_or_names_the_days_that_there_are(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    assert lab.config
    async with lab.daemon() as daemon:
        lab.hand_in("s001_me.mp4")
        await worked_off(daemon)
    code, said = await asyncio.to_thread(run_command, lab, "today", "--once")
    assert code == 0
    assert "‖ REPLAY" in said
    code, said = await asyncio.to_thread(run_command, lab, "--json")
    assert json.loads(said)["running"]
    with pytest.raises(RecordUnreadable, match=r"nothing is recorded of 2020-01-31.*; there is: 20"):
        await asyncio.to_thread(run_command, lab, "2020-01-31")
    with pytest.raises(UsageError, match="use today, yesterday or a date"):
        await asyncio.to_thread(run_command, lab, "someday")
