"""What the routes of a running daemon say and do, asked over its socket."""

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from daemon.contracts.values import Ticket
from daemon.contracts.wire.base import EventLine
from daemon.contracts.wire.status import DaemonStatus, GpuHistory
from daemon.contracts.wire.tasks import TaskPage
from daemon.contracts.wire.words import Order, Verb
from daemon.core.alarms import trouble
from daemon.core.errors import Blame, Fault, StoreError
from daemon.core.tasks.task import Stage
from daemon.core.timestamps import from_iso, to_iso
from daemon.store import Database, reports
from daemon.system.state_folder import DATABASE
from tests.support.inprocess import Lab, worked_off
from tests.support.waiting import until

pytestmark = pytest.mark.anyio


async def ask(lab: Lab, method: str, path: str, body: Any = None, **params: Any) -> httpx.Response:
    transport = httpx.AsyncHTTPTransport(uds=str(lab.config.paths.socket))
    async with httpx.AsyncClient(transport=transport, base_url="http://introeval", timeout=20) as client:
        return await client.request(method, path, params=params, json=body)


async def status_of(lab: Lab) -> DaemonStatus:
    return DaemonStatus.model_validate((await ask(lab, "GET", "/status")).json())


async def test_status_has_every_part(tmp_path: Path) -> None:
    lab = Lab(tmp_path, seconds={Stage.STT: 60.0}, settings={"run.stop_grace_s": 0})
    for student in ("s001", "s002"):
        lab.hand_in(f"{student}_me.mp4")
    async with lab.daemon() as daemon:
        await until(lambda: lab.log.tried(Stage.STT) and len(daemon.supervisor.tasks) == 2)
        await daemon.supervisor.ask(Verb.HOLD, 2)
        status = await status_of(lab)
        (running,) = TaskPage.model_validate((await ask(lab, "GET", "/tasks", student="s001")).json()).tasks
    assert status.may_change
    assert (status.held, status.left) == (1, 1)
    assert status.inbox is not None
    assert (status.inbox.path, status.inbox.available) == (str(lab.inbox), True)
    assert status.disk is not None
    assert 0 < status.disk.free_mb <= status.disk.total_mb
    assert [engine.stage for engine in status.engines] == ["stt", "extract", "rate"]
    assert status.clock is not None
    assert abs(from_iso(status.now) - time.time()) < 60
    assert status.switching is None
    assert running.started_at is not None
    assert running.status == "stt_processing"


async def test_a_switch_that_runs_is_shown(tmp_path: Path) -> None:
    lab = Lab(tmp_path, start_seconds=60.0)
    lab.hand_in("s001_me.mp4")
    async with lab.daemon() as daemon:
        await until(lambda: daemon.supervisor.view.phase.switching)
        switching = (await status_of(lab)).switching
    assert switching is not None
    assert switching.to == ["stt"]


async def test_the_orders_of_the_socket_are_carried_out(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    at = to_iso(1_900_000_000.0)
    async with lab.daemon() as daemon:
        assert (await ask(lab, "POST", "/pause", now="true")).json()["paused"]
        assert (await ask(lab, "POST", "/drain")).json()["draining"]
        answer = (await ask(lab, "POST", "/resume")).json()
        assert (answer["paused"], answer["draining"]) == (False, False)
        assert (await ask(lab, "POST", "/go")).status_code == 200
        assert (await ask(lab, "POST", "/deadline", {"at": at})).status_code == 200
        set_to = daemon.supervisor.orders.deadline
        assert (await ask(lab, "POST", "/deadline", {"at": None})).status_code == 200
        assert (set_to, daemon.supervisor.orders.deadline) == (1_900_000_000.0, None)
        told = [event.message for event in daemon.events.recent(20) if event.kind == "order"]
    assert told[:3] == ["pause now", "drain", "resume"]
    assert "go" not in told, "nothing waits for more uploads, so it changes nothing"


async def test_who_is_no_operator_reads_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.app.run.operators", lambda name: lambda uid: False)
    lab = Lab(tmp_path)
    lab.hand_in("s001_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        status = await status_of(lab)
        assert (status.may_change, status.can) == (False, [])
        tasks = ("/tasks/1/retry", "/tasks/1/deliver")
        for path in (
            "/pause",
            "/drain",
            "/deadline",
            *tasks,
            "/forget/s001",
            "/accept/outbox",
            "/fairness/accept",
            "/attention/task:1/acknowledge",
        ):
            refused = await ask(lab, "POST", path, {"at": None})
            assert (refused.status_code, refused.json()["error"]) == (403, "NotAllowed"), path
        assert not daemon.supervisor.orders.paused
    assert len(lab.results()) == 1


async def test_tasks_are_found_ordered_and_counted(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    for student in ("zoe", "ada", "ben"):
        lab.hand_in(f"{student}_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        await daemon.supervisor.order(Order.PAUSE)
        lab.hand_in("adam_second.mp4")
        await until(lambda: daemon.supervisor.tasks)

        async def students(**params: Any) -> list[str]:
            page = TaskPage.model_validate((await ask(lab, "GET", "/tasks", **params)).json())
            return [line.student for line in page.tasks]

        assert await students(open="true") == ["adam"]
        assert (await students(order="queue"))[0] == "adam"
        assert await students(order="student") == ["ada", "adam", "ben", "zoe"]
        assert await students(order="student", descending="true", limit=2) == ["zoe", "ben"]
        assert sorted(await students(q="ADA")) == ["ada", "adam"]
        assert await students(q="second", status=["completed"]) == []


async def test_the_last_events_and_the_last_phases_are_given(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.hand_in("s001_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        daemon.alarms.set(trouble("hook", "something is wrong"))
        daemon.alarms.clear("hook")
        events = [EventLine.model_validate(line) for line in (await ask(lab, "GET", "/events/recent")).json()]
        history = GpuHistory.model_validate((await ask(lab, "GET", "/gpu")).json())
    kinds = {event.kind for event in events}
    assert kinds == {"task", "phase", "alarm", "cleared"}
    assert [event.id for event in events] == sorted(event.id for event in events)
    done = [event for event in events if event.status == "completed"]
    assert [(event.task_id, event.student) for event in done] == [(1, "s001")]
    groups = [span.group for span in history.phases]
    assert groups[:2] == [["extract", "rate"], ["stt"]]
    assert history.phases[1].switch_s is not None


async def test_logs_are_read_from_the_end_and_by_task(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    folder = lab.config.paths.state / "log"
    folder.mkdir(parents=True)
    said = [
        {"timestamp": "2026-03-04T10:00:00Z", "level": "info", "event": f"e{n}", "task": n % 3}
        for n in range(20_000)
    ]
    (folder / "daemon.log").write_text("".join(json.dumps(line) + "\n" for line in said))
    (folder / "rate.log").write_bytes(b"plain \x1b[31m text\nsecond \xff line\n")
    async with lab.daemon():
        last = (await ask(lab, "GET", "/logs", lines=2)).json()
        mine = (await ask(lab, "GET", "/logs", task_id=1, lines=3)).json()
        plain = (await ask(lab, "GET", "/logs", source="rate")).json()
        none = (await ask(lab, "GET", "/logs", source="stt")).json()
    assert [line["text"] for line in last] == ["e19998 task=0", "e19999 task=1"]
    assert [line["text"] for line in mine] == ["e19993 task=1", "e19996 task=1", "e19999 task=1"]
    assert mine[0]["at"] == "2026-03-04T10:00:00Z"
    assert [line["text"] for line in plain] == ["plain \\x1b[31m text", "second \ufffd line"]
    assert none == []


async def test_metrics_are_prometheus_and_count_what_happened(tmp_path: Path) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    def script(stage: Stage, ticket: Ticket) -> Fault | None:
        is_bad = ticket.task_id == 1 and stage is Stage.STT
        return Fault(Blame.PERMANENT, "bad", "it is bad") if is_bad else None

    lab = Lab(tmp_path, script=script)
    for student in ("s001", "s002"):
        lab.hand_in(f"{student}_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        daemon.alarms.set(trouble("intake_no_right /x/y.mp4", "it cannot be taken"))
        answer = await ask(lab, "GET", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    assert found["introeval_tasks_ended_total", "completed"] == 1
    assert found["introeval_tasks_ended_total", "failed"] == 1
    assert found["introeval_tasks", "completed"] == 1
    assert found["introeval_faults_total", "permanent", "stt"] == 1
    assert found["introeval_try_seconds_count", "rate"] == 1
    assert found["introeval_switch_seconds_count", "stt"] >= 1
    assert found["introeval_alarm", "intake_no_right"] == 1
    assert found[("introeval_paused",)] == 0


async def test_a_student_is_forgotten_wherever_there_is_something_of_hers(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    # No claim's id, which is hexadecimal, has this name in it by chance.
    for name in ("zoe_me.mp4", "zoe_second.mp4", "ben_me.mp4"):
        lab.hand_in(name)
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        lab.hand_in("zoe_me.mp4")  # the same again: refused
        await worked_off(daemon)
        state = lab.config.paths.state
        assert len(list((state / "rejected").iterdir())) == 1
        answer = await ask(lab, "POST", "/forget/zoe")
        assert answer.json() == {"student": "zoe", "tasks": 2, "files": 8, "copies": 0, "left": []}
        again = await ask(lab, "POST", "/forget/zoe")
        assert (again.status_code, again.json()["error"]) == (404, "UnknownStudent")
        left = [p for root in (state / "archive", state / "rejected", lab.outbox) for p in root.rglob("*")]
        assert not [path for path in left if "zoe" in path.name]
        assert not list((state / "rejected").iterdir())
        events = (await ask(lab, "GET", "/events/recent")).text
        everything = (await ask(lab, "GET", "/tasks")).text
    assert "zoe" not in events + everything
    assert [result["student_id"] for result in lab.results().values()] == ["ben"]
    for file in state.glob(f"{DATABASE}*"):
        assert b"zoe" not in file.read_bytes(), file


async def test_a_student_with_an_open_task_is_not_forgotten(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    async with lab.daemon() as daemon:
        await daemon.supervisor.order(Order.PAUSE)
        lab.hand_in("zoe_me.mp4")
        await until(lambda: daemon.supervisor.tasks)
        answer = await ask(lab, "POST", "/forget/zoe")
        assert answer.status_code == 409
        assert "cancel" in answer.json()["message"]
        await daemon.supervisor.order(Order.RESUME)
        await worked_off(daemon)
    assert len(lab.results()) == 1


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00\xff" * 100 + b"\r\n\r\n",
        b"GET /status HTTP/9.9\r\n\r\n",
        b"GET " + b"/x" * 200_000 + b" HTTP/1.1\r\n\r\n",
        b"GET /status HTTP/1.1\r\n" + b"X-A: b\r\n" * 50_000 + b"\r\n",
        b"POST /deadline HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n" + b"x" * 100_000,
    ],
    ids=["garbage", "no such version", "long path", "many headers", "huge body"],
)
async def test_what_is_no_request_harms_nobody(tmp_path: Path, sent: bytes) -> None:
    lab = Lab(tmp_path)
    async with lab.daemon() as daemon:
        with socket.socket(socket.AF_UNIX) as hostile:
            hostile.connect(str(lab.config.paths.socket))
            hostile.setblocking(False)
            with contextlib.suppress(BlockingIOError, BrokenPipeError):
                hostile.send(sent)
            lab.hand_in("s001_me.mp4")
            await worked_off(daemon)
            assert (await ask(lab, "GET", "/healthz")).json() == {"status": "ok"}


async def test_a_body_without_a_length_or_of_any_length_is_refused(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    async with lab.daemon() as daemon:
        too_long = await ask(lab, "POST", "/deadline", {"at": "x" * 5_000_000})
        assert (too_long.status_code, too_long.json()["error"]) == (413, "WrongRequest")
        transport = httpx.AsyncHTTPTransport(uds=str(lab.config.paths.socket))

        async def endless() -> AsyncIterator[bytes]:
            yield b"x"

        async with httpx.AsyncClient(transport=transport, base_url="http://introeval") as client:
            assert (await client.post("/pause", content=endless())).status_code == 411
        assert not daemon.supervisor.orders.paused


async def test_a_database_that_cannot_be_read_is_a_problem_that_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(db: Database) -> None:
        raise StoreError("the database cannot be read: disk I/O error; see the log")

    lab = Lab(tmp_path)
    async with lab.daemon():
        with monkeypatch.context() as patched:
            patched.setattr(reports, "counts", broken)
            answers = [await ask(lab, "GET", path) for path in ("/status", "/healthz", "/metrics")]
        assert [answer.status_code for answer in answers] == [503] * 3
        assert {answer.json()["error"] for answer in answers} == {"StoreError"}
        assert (await ask(lab, "GET", "/status")).status_code == 200


async def test_more_connections_than_anyone_needs_are_refused_and_harm_nothing(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    async with lab.daemon() as daemon:
        with contextlib.ExitStack() as opened:
            for number in range(250):
                one = opened.enter_context(socket.socket(socket.AF_UNIX))
                one.settimeout(5)
                one.connect(str(lab.config.paths.socket))
                if number % 25 == 0:
                    await asyncio.sleep(0.01)
            refused = await ask(lab, "GET", "/healthz")
            assert refused.status_code == 503
            lab.hand_in("s001_me.mp4")
            await worked_off(daemon)
        await until_healthy(lab)
    assert len(lab.results()) == 1


async def until_healthy(lab: Lab) -> None:
    """Wait until the daemon answers again."""
    async with asyncio.timeout(20):
        while (await ask(lab, "GET", "/healthz")).status_code != 200:
            await asyncio.sleep(0.02)
