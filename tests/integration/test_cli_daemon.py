"""The commands against a running daemon: what they change, what they print, and how they end."""

import asyncio
import json
import signal
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from daemon.cli import watching
from daemon.cli.common import Chosen
from daemon.contracts.values import Ticket
from daemon.contracts.wire.words import Order
from daemon.core.alarms import trouble
from daemon.core.errors import (
    Blame,
    Fault,
    IllegalTransition,
    IntroEvalError,
    NotRunning,
    UnknownStudent,
    UsageError,
)
from daemon.core.tasks.task import Stage
from daemon.store import audit
from daemon.system.state_folder import owned
from tests.support.commands import Ended, invoke
from tests.support.inprocess import Lab, worked_off
from tests.support.waiting import until

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("own_output")]
REPOSITORY = Path(__file__).resolve().parents[2]


async def run(lab: Lab, *arguments: str, typed: str = "") -> Ended:
    Chosen.file = lab.folder / "introeval.toml"
    return await asyncio.to_thread(invoke, *arguments, typed=typed)


async def told(lab: Lab, *arguments: str) -> Any:
    """What a command says with --json; it must end well."""
    done = await run(lab, *arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@dataclass
class Process:
    """A command as a process of its own that has ended."""

    code: int | None
    out: str
    err: str


async def process(lab: Lab, *arguments: str) -> Process:
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "daemon", "--config", str(lab.folder / "introeval.toml"), *arguments),
        cwd=REPOSITORY,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await child.communicate()
    return Process(child.returncode, out.decode(), err.decode())


def fails_twice() -> Any:
    """A script in which the first tasks fail at rating, until `mended` is set."""

    class Script:
        mended = False

        def __call__(self, stage: Stage, ticket: Ticket) -> Fault | None:
            bad = stage is Stage.RATE and ticket.task_id <= 2 and not self.mended
            return Fault(Blame.PERMANENT, "hopeless", "it cannot be rated") if bad else None

    return Script()


async def test_every_failed_task_is_taken_up_again_with_one_command(tmp_path: Path) -> None:
    script = fails_twice()
    lab = Lab(tmp_path, script=script)
    for student in ("s001", "s002", "s003"):
        lab.hand_in(f"{student}_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        script.mended = True
        again = await told(lab, "retry", "--failed")
        assert sorted(task["id"] for task in again) == [1, 2]
        await worked_off(daemon)
        assert await told(lab, "retry", "--failed") == []
        counts = (await told(lab, "status"))["counts"]
    assert counts["completed"] == 3


async def test_of_several_tasks_the_possible_is_done_and_the_rest_is_told(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    async with lab.daemon() as daemon:
        await daemon.supervisor.order(Order.PAUSE)
        for student in ("s001", "s002"):
            lab.hand_in(f"{student}_me.mp4")
        await until(lambda: len(daemon.supervisor.tasks) == 2)
        assert [task["held"] for task in await told(lab, "hold", "1", "2")] == [True, True]
        assert [task["held"] for task in await told(lab, "release", "1", "2")] == [False, False]
        assert [task["status"] for task in await told(lab, "cancel", "1")] == ["cancelled"]
        partly = await run(lab, "cancel", "1", "2")
        assert isinstance(partly.exception, IllegalTransition)
        assert not daemon.supervisor.tasks


async def test_a_task_is_put_first_and_back_and_the_audit_says_by_whom(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    async with lab.daemon() as daemon:
        await daemon.supervisor.order(Order.PAUSE)
        for student in ("s001", "s002", "s003"):
            lab.hand_in(f"{student}_me.mp4")
        await until(lambda: len(daemon.supervisor.tasks) == 3)
        assert [task["first"] for task in await told(lab, "next", "2", "3")] == [True, True]
        assert isinstance((await run(lab, "next", "3")).exception, IllegalTransition)
        assert [task["first"] for task in await told(lab, "next", "--undo", "2")] == [False]
        queue = await told(lab, "tasks", "--order", "queue")
        assert queue["tasks"][0]["id"] == 3
        await daemon.supervisor.order(Order.RESUME)
        await worked_off(daemon)
        audited = [entry.what for entry in await daemon.session(audit.entries)]
    assert [lab.log.tried(stage)[0] for stage in Stage] == [3, 3, 3]
    assert [what for what in audited if what in ("next", "in_turn")] == ["next", "next", "in_turn"]


async def test_a_result_is_delivered_again(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.hand_in("s001_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        (name,) = lab.results()
        (lab.outbox / name).unlink()
        await told(lab, "deliver", "1")
        await until(lambda: (lab.outbox / name).exists())


async def test_pause_drain_deadline_and_resume_are_commands(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    async with lab.daemon() as daemon:
        assert (await told(lab, "pause", "--now"))["paused"]
        assert (await told(lab, "drain"))["draining"]
        assert (await told(lab, "go"))["paused"]
        resumed = await told(lab, "resume")
        assert (resumed["paused"], resumed["draining"]) == (False, False)
        await told(lab, "deadline", "+15m")
        at = daemon.supervisor.orders.deadline
        await told(lab, "deadline", "none")
        off = daemon.supervisor.orders.deadline
        wrong = await run(lab, "deadline", "soon")
    assert at is not None
    assert abs(at - datetime.now().astimezone().timestamp() - 900) < 60
    assert off is None
    assert wrong.exit_code == UsageError.exit_code


async def test_the_plain_status_says_everything_in_sentences(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.hand_in("s001_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        daemon.alarms.set(trouble("outbox", "the outbox is full"))
        await daemon.supervisor.order(Order.PAUSE)
        lines = (await run(lab, "status", "--plain")).stdout.splitlines()
        short = (await run(lab, "status")).stdout
    assert all(line.endswith(".") for line in lines), lines
    for expected in ("Alarms: 1.", "Paused by the operator.", "Tasks completed: 1.", "GPU: "):
        assert any(expected in line for line in lines), expected
    assert any("the outbox is full." in line for line in lines)
    assert any("To do: free space on its disk, or let the daemon write there." in line for line in lines)
    assert "tasks: 1 done" in short
    assert "paused" in short


async def test_tasks_are_listed_found_and_paged(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    for student in ("zoe", "ada", "ben"):
        lab.hand_in(f"{student}_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        page = await told(lab, "tasks", "--order", "student", "--limit", "2")
        found = await told(lab, "tasks", "--find", "ZO")
        table = (await run(lab, "tasks", "--limit", "1")).stdout
    assert (page["total"], [task["student"] for task in page["tasks"]]) == (3, ["ada", "ben"])
    assert [task["student"] for task in found["tasks"]] == ["zoe"]
    assert len(table.splitlines()) == 2, "its head and one task"
    offline = await told(lab, "tasks", "--order", "student")
    assert [task["student"] for task in offline["tasks"]] == ["ada", "ben", "zoe"]


async def test_refused_files_are_counted_and_listed_with_their_reasons(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    for name in ("s001_notes.txt", "s002_me.docx"):
        lab.hand_in(name)
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        counted = await run(lab, "status")
        listed = await run(lab, "tasks", "--refused")
        lines = await told(lab, "tasks", "--refused")
    for said in (counted, await run(lab, "status")):
        assert "2 files were refused in the last 24 h; see: introeval tasks --refused" in said.stdout
    assert sorted(line["filename"] for line in lines) == ["s001_notes.txt", "s002_me.docx"]
    for line in lines:
        assert line["reason"] in " ".join(listed.stdout.split()), "whole, however wide the terminal is"
        assert (lab.outbox / line["document"]).exists()
    assert await told(lab, "tasks", "--refused") == lines


async def test_what_happened_is_told_line_by_line(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.hand_in("s001_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        done = await run(lab, "events", "--json")
        events = [json.loads(line) for line in done.stdout.splitlines()]
        plain = (await run(lab, "events", "--limit", "3")).stdout.splitlines()
    assert any(event["status"] == "completed" and event["student"] == "s001" for event in events)
    assert len(plain) == 3


async def test_the_events_of_before_a_restart_are_told_once(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.hand_in("s001_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        before = daemon.events.recent(100)
    async with lab.daemon() as daemon:
        await daemon.supervisor.order(Order.PAUSE)
        told_now = (await run(lab, "events", "--json")).stdout.splitlines()
        missed = daemon.events.after(before[0].id)
    ids = [json.loads(line)["id"] for line in told_now]
    assert ids == sorted(set(ids))
    assert set(ids) >= {event.id for event in before}
    assert missed is not None
    assert missed[: len(before) - 1] == before[1:]
    assert (await run(lab, "forget", "s001", "--yes")).exit_code == 0
    left = (await run(lab, "events", "--json", "--day", "today")).stdout.splitlines()
    assert [json.loads(line)["id"] for line in left] != []
    assert not any("s001" in line for line in left)


async def test_the_events_of_a_day_are_told_by_the_daemon_and_by_its_database(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.hand_in("s001_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        recent = [event.id for event in daemon.events.recent(1000)]
        running = await run(lab, "events", "--json", "--day", "today")
    stopped = await run(lab, "events", "--json", "--day", "today", "--since", "00:00")
    assert {json.loads(line)["id"] for line in running.stdout.splitlines()} >= set(recent)
    assert {json.loads(line)["id"] for line in stopped.stdout.splitlines()} >= set(recent)
    assert (await run(lab, "events", "--day", "yesterday")).stdout == ""
    assert (await run(lab, "events", "--day", "someday")).exit_code == UsageError.exit_code
    assert "use a form such as 10:45" in (await run(lab, "events", "--since", "noon")).output


async def test_following_the_events_goes_on_over_a_restart_of_the_daemon(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    arguments = ("--config", str(lab.folder / "introeval.toml"), "events", "--follow", "--json")
    async with lab.daemon():
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "daemon", *arguments),
            cwd=REPOSITORY,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        seen: list[str] = []

        async def read() -> None:
            assert child.stdout is not None
            while line := await child.stdout.readline():
                seen.append(json.loads(line)["message"])

        reading = asyncio.create_task(read())
        try:
            await _repeat_until(lab, Order.PAUSE, lambda: "pause" in seen)
        except BaseException:
            child.kill()
            raise
    try:
        async with lab.daemon():
            await _repeat_until(lab, Order.DRAIN, lambda: "drain" in seen)
    finally:
        child.kill()
        await child.wait()
        await reading


async def _repeat_until(lab: Lab, order: Order, condition: Any) -> None:
    """Give an order and take it back, until then: the command says nothing before there is an event."""
    async with asyncio.timeout(30):
        while not condition():
            await told(lab, order.value)
            await told(lab, Order.RESUME.value)
            await asyncio.sleep(0.2)


async def test_wait_ends_with_3_when_a_task_of_the_class_failed_and_with_0_else(tmp_path: Path) -> None:
    script = fails_twice()
    lab = Lab(tmp_path, script=script, seconds={Stage.STT: 0.5})
    lab.hand_in("s001_me.mp4")
    async with lab.daemon() as daemon:
        await until(lambda: daemon.supervisor.tasks)
        failed = await process(lab, "wait")
        assert failed.code == 3, failed.err
        assert not daemon.supervisor.tasks
        script.mended = True
        lab.hand_in("s002_me.mp4")
        well = await process(lab, "wait", "--json")
        assert well.code == 0, well.err
        assert json.loads(well.out)["counts"]["completed"] == 1
        assert daemon.idle


async def test_wait_ends_with_2_and_a_reason_while_files_are_not_claimed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_GRACE_S", 0.5)
    monkeypatch.setattr(watching, "LOOK_S", 0.1)
    lab = Lab(tmp_path)
    async with lab.daemon() as daemon:
        lab.hand_in("s001_me.mp4", "")
        await until(lambda: daemon.intake.waiting)
        empty = await run(lab, "wait")
        assert (empty.exit_code, empty.stdout) == (2, ""), empty.output
        told = " ".join(empty.stderr.split())  # wrapped where COLUMNS is set
        assert told.startswith("1 file in the inbox is not claimed: ")
        assert told.endswith("; see: introeval status")
        assert (await run(lab, "drain")).exit_code == 0
        lab.hand_in("s002_me.mp4")
        await until(lambda: daemon.intake.waiting == 2)
        drained = await run(lab, "wait")
        assert drained.exit_code == 2, drained.output
        assert " ".join(drained.stderr.split()) == (
            "2 files in the inbox are not claimed, since a drain was ordered; "
            "to have them claimed, run: introeval resume"
        )


async def test_rating_all_anew_shows_what_changed_and_so_does_a_comparison_without_a_daemon(
    tmp_path: Path,
) -> None:
    lab = Lab(tmp_path)
    for student in ("s001", "s002"):
        lab.hand_in(f"{student}_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        done = await process(lab, "rate", "--all", "--json")
        assert done.code == 0, done.err
        lab.hand_in("s003_me.mp4")
        await worked_off(daemon)
        compared = await told(lab, "compare", "--all")
    assert compared == json.loads(done.out)
    assert [(each["id"], each["revision"], each["changed"]) for each in compared["tasks"]] == [
        (1, 2, []),
        (2, 2, []),
    ]
    assert {each["n"] for each in compared["criteria"]} == {2}
    assert len(lab.results()) == 5
    assert await told(lab, "compare", "--all") == compared
    assert (await told(lab, "compare", "3", "2", "--revisions", "2", "1"))["lacking"] == [3]
    text = await run(lab, "compare", "2")
    assert "2  s002  1 > 2  nothing changed" in text.output
    assert "overall_rating     +0.00  (7.20 > 7.20)  0 of 1 changed" in text.output
    assert (await run(lab, "compare")).exit_code == UsageError.exit_code


async def test_rating_all_anew_leaves_what_people_have_decided(tmp_path: Path) -> None:
    script = fails_twice()
    lab = Lab(tmp_path, script=script)
    lab.hand_in("s001_me.mp4")
    scores = [word for each in ("overall", "clarity", "content", "confidence") for word in (f"--{each}", "3")]
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        script.mended = True
        for student in ("s002", "s003"):
            lab.hand_in(f"{student}_me.mp4")
        await worked_off(daemon)
        for task_id in ("1", "2"):
            decided = await process(lab, "decide", task_id, "--by", "Dr. Roe", "--reason", "seen", *scores)
            assert decided.code == 0, decided.err
        done = await process(lab, "rate", "--all", "--json")
        assert done.code == 0, done.err
        assert "1 is left as a person has decided; to rate one again all the same" in done.err
        assert [each["id"] for each in json.loads(done.out)["tasks"]] == [3]
        assert (await told(lab, "task", "2"))["decided_by"] == "Dr. Roe"


@pytest.mark.parametrize(("form", "paused"), [("--json", b'"paused":true'), ("--plain", b"Paused by")])
async def test_a_watched_status_is_shown_again_when_it_changes_and_ends_with_ctrl_c(
    tmp_path: Path, form: str, paused: bytes
) -> None:
    lab = Lab(tmp_path)
    async with lab.daemon() as daemon:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "daemon", "--config", str(lab.folder / "introeval.toml")),
            *("status", "--watch", form),
            cwd=REPOSITORY,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert child.stdout is not None
        try:
            async with asyncio.timeout(30):
                await child.stdout.readline()
                await daemon.supervisor.order(Order.PAUSE)
                while paused not in await child.stdout.readline():
                    pass
                child.send_signal(signal.SIGINT)
                assert await child.wait() == 0
        finally:
            if child.returncode is None:
                child.kill()


async def test_forgetting_asks_first_and_needs_no_daemon(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    for student in ("ada", "ben", "cleo"):
        lab.hand_in(f"{student}_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        refused = await run(lab, "forget", "ada", typed="n\n")
        assert refused.exit_code == 1
        assert len(lab.results()) == 3
        assert (await run(lab, "forget", "ada", typed="y\n")).exit_code == 0
        assert (await told(lab, "forget", "ben", "--yes"))["tasks"] == 1
        again = await run(lab, "forget", "ben", "--yes")
        assert isinstance(again.exception, UnknownStudent)
    gone = await told(lab, "forget", "cleo", "--yes")
    assert (gone["tasks"], gone["files"]) == (1, 3)
    assert not lab.results()
    with owned(lab.config.paths.state):
        assert isinstance((await run(lab, "forget", "cleo", "--yes")).exception, IntroEvalError)


async def test_logs_are_shown_with_and_without_a_daemon(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    log = lab.config.paths.state / "log" / "daemon.log"
    log.parent.mkdir(parents=True)
    log.write_text('{"event": "began", "task": 1}\n{"event": "ended", "task": 2}\n')
    async with lab.daemon():
        assert [line["text"] for line in await told(lab, "logs", "--task", "2")] == ["ended task=2"]
    assert (await run(lab, "logs")).stdout.splitlines() == ["began task=1", "ended task=2"]


async def test_without_a_daemon_what_changes_says_how_to_start_one(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    assert lab.config
    for arguments in (("pause",), ("retry", "1"), ("wait",), ("events",), ("forget", "ada", "--yes")):
        done = await run(lab, *arguments)
        assert isinstance(done.exception, NotRunning), arguments
        assert "introeval run" in str(done.exception)


async def test_the_rating_stands_in_the_list_with_and_without_a_daemon(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.hand_in("s001_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        answers = [await told(lab, "tasks"), await told(lab, "task", "1")]
        listed = (await run(lab, "tasks")).stdout
    answers += [await told(lab, "tasks"), await told(lab, "task", "1")]
    assert [(each["tasks"][0] if "tasks" in each else each)["rating"] for each in answers] == [7] * 4
    assert "evaluated 7/10" in listed
