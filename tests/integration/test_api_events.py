"""Server-sent events over the real socket: resumed by id, beaten like a heart, and free of dead readers."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.requests import Request

from daemon.api import stream
from daemon.api.connection_limits import ReservedFor
from daemon.api.server import ControlServer, bind, make_server
from daemon.monitoring.events import Events
from tests.support.waiting import until

pytestmark = pytest.mark.anyio


@dataclass
class Reader:
    """A reader of the stream, which collects what comes."""

    path: Path
    headers: str = ""
    text: str = ""
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def __aenter__(self) -> "Reader":
        reader, self._writer = await asyncio.open_unix_connection(self.path)
        self._writer.write(f"GET /events HTTP/1.1\r\nHost: x\r\n{self.headers}\r\n".encode())
        self._tasks.append(asyncio.create_task(self._read(reader)))
        await until(lambda: ": IntroEval" in self.text)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()
        for task in self._tasks:
            task.cancel()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while part := await reader.read(65536):
            self.text += part.decode()

    @property
    def messages(self) -> list[str]:
        lines = [line for line in self.text.splitlines() if line.startswith('data: {"id"')]
        return [json.loads(line.removeprefix("data: "))["message"] for line in lines]


@asynccontextmanager
async def served(path: Path, events: Events, patience_s: float = 10.0) -> AsyncIterator[ControlServer]:
    """An application of our own on our own socket, which serves nothing but the events."""
    app = FastAPI()

    @app.get("/events")
    async def get_events(request: Request) -> stream.Stream:
        last = request.headers.get("last-event-id")
        return stream.Stream(
            events, None if last is None else int(last), heartbeat_s=0.05, patience_s=patience_s
        )

    server = make_server(app, ReservedFor(frozenset()))
    with bind(path) as listener:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield server
        finally:
            events.close()
            server.end()
            async with asyncio.timeout(10):
                await serving


@pytest.fixture
def events() -> Events:
    return Events(lambda: 1_700_000_000.0, size=50)


async def test_what_happens_comes_as_it_happens_to_every_reader(tmp_path: Path, events: Events) -> None:
    path = tmp_path / "s"
    async with served(path, events), Reader(path) as one, Reader(path) as other:
        events.add("order", "pause")
        events.add("task", "task 1 of ada is done", task_id=1, student="ada", status="completed")
        await until(lambda: one.messages == other.messages == ["pause", "task 1 of ada is done"])
        assert f"id: {events.last_id}\nevent: task\n" in one.text


async def test_a_reader_takes_up_where_it_was(tmp_path: Path, events: Events) -> None:
    path = tmp_path / "s"
    events.add("order", "seen")
    seen = events.last_id
    events.add("order", "missed")
    async with served(path, events), Reader(path, f"Last-Event-ID: {seen}\r\n") as reader:
        await until(lambda: reader.messages == ["missed"])
        events.add("order", "new")
        await until(lambda: reader.messages == ["missed", "new"])
        assert "event: reset" not in reader.text


async def test_a_reader_that_was_away_for_long_is_told_to_read_all_anew(
    tmp_path: Path, events: Events
) -> None:
    path = tmp_path / "s"
    seen = events.last_id
    for number in range(60):
        events.add("order", str(number))
    async with served(path, events), Reader(path, f"Last-Event-ID: {seen}\r\n") as reader:
        await until(lambda: f"event: reset\nid: {events.last_id}\n" in reader.text)
        events.add("order", "new")
        await until(lambda: reader.messages == ["new"])


async def test_silence_is_broken_by_heartbeats(tmp_path: Path, events: Events) -> None:
    path = tmp_path / "s"
    async with served(path, events), Reader(path) as reader:
        await until(lambda: reader.text.count("\n: \n") >= 2)


async def test_the_end_of_the_daemon_ends_the_streams_at_once(tmp_path: Path, events: Events) -> None:
    path = tmp_path / "s"
    async with served(path, events), Reader(path) as reader:
        events.close()
        await until(lambda: reader.text.endswith("\r\n0\r\n\r\n"))  # the last chunk of an answer


async def test_a_reader_that_reads_nothing_is_cut_off(tmp_path: Path, events: Events) -> None:
    path = tmp_path / "s"
    async with served(path, events, patience_s=0.2) as server, Reader(path) as alive:
        with socket.socket(socket.AF_UNIX) as dead:
            dead.connect(str(path))
            dead.sendall(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
            connections = server.server_state.connections
            await until(lambda: len(connections) == 2)
            async with asyncio.timeout(20):
                while len(connections) == 2:
                    events.add("order", "x" * 2000)
                    await asyncio.sleep(0.001)
        events.add("order", "the last")
        await until(lambda: "the last" in alive.messages[-1:])


async def test_a_server_without_requests_does_not_tick(
    tmp_path: Path, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, delays = asyncio.get_running_loop(), []
    later = loop.call_later

    def noted(delay: float, *called: Any, **named: Any) -> asyncio.TimerHandle:
        delays.append(delay)
        return later(delay, *called, **named)

    monkeypatch.setattr(loop, "call_later", noted)
    async with served(tmp_path / "s", events) as server:
        await until(lambda: server.started)
        assert 0.1 not in delays  # seconds to uvicorn's next tick
