"""Notices to the lab's own programs: at least once and in order for a task, through failures and kills."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from daemon.config.records import HookSettings
from daemon.core.notices import NoticeKind
from daemon.core.notices import Receiver as Hears
from daemon.monitoring.alarms import Alarms
from daemon.monitoring.notices import Notices
from daemon.store import Database, notices, open_store
from daemon.store.record_models import NoticeRow
from daemon.store.session import Session
from tests.integration.stores import birth, born, completed, deliver_all
from tests.support.inprocess import Lab, worked_off
from tests.support.receiver import SECRET, Receiver, receiving
from tests.support.waiting import until, wait_until

pytestmark = pytest.mark.anyio


class Sending:
    """A store with its sender, and what it has to tell."""

    def __init__(self, session: Session, sender: Notices, alarms: Alarms) -> None:
        self.session, self.sender, self.alarms = session, sender, alarms

    async def ends(self, *students: str) -> None:
        """The tasks of these students end, and are delivered."""

        def work(db: Database) -> None:
            for student in students:
                (task,) = born(db, birth(f"{student}-{time.monotonic_ns()}", student))
                completed(db, task)
                deliver_all(db)

        await self.session(work)

    async def left(self) -> int:
        """The notices that wait."""
        return await self.session(lambda db: int(NoticeRow.select().count(db)))


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_text(SECRET + "\n")
    return file


@asynccontextmanager
async def sending(folder: Path, config: HookSettings, timeout_s: float = 5.0) -> AsyncIterator[Sending]:
    """A sender that hardly rests after failures, for the time of the block."""
    executor = ThreadPoolExecutor(1)
    loop = asyncio.get_running_loop()
    opened = await loop.run_in_executor(
        executor, lambda: open_store(folder / "introeval.db", wanted=config.wanted)
    )
    alarms, stop = Alarms(time.time), asyncio.Event()
    session = Session(opened, executor, alarms.on)
    sender = Notices(
        config,
        session,
        alarms,
        time.time,
        timeout_s=timeout_s,
        pause=lambda _: 0.0,
    )
    running = asyncio.create_task(sender.run(stop))
    try:
        yield Sending(session, sender, alarms)
    finally:
        stop.set()
        await running
        await loop.run_in_executor(executor, opened.close)
        executor.shutdown()


def fails(times: int, status: int = 500) -> Callable[[dict[str, Any]], int]:
    """Fail so many times for each notice."""
    left: dict[str, int] = {}

    def answer(said: dict[str, Any]) -> int:
        left[said["id"]] = left.get(said["id"], times) - 1
        return status if left[said["id"]] >= 0 else 200

    return answer


@pytest.fixture(autouse=True)
def short_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.monitoring.notices.rest_s", lambda _: 0.02)


async def test_each_event_is_told_once_and_in_order_with_a_valid_signature(
    tmp_path: Path, secret: Path
) -> None:
    with receiving() as receiver:
        config = HookSettings(webhook=receiver.url, secret_file=secret)
        async with sending(tmp_path, config) as lab:
            await lab.ends("anna", "ben")
            await until(lambda: lab.sender.idle and len(receiver.taken) == 4)
            assert await lab.left() == 0
        assert receiver.kinds_of(1) == receiver.kinds_of(2) == ["outcome", "delivery"]
        assert len(receiver.told) == 4
        assert receiver.forged == 0


async def test_a_receiver_that_answers_500_is_asked_again_with_the_same_bytes(
    tmp_path: Path, secret: Path
) -> None:
    with receiving() as receiver:
        receiver.answer = fails(2)
        config = HookSettings(webhook=receiver.url, secret_file=secret)
        async with sending(tmp_path, config) as lab:
            await lab.ends("anna", "ben", "cleo")
            await until(lambda: [alarm.code for alarm in lab.alarms.all] == ["notices_webhook"])
            await until(lambda: len(receiver.taken) == 6)
            await until(lambda: not lab.alarms.all)
        assert len(receiver.told) == 18
        assert all(len(bodies) == 1 for bodies in receiver.bodies.values())
        assert [receiver.kinds_of(task) for task in (1, 2, 3)] == [["outcome", "delivery"]] * 3
        assert receiver.forged == 0


async def test_a_task_that_is_never_taken_delays_no_other(tmp_path: Path, secret: Path) -> None:
    with receiving() as receiver:
        receiver.answer = lambda said: 422 if said["task_id"] == 1 else 204
        async with sending(tmp_path, HookSettings(webhook=receiver.url, secret_file=secret)) as lab:
            await lab.ends("anna", "ben", "cleo")
            await until(lambda: len(receiver.taken) == 4)
            assert receiver.kinds_of(1) == []
            assert {said["kind"] for said in receiver.told if said["task_id"] == 1} == {"outcome"}


async def test_a_receiver_that_is_down_for_a_while_gets_all_of_it(tmp_path: Path, secret: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = HookSettings(webhook=f"http://127.0.0.1:{port}/", secret_file=secret)
    async with sending(tmp_path, config) as lab:
        await lab.ends("anna", "ben")
        await until(lambda: lab.sender.idle and lab.alarms.all)
        with receiving(port) as receiver:
            await until(lambda: len(receiver.taken) == 4)
            await until(lambda: not lab.alarms.all)
    assert [receiver.kinds_of(task) for task in (1, 2)] == [["outcome", "delivery"]] * 2


async def test_the_alarm_of_a_receiver_ends_when_nothing_waits_for_it_any_more(
    tmp_path: Path, secret: Path
) -> None:
    with receiving() as receiver:
        receiver.answer = lambda said: 500
        async with sending(tmp_path, HookSettings(webhook=receiver.url, secret_file=secret)) as lab:
            await lab.ends("anna")
            await until(lambda: lab.alarms.all)
            await lab.session(notices.expire, 1.0, 1.0)
            lab.sender.hint()
            await until(lambda: not lab.alarms.all)


async def test_a_receiver_that_is_too_slow_gets_the_same_event_again(tmp_path: Path, secret: Path) -> None:
    let = threading.Event()
    with receiving() as receiver:

        def slow(_: dict[str, Any]) -> int:
            let.wait(10)
            return 200

        receiver.answer = slow
        config = HookSettings(webhook=receiver.url, secret_file=secret)
        async with sending(tmp_path, config, timeout_s=0.3) as lab:
            await lab.ends("anna")
            await until(lambda: len(receiver.told) >= 2)
            let.set()
            await until(lambda: receiver.kinds_of(1) == ["outcome", "delivery"])
        assert len(receiver.bodies) == 2


async def test_what_waits_is_sent_after_a_restart(tmp_path: Path, secret: Path) -> None:
    with receiving() as receiver:
        config = HookSettings(webhook=receiver.url, secret_file=secret)
        receiver.answer = lambda _: 503
        async with sending(tmp_path, config) as lab:
            await lab.ends("anna", "ben")
            await until(lambda: receiver.told)
        receiver.answer = lambda _: 200
        async with sending(tmp_path, config) as lab:
            await until(lambda: len(receiver.taken) == 4)
        assert [receiver.kinds_of(task) for task in (1, 2)] == [["outcome", "delivery"]] * 2


async def test_an_attempt_that_runs_at_a_stop_is_finished_and_not_made_again(
    tmp_path: Path, secret: Path
) -> None:
    let, asked = threading.Event(), threading.Event()
    with receiving() as receiver:
        config = HookSettings(webhook=receiver.url, secret_file=secret, events=(NoticeKind.OUTCOME,))

        def hold(_: dict[str, Any]) -> int:
            asked.set()
            let.wait(10)
            return 200

        receiver.answer = hold
        async with sending(tmp_path, config) as lab:
            await lab.ends("anna")
            await until(asked.is_set)
            threading.Timer(0.1, let.set).start()
        async with sending(tmp_path, config) as lab:
            await until(lambda: lab.sender.idle)
        assert len(receiver.told) == 1


async def test_without_a_key_nothing_is_sent_and_the_alarm_says_so(tmp_path: Path) -> None:
    secret = tmp_path / "later"
    with receiving() as receiver:
        async with sending(tmp_path, HookSettings(webhook=receiver.url, secret_file=secret)) as lab:
            await lab.ends("anna")
            await until(lambda: lab.alarms.all)
            assert "secret_file cannot be read" in str(lab.alarms.all[0].trouble)
            assert not receiver.told
            secret.write_text(SECRET)
            await until(lambda: len(receiver.taken) == 2)
            assert SECRET not in str(lab.alarms.all)


async def test_a_command_gets_the_notice_until_it_takes_it(tmp_path: Path) -> None:
    file, flag = tmp_path / "told", tmp_path / "fixed"
    code = (
        f"import os, sys; open({str(file)!r}, 'a').write(sys.stdin.read());"
        f"sys.exit(not os.path.exists({str(flag)!r}))"
    )
    async with sending(tmp_path, HookSettings(command=(sys.executable, "-c", code))) as lab:
        await lab.ends("anna")
        await until(lambda: lab.alarms.all)
        flag.touch()
        await until(lambda: not lab.alarms.all)
        await until(lambda: lab.sender.idle)
        assert await lab.left() == 0
    told = [json.loads(line) for line in file.read_text().splitlines()]
    assert [each["kind"] for each in {each["id"]: each for each in told}.values()] == ["outcome", "delivery"]


async def test_a_class_is_told_before_a_single_run_ends(tmp_path: Path, secret: Path) -> None:
    with receiving() as receiver:
        settings = {"hooks.webhook": receiver.url, "hooks.secret_file": str(secret)}
        lab = Lab(tmp_path / "lab", settings=settings)
        students = [f"s{number:03}" for number in range(6)]
        for student in students:
            lab.hand_in(f"{student}_me.mp4")
        async with lab.daemon() as daemon:
            await worked_off(daemon)
            told = {said["student_id"]: receiver.kinds_of(said["task_id"]) for said in receiver.told}
            assert told == {student: ["outcome", "delivery"] for student in students}
            assert await daemon.session(notices.first, Hears.WEBHOOK) is None


def test_nothing_is_lost_when_the_daemon_is_killed_at_any_step(tmp_path: Path, secret: Path) -> None:
    """Killed before the answer, just after it, and with all of it undelivered."""
    folder = tmp_path / "lab"
    (folder / "inbox").mkdir(parents=True)
    (folder / "var").mkdir()
    students = [f"s{number:03}" for number in range(4)]
    with receiving() as receiver:
        (folder / "introeval.toml").write_text(
            f'[intake]\nsettle_s = 0.05\n[hooks]\nwebhook = "{receiver.url}"\nsecret_file = "{secret}"\n'
        )
        for student in students:
            (folder / "inbox" / f"{student}_me.mp4").write_text(student)
        kills = [(1, 0.0), (3, 0.0), (5, 0.02)]  # at the n-th notice, so long after its answer

        def answer(_: dict[str, Any]) -> int:
            number = len(receiver.told)
            if kills and number >= kills[0][0]:
                after_s = kills.pop(0)[1]
                if after_s:
                    threading.Timer(after_s, os.kill, (daemon.pid, signal.SIGKILL)).start()
                    return 200
                os.kill(daemon.pid, signal.SIGKILL)
                return 500
            return 200

        receiver.answer = answer
        command = [sys.executable, "-m", "tests.support.scripted_daemon", str(folder), "0"]
        for last in (False, False, False, True):
            daemon = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                if last:
                    wait_until(lambda: all(complete(receiver, task) for task in range(1, 5)))
                else:
                    daemon.wait(timeout=30)
            finally:
                daemon.kill()
                daemon.wait()
    assert not kills
    assert receiver.forged == 0
    events = [(each["task_id"], each["kind"], each["revision"]) for each in receiver.taken]
    assert len(set(events)) == 8
    assert len(events) - 8 <= 3, "only a kill between an answer and its record has one sent twice"
    for number in range(1, 5):
        assert receiver.kinds_of(number) == ["outcome", "delivery"]


def complete(receiver: Receiver, task: int) -> bool:
    return receiver.kinds_of(task) == ["outcome", "delivery"]
