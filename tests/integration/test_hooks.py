"""Alarms handed to a command and a webhook: once when they begin, once when they clear."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from daemon.config.records import AlertSettings
from daemon.core.alarms import KINDS, trouble
from daemon.monitoring.alarms import Alarms
from daemon.monitoring.hooks import CODE, Hooks
from daemon.monitoring.receivers import post
from tests.support.waiting import until

pytestmark = pytest.mark.anyio
NOW = 1_700_000_000.0


def writes_to(file: Path, end: str = "") -> tuple[str, ...]:
    """A command that appends what it is told to a file."""
    code = f"import sys; open({str(file)!r}, 'a').write(sys.stdin.read()); {end}"
    return (sys.executable, "-c", code)


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@asynccontextmanager
async def hooks(config: AlertSettings, **options: Any) -> AsyncIterator[Alarms]:
    alarms = Alarms(lambda: NOW)
    stop = asyncio.Event()
    running = asyncio.create_task(Hooks(config, alarms, lambda: NOW, **options).run(stop))
    try:
        yield alarms
    finally:
        stop.set()
        await running


@asynccontextmanager
async def server(*statuses: int) -> AsyncIterator[tuple[str, list[dict[str, Any]]]]:
    """A webhook that answers these statuses, then 200, and what it was told."""
    left, told = list(statuses), []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        told.append(json.loads(await reader.readexactly(length)))
        status = left.pop(0) if left else 200
        writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    async with listening:
        yield f"http://127.0.0.1:{port}/alarm", told


async def test_an_alarm_of_the_start_is_told_as_well(tmp_path: Path) -> None:
    alarms, stop = Alarms(lambda: NOW), asyncio.Event()
    alarms.set(trouble("older_database", "the outbox is ahead of the database"))
    config = AlertSettings(command=writes_to(tmp_path / "told"))
    running = asyncio.create_task(Hooks(config, alarms, lambda: NOW).run(stop))
    await until(lambda: [line["code"] for line in lines(tmp_path / "told")] == ["older_database"])
    stop.set()
    await running


async def test_a_command_is_told_once_of_the_beginning_and_once_of_the_end(tmp_path: Path) -> None:
    file = tmp_path / "told"
    async with hooks(AlertSettings(command=writes_to(file))) as alarms:
        alarms.set(trouble("outbox", "the outbox is full"))
        alarms.set(trouble("outbox", "the outbox is still full"))
        alarms.clear("outbox")
        alarms.clear("outbox")
        await until(lambda: len(lines(file)) >= 2)
        assert CODE not in [alarm.code for alarm in alarms.all]
    told = lines(file)
    assert [(line["kind"], line["code"]) for line in told] == [("alarm", "outbox"), ("cleared", "outbox")]
    assert told[0]["message"] == "the outbox is full"
    assert told[0]["affects"] == KINDS["outbox"].affects
    assert told[0]["fix"] == KINDS["outbox"].fix
    assert told[0]["since"].startswith("2023-11-14T22:13:20")


async def test_nothing_that_an_alarm_says_reaches_a_shell(tmp_path: Path) -> None:
    file, harm = tmp_path / "told", tmp_path / "harm"
    async with hooks(AlertSettings(command=writes_to(file))) as alarms:
        alarms.set(trouble("outbox", f"$(touch {harm}); `touch {harm}`"))
        await until(lambda: lines(file))
    assert not harm.exists()


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("/does/not/exist",), "cannot be started"),
        ((sys.executable, "-c", "raise SystemExit(3)"), "exit code 3"),
        ((sys.executable, "-c", "import time; time.sleep(60)"), "did not end within"),
    ],
)
async def test_a_hook_that_fails_is_one_alarm_that_is_not_handed_on(
    command: tuple[str, ...], says: str
) -> None:
    async with hooks(AlertSettings(command=command), timeout_s=0.5) as alarms:
        alarms.set(trouble("outbox", "full"))
        await until(lambda: CODE in [alarm.code for alarm in alarms.all])
        (failed,) = [alarm for alarm in alarms.all if alarm.code == CODE]
        assert says in str(failed.trouble)


async def test_a_hook_that_works_again_clears_its_alarm(tmp_path: Path) -> None:
    flag = tmp_path / "mended"
    command = (sys.executable, "-c", f"import os, sys; sys.exit(not os.path.exists({str(flag)!r}))")
    async with hooks(AlertSettings(command=command)) as alarms:
        alarms.set(trouble("outbox", "full"))
        await until(lambda: CODE in [alarm.code for alarm in alarms.all])
        flag.touch()
        alarms.clear("outbox")
        await until(lambda: not alarms.all)


async def test_a_webhook_is_tried_again_and_then_given_up() -> None:
    async with (
        server(500, 503) as (url, told),
        hooks(AlertSettings(webhook=url), pause_s=0.01) as alarms,
    ):
        alarms.set(trouble("outbox", "full"))
        await until(lambda: len(told) == 3)
        assert [line["code"] for line in told] == ["outbox"] * 3
        assert [alarm.code for alarm in alarms.all] == ["outbox"]


async def test_a_webhook_that_nobody_serves_is_an_alarm() -> None:
    async with server() as (url, _):
        pass
    async with hooks(AlertSettings(webhook=url), pause_s=0.01) as alarms:
        alarms.set(trouble("outbox", "full"))
        await until(lambda: CODE in [alarm.code for alarm in alarms.all])


async def test_of_what_is_no_http_the_alarm_repeats_nothing() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"\x1b[31mGIBBERISH" * 100 + b"\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        why = await post("the webhook", f"http://127.0.0.1:{port}/", b"{}", 5.0)
    assert why is not None
    assert "its answer is no HTTP" in why
    assert "GIBBERISH" not in why


async def test_a_slow_hook_holds_up_neither_the_alarms_nor_the_end(tmp_path: Path) -> None:
    command = (sys.executable, "-c", "import time; time.sleep(60)")
    async with asyncio.timeout(10):
        async with hooks(AlertSettings(command=command)) as alarms:
            for number in range(1000):
                alarms.set(trouble(f"outbox_blocked {number}", "x"))
            assert len(alarms.all) == 1000
            await asyncio.sleep(0.1)


async def test_what_a_command_leaves_running_is_ended_with_it(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    child = f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    code = (
        f"import subprocess, sys, time, os; subprocess.Popen([sys.executable, '-c', {child!r}])\n"
        f"while not (os.path.exists({str(pid)!r}) and open({str(pid)!r}).read()): time.sleep(0.01)"
    )
    async with hooks(AlertSettings(command=(sys.executable, "-c", code))) as alarms:
        alarms.set(trouble("outbox", "full"))
        await until(lambda: pid.exists() and pid.read_text())
        stat = Path(f"/proc/{pid.read_text()}/stat")
        await until(lambda: not stat.exists() or stat.read_text().rpartition(") ")[2].startswith("Z"))


async def test_a_command_that_became_another_users_is_an_alarm_and_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(pid: int, number: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.killpg", denied)
    sleeps = (sys.executable, "-c", "import time; time.sleep(1)")
    async with hooks(AlertSettings(command=sleeps), timeout_s=0.1) as alarms:
        alarms.set(trouble("outbox", "the outbox is full"))
        await until(lambda: CODE in [alarm.code for alarm in alarms.all])


@pytest.mark.parametrize(
    "config",
    [AlertSettings(webhook="http://xn--/"), AlertSettings(command=("/bin/sh\0x",))],
    ids=["no host name", "no program's name"],
)
async def test_what_can_be_no_webhook_and_no_command_is_an_alarm_and_ends_nothing(
    config: AlertSettings,
) -> None:
    async with hooks(config, tries=1) as alarms:
        alarms.set(trouble("outbox", "the outbox is full"))
        await until(lambda: CODE in [alarm.code for alarm in alarms.all])
