"""The control socket of a running daemon, asked as any tool would ask it."""

import json
import os
import socket
import stat
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from daemon.api.server import bind
from daemon.contracts.wire.status import DaemonStatus as StatusAnswer
from daemon.contracts.wire.tasks import TaskDetail, TaskPage
from daemon.core.errors import AlreadyRunning, ConfigError
from daemon.core.tasks.task import Stage, Status
from tests.support.inprocess import Lab, worked_off
from tests.support.waiting import until

pytestmark = pytest.mark.anyio


async def ask(lab: Lab, path: str, **params: Any) -> httpx.Response:
    transport = httpx.AsyncHTTPTransport(uds=str(lab.config.paths.socket))
    async with httpx.AsyncClient(transport=transport, base_url="http://introeval") as client:
        return await client.get(path, params=params)


async def page(lab: Lab, **params: Any) -> TaskPage:
    return TaskPage.model_validate((await ask(lab, "/tasks", **params)).json())


async def test_status_says_what_runs(tmp_path: Path) -> None:
    lab = Lab(tmp_path, seconds={Stage.STT: 5.0}, settings={"run.stop_grace_s": 0})
    lab.hand_in("s001_me.mp4")
    lab.hand_in("s002_me.mp4")
    async with lab.daemon() as daemon:
        await until(lambda: lab.log.tried(Stage.STT))
        await until(lambda: len(daemon.supervisor.tasks) == 2)
        answer = StatusAnswer.model_validate((await ask(lab, "/status")).json())
    assert (answer.running, answer.pid, answer.phase, answer.group) == (True, os.getpid(), "stt", ["stt"])
    assert answer.counts["stt_processing"] == 1
    assert answer.batch is not None
    assert answer.batch.done == 0


async def test_tasks_are_listed_filtered_and_paged(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    for number in range(5):
        lab.hand_in(f"s{number}_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        everything = await page(lab)
        first = await page(lab, limit=2)
        rest = await page(lab, before=first.tasks[-1].id)
        last = await page(lab, offset=3, limit=2)
        one = await page(lab, student="s3")
        none = await page(lab, status=[Status.FAILED])
    assert [line.id for line in everything.tasks] == [5, 4, 3, 2, 1]
    assert [line.id for line in first.tasks + rest.tasks] == [5, 4, 3, 2, 1]
    assert [line.id for line in last.tasks] == [2, 1]
    assert [line.student for line in one.tasks] == ["s3"]
    assert [everything.total, first.total, last.total, one.total, none.total] == [5, 5, 5, 1, 0]


async def test_a_task_has_its_history_and_its_files(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.hand_in("s001_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        detail = TaskDetail.model_validate((await ask(lab, "/tasks/1")).json())
        stages = (await ask(lab, "/tasks/1/stages")).json()
        missing = await ask(lab, "/tasks/2/stages")
    assert stages["transcript"]["text"]
    assert set(stages) == {"transcript", "speaking", "profile"}
    assert missing.status_code == 404
    assert [line.event for line in detail.history if line.seconds is not None] == [
        "transcribed",
        "extracted",
        "rated",
    ]
    assert [document.kind for document in detail.documents] == ["receipt", "result"]
    assert all(document.delivered_at for document in detail.documents)


async def test_without_other_machines_none_is_listed_and_none_can_drain(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    async with lab.daemon():
        listed = await ask(lab, "/nodes")
        transport = httpx.AsyncHTTPTransport(uds=str(lab.config.paths.socket))
        async with httpx.AsyncClient(transport=transport, base_url="http://introeval") as client:
            refused = await client.post("/nodes/r12/drain")
    assert (listed.status_code, listed.json()) == (200, [])
    assert (refused.status_code, refused.json()["error"]) == (409, "IllegalTransition")
    assert "no machine 'r12' has joined" in refused.text


async def test_what_is_not_there_is_a_problem_that_says_so(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    async with lab.daemon():
        unknown = await ask(lab, "/tasks/7")
        wrong = await ask(lab, "/tasks", limit=0)
        healthy = await ask(lab, "/healthz")
        described = await ask(lab, "/openapi.json")
    assert (unknown.status_code, unknown.json()["error"]) == (404, "UnknownTask")
    assert wrong.status_code == 422
    assert healthy.json() == {"status": "ok"}
    one = {"/tasks/{task_id}", "/tasks/{task_id}/results", "/tasks/{task_id}/stages"}
    one |= {"/tasks/{task_id}/{verb}"}
    reading = {"/healthz", "/status", "/tasks", "/gpu", "/refused", "/attention", "/logs", "/metrics"}
    reading |= {"/events", "/events/recent", "/events/kept"}
    changing = {
        "/accept/{place}",
        "/deadline",
        "/fairness/accept",
        *("/calibrations", "/calibrations/tasks", "/calibrations/{number}/apply", "/calibrations/remove"),
        *("/canary", "/canary/accept", "/canary/run"),
        *("/nodes", "/nodes/{name}/drain"),
        *(
            "/classes",
            "/classes/{name}",
            "/classes/close",
            "/classes/{name}/roster",
            "/classes/{name}/release",
            "/classes/{name}/review",
        ),
        *("/tasks/{task_id}/decide", "/tasks/{task_id}/decide/undo"),
        "/forget/{student}",
        "/{order}",
        "/attention/{key}/acknowledge",
    }
    assert set(described.json()["paths"]) == one | reading | changing


async def test_the_socket_is_for_the_owner_and_the_group(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    async with lab.daemon():
        mode = stat.S_IMODE(lab.config.paths.socket.stat().st_mode)
    assert mode == 0o660
    assert not lab.config.paths.socket.exists()


def test_the_socket_of_a_crashed_daemon_is_replaced_and_that_of_a_running_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "introeval.sock"
    with bind(path), pytest.raises(AlreadyRunning):
        bind(path)
    assert path.exists()
    with bind(path), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_a_path_that_is_too_long_for_a_socket_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"set paths\.socket"):
        bind(tmp_path / ("x" * 120) / "introeval.sock")


async def test_a_request_that_is_read_slowly_does_not_hold_up_the_work(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    async with lab.daemon() as daemon, await anyio.connect_unix(lab.config.paths.socket) as slow:
        await slow.send(b"GET /status HTTP/1.1\r\nHost: x\r\n")
        lab.hand_in("s001_me.mp4")
        await worked_off(daemon)
    assert len(lab.results()) == 1


async def test_names_with_markup_come_through_as_they_are(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    name = "s001_[red]x[b]\x1b[31m.mp4"
    lab.hand_in(name)
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        (line,) = (await ask(lab, "/tasks")).json()["tasks"]
    assert line["filename"] == "s001_[red]x[b]\\x1b[31m.mp4"
    assert json.loads(json.dumps(line)) == line
