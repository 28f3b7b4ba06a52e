"""The daemon under systemd's eyes, with a socket in the place of systemd: start, watchdog, reload, stop."""

import asyncio
import contextlib
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from daemon.api import client
from daemon.cli import serve
from daemon.config.load import Config, load
from daemon.monitoring.alarms import Alarms
from daemon.system.systemd import Notifier, ProgressWatch, Pulse, feed
from tests.support.checkout import SAMPLES
from tests.support.process_lab import ProcessLab
from tests.support.waiting import until

LIMIT_S = 30.0


class Listener:
    """Systemd's end of the notify socket."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + name[1:] if name.startswith("@") else name)
        self._socket.settimeout(LIMIT_S)

    def next(self, which: str) -> dict[str, str]:
        """The next message that holds the field `which`."""
        while True:
            lines = self._socket.recv(4096).decode().splitlines()
            fields = dict(line.split("=", 1) for line in lines)
            if which in fields:
                return fields

    def waiting(self) -> list[dict[str, str]]:
        """What lies there unread."""
        self._socket.setblocking(False)
        found: list[dict[str, str]] = []
        while True:
            try:
                lines = self._socket.recv(4096).decode().splitlines()
            except BlockingIOError:
                self._socket.settimeout(LIMIT_S)
                return found
            found.append(dict(line.split("=", 1) for line in lines))

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def listener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Listener]:
    abstract = f"@introeval-test-{os.getpid()}"
    listener = Listener(abstract if request.param == "abstract" else str(tmp_path / "notify"))
    yield listener
    listener.close()


def notifier(listener: Listener, watchdog_us: int = 30_000) -> Notifier:
    environ = {"NOTIFY_SOCKET": listener.name, "WATCHDOG_USEC": str(watchdog_us)}
    return Notifier(environ, os.getpid())


def test_what_is_said_arrives(listener: Listener) -> None:
    told = notifier(listener)
    told.ready("at rest")
    told.reloading()
    told.stopping(80)
    ready, reloading, stopping = listener.waiting()
    assert ready == {"READY": "1", "STATUS": "at rest"}
    assert reloading["RELOADING"] == "1"
    assert int(reloading["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
    assert (stopping["STOPPING"], stopping["EXTEND_TIMEOUT_USEC"]) == ("1", "80000000")


def test_what_comes_only_once_waits_for_room_and_the_watchdog_does_not(listener: Listener) -> None:
    told = notifier(listener)
    for _ in range(1000):
        told.alive("")
    held = listener.waiting()
    assert 0 < len(held) < 1000
    for _ in held:
        told.alive("")
    reading = threading.Timer(0.1, lambda: found.append(listener.next("READY")))
    found: list[dict[str, str]] = []
    reading.start()
    told.ready("at rest")
    reading.join()
    assert found == [{"READY": "1", "STATUS": "at rest"}]


def test_without_systemd_nothing_is_said() -> None:
    told = Notifier({"WATCHDOG_USEC": "1000"}, os.getpid())
    told.ready("at rest")
    assert told.watchdog_s is None


def test_a_systemd_that_is_gone_costs_nothing_but_a_line_in_the_log(tmp_path: Path) -> None:
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "nobody")}, os.getpid()).ready("at rest")


async def fed(listener: Listener, look: Callable[[], Pulse], watch: ProgressWatch) -> "asyncio.Task[None]":
    """Feed the watchdog by `look`, once it has been fed for the first time."""
    feeding = asyncio.create_task(feed(notifier(listener), look, watch))
    await until(lambda: [m for m in listener.waiting() if "WATCHDOG" in m])
    return feeding


@pytest.mark.anyio
async def test_an_idle_loop_feeds_the_watchdog(listener: Listener) -> None:
    feeding = await fed(listener, lambda: Pulse(1, resting=True), ProgressWatch(0.05))
    for _ in range(10):
        await until(lambda: [m for m in listener.waiting() if "WATCHDOG" in m])
    feeding.cancel()


@pytest.mark.anyio
async def test_a_supervisor_that_is_stuck_in_a_turn_starves_it(listener: Listener) -> None:
    looks: list[Pulse] = []

    def look() -> Pulse:
        looks.append(Pulse(1, resting=False))
        return looks[-1]

    feeding = await fed(listener, look, ProgressWatch(0.05))
    began = time.monotonic()
    await until(lambda: time.monotonic() - began > 0.1)
    listener.waiting()
    seen = len(looks)
    await until(lambda: len(looks) > seen + 5)  # it goes on looking,
    assert listener.waiting() == []  # and says nothing
    feeding.cancel()


@pytest.mark.anyio
async def test_a_loop_that_hangs_starves_it(listener: Listener) -> None:
    feeding = await fed(listener, lambda: Pulse(1, resting=True), ProgressWatch())
    listener.waiting()
    time.sleep(0.3)  # the loop itself: ten intervals in which no coroutine can run
    assert listener.waiting() == []
    feeding.cancel()


class CountingWatch(ProgressWatch):
    """Knows how often it was asked."""

    looks = 0

    def lives(self, pulse: Pulse, now: float) -> bool:
        self.looks += 1
        return super().lives(pulse, now)


@pytest.mark.anyio
async def test_a_reload_whose_daemon_never_ends_starves_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextlib.asynccontextmanager
    async def endless(config: Config, stop: asyncio.Event) -> AsyncIterator[SimpleNamespace]:
        pulse = Pulse(1, resting=True, said="at rest")
        yield SimpleNamespace(pulse=pulse, config=config, alarms=Alarms(time.time))
        await asyncio.Event().wait()

    monkeypatch.setattr(serve, "running", endless)
    monkeypatch.setattr(serve, "log_to_file", lambda config, **_: None)
    monkeypatch.setattr(serve, "STOP_MARGIN_S", 0.2)
    file, watch = tmp_path / "introeval.toml", CountingWatch(0.1)
    file.write_text("[run]\nstop_grace_s = 0\n")
    listener = Listener(str(tmp_path / "notify"))
    serving = asyncio.create_task(serve.Service(lambda: load(file, {}), notifier(listener), watch).run())
    await until(lambda: [m for m in listener.waiting() if "READY" in m])
    file.write_text("[run]\nstop_grace_s = 0\n[batch]\nsize = 3\n")
    os.kill(os.getpid(), signal.SIGHUP)
    await until(lambda: [m for m in listener.waiting() if "RELOADING" in m])
    await until(lambda: [m for m in listener.waiting() if "WATCHDOG" in m])  # in its time it may,

    async def silent() -> bool:
        listener.waiting()
        seen = watch.looks
        await until(lambda: watch.looks > seen + 5)
        return listener.waiting() == []

    async with asyncio.timeout(LIMIT_S):
        while not await silent():  # and then no more
            continue
    serving.cancel()
    listener.close()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[ProcessLab, Listener, subprocess.Popen[str]]]:
    """The real daemon, ready, with its listener."""
    lab, listener = ProcessLab(tmp_path, '[stt]\nmodel = "tiny.en"\n'), Listener(str(tmp_path / "notify"))
    clean = {k: v for k, v in os.environ.items() if not k.startswith("INTROEVAL_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "daemon", "run"],
        cwd=tmp_path,
        text=True,
        stderr=subprocess.PIPE,
        env={**clean, "NOTIFY_SOCKET": listener.name, "WATCHDOG_USEC": "600000"},
    )
    try:
        listener.next("READY")
        yield lab, listener, process
    finally:
        process.kill()
        process.wait()
        listener.close()


def reload(running: tuple[ProcessLab, Listener, "subprocess.Popen[str]"], settings: str) -> str:
    """Reload with these settings; what the daemon says of itself when that is over."""
    lab, listener, process = running
    (lab.folder / "introeval.toml").write_text(settings)
    listener.waiting()  # a socket full of what nobody read would lose what comes now
    process.send_signal(signal.SIGHUP)
    listener.next("RELOADING")
    return listener.next("READY")["STATUS"]


def alarms(lab: ProcessLab) -> str:
    """What lasts, as the daemon itself says: a command would go by the configuration that can't be used."""
    status = client.get(lab.folder / "var" / "introeval.sock", "/status")
    return " ".join(alarm["message"] for alarm in status["alarms"])


def wait(condition: Callable[[], object], limit_s: float = LIMIT_S) -> None:
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_the_daemon_says_when_it_is_ready_alive_and_ends(
    running: tuple[ProcessLab, Listener, "subprocess.Popen[str]"],
) -> None:
    lab, listener, process = running
    assert "running" in lab.run("status", "--json").stdout
    assert "no engine loaded" in listener.next("WATCHDOG")["STATUS"]
    process.terminate()
    assert listener.next("STOPPING")["EXTEND_TIMEOUT_USEC"] == "80000000"
    assert process.wait(LIMIT_S) == 0


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ("[stt]\nmodle = 'tiny.en'\n", "unknown key stt.modle; did you mean stt.model?"),
        ("[stt]\nmodel = 'none such'\n", "'none such' names no model"),
        ("[stt\n", "is not valid TOML"),
        ("[stt]\nmodel = 'tiny.en'\n[outbox]\ngroup = 'no such group'\n", "'no such group' does not exist"),
        ("[stt]\nmodel = 'tiny.en'\n[paths]\noutbox = 'introeval.toml'\n", "cannot be a folder"),
        ("[stt]\nmodel = 'tiny.en'\n[paths]\nstate = 'introeval.toml'\n", "cannot be a folder"),
        ("[stt]\nmodel = 'tiny.en'\n[paths]\nstate = '/proc/none'\n", "No such file"),
        ("[stt]\nmodel = 'tiny.en'\n[paths]\nsocket = 'introeval.toml/s'\n", "toml/s cannot be made"),
    ],
    ids=["key", "model", "syntax", "group", "outbox", "state", "away", "socket"],
)
def test_a_configuration_that_cannot_be_used_keeps_the_old_one_and_says_so(
    running: tuple[ProcessLab, Listener, "subprocess.Popen[str]"], settings: str, complaint: str
) -> None:
    lab, _, process = running
    assert "1 alarms" in reload(running, settings)
    assert complaint in alarms(lab)
    assert "alarms" not in reload(running, '[stt]\nmodel = "tiny.en"\n')
    assert complaint not in alarms(lab)
    assert process.poll() is None


def test_a_good_configuration_is_taken_up_by_the_same_process(
    running: tuple[ProcessLab, Listener, "subprocess.Popen[str]"],
) -> None:
    lab, _, process = running
    settings = '[stt]\nmodel = "tiny.en"\n[paths]\nsocket = "var/other.sock"\n'
    reload(running, settings)
    assert (lab.folder / "var" / "other.sock").exists()
    assert not (lab.folder / "var" / "introeval.sock").exists()
    assert process.poll() is None


def test_a_reload_takes_up_an_edited_rubric_and_refuses_one_that_cannot_be_used(
    running: tuple[ProcessLab, Listener, "subprocess.Popen[str]"],
) -> None:
    lab, _, process = running
    settings = '[stt]\nmodel = "tiny.en"\n[prompts]\nfolder = "rubric"\n'
    template = lab.folder / "rubric" / "rate.v7.j2"
    template.parent.mkdir()
    template.write_text("Be just. {{ levels }} {{ transcript }}")
    reload(running, settings)
    template.write_text("Be kind. {{ transcript }}\n{{ mood }}")
    assert "1 alarms" in reload(running, settings)
    assert "rate.v7.j2, line 2: mood is not a variable of rate; it may name complaint" in alarms(lab)
    assert "1 alarms" in reload(running, settings + "[run]\nstop_grace_s = 3\n"), "the old one is not there"
    assert lab.run("config").returncode == 4
    assert "rate.v7.j2, line 2" in lab.run("doctor", "--json").stdout
    template.write_text("Be kind. {{ levels }} {{ transcript }}")
    (template.parent / "rate.v6.j2").write_text("Be quick. {{ levels }} {{ transcript }}")
    assert "alarms" not in reload(running, settings)
    events = client.get(lab.folder / "var" / "introeval.sock", "/events/recent")
    told = " ".join(event["message"] for event in events)
    assert "the rubric changed: rate.v7" in told
    assert "rate.v6.j2 is not used, since rate.v7.j2 is newer" in told
    assert process.poll() is None


def test_work_in_hand_goes_through_a_reload(
    running: tuple[ProcessLab, Listener, "subprocess.Popen[str]"],
) -> None:
    lab, _, process = running
    lab.hand_in(SAMPLES / "s001_introduction.mp4")
    wait(lambda: started(lab.database))
    reload(running, '[stt]\nmodel = "tiny.en"\n[run]\nstop_grace_s = 0\n')
    wait(lab.results, 240)
    assert process.poll() is None
    assert lab.results()["s001"]["outcome"] in ("evaluated", "needs_review")


def started(database: Path) -> bool:
    """Whether an attempt at a task runs."""
    with contextlib.closing(sqlite3.connect(database)) as reader:
        return bool(
            reader.execute("select 1 from processing_tasks where status like '%processing'").fetchall()
        )
