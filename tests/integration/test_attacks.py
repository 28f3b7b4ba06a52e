"""What a hostile reviewer tried on the running parts, and what must come of it."""

import asyncio
import contextlib
import io
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console

from daemon.api import client
from daemon.cli import run
from daemon.contracts.values import Decoded
from daemon.contracts.wire.words import Order, Verb
from daemon.core.errors import Blame, Fault, StoreError, UnknownStudent
from daemon.core.tasks.task import Stage, Status, Task
from daemon.delivery.archive import archive
from daemon.intake.files import Files
from daemon.monitoring.progress import Progress
from daemon.node import LocalNode
from daemon.store import forgetting
from daemon.supervisor.attempts import AttemptEnded, Attempts
from daemon.supervisor.predecode import Predecoder
from daemon.system.state_folder import DATABASE
from tests.support.inprocess import Lab, worked_off
from tests.support.scripted import SAID, Log, ScriptedEngine, ScriptedMedia
from tests.support.waiting import until

pytestmark = pytest.mark.anyio


async def test_a_state_folder_that_cannot_be_looked_at_for_room_does_not_end_the_daemon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Lab(tmp_path)
    real = shutil.disk_usage

    def broken(path: Any) -> Any:
        raise OSError(5, "Input/output error")

    async with lab.daemon() as daemon:
        monkeypatch.setattr(shutil, "disk_usage", broken)
        lab.hand_in("s001_me.mp4")
        await until(lambda: any("is unknown" in str(alarm.trouble) for alarm in daemon.alarms.all))
        assert (await daemon.observer.situation()).status.disk is None
        monkeypatch.setattr(shutil, "disk_usage", real)
        await worked_off(daemon)
    assert len(lab.results()) == 1


async def test_a_stop_after_a_pause_that_met_a_try_before_its_first_step_charges_the_task_nothing(
    tmp_path: Path,
) -> None:
    video = tmp_path / "me.mp4"
    video.write_bytes(b"me")
    task = Task(
        id=1, student="s001", filename="me.mp4", path=str(video), sha256="0" * 64, size_bytes=2,
        duration_s=10.0, claimed_at=0.0, status=Status.STT_PROCESSING, attempt=1,
    )  # fmt: skip
    log, ended, broke = Log(), list[AttemptEnded](), list[BaseException]()
    stt, extract, rate = (ScriptedEngine(stage, log, seconds=60.0) for stage in Stage)
    node = LocalNode(stt, extract, rate, lambda ticket, done: None)
    await node.ensure(frozenset({Stage.STT}))
    ahead = Predecoder(ScriptedMedia(), tmp_path / "decoded")
    attempts = Attempts(node, ahead, Progress(), lambda: 0.0, ended.append, broke.append)
    attempts.start(task, None)
    await attempts.interrupt([1])  # a pause now, in the turn after the start
    ended.clear()
    attempts.start(task, None)  # resumed
    await until(lambda: log.tried(Stage.STT))
    await attempts.join(0.0)  # the daemon stops
    await ahead.aclose()
    await node.aclose()
    assert (ended, broke) == ([], []), "a try that the stop cut off is no try that an operator cancelled"


async def test_what_a_full_outbox_left_of_a_result_is_forgotten_with_its_student(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.hand_in("s001_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        kept = await daemon.session(forgetting.kept_of, "s001", lab.inbox)
        for name in kept.documents:  # as a write that came to nothing in the middle leaves them
            if Path(name).name.startswith("."):
                (lab.outbox / name).write_text("My name is Ada")
        left = sorted(path.name for path in (lab.outbox / "s001").iterdir())
        assert [name for name in left if name.startswith(".")], left
        gone = await asyncio.to_thread(client.post, lab.config.paths.socket, "/forget/s001")
    assert gone["tasks"] == 1
    assert not (lab.outbox / "s001").exists()


async def test_who_opens_the_control_socket_again_and_again_and_says_nothing_leaves_files_for_the_work(
    tmp_path: Path,
) -> None:
    lab = Lab(tmp_path)
    async with lab.daemon() as daemon:
        opened = [await asyncio.open_unix_connection(lab.config.paths.socket) for _ in range(900)]
        held = len(os.listdir("/proc/self/fd")) - len(opened)
        lab.hand_in("s001_me.mp4")
        await worked_off(daemon)
        for _, writer in opened:
            writer.close()
    assert held < 600, "each of them costs a file of the daemon's"
    assert len(lab.results()) == 1


async def test_nobody_becomes_another_by_a_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")  # set for other servers of the machine
    asked = await _asked_of_operators(tmp_path, monkeypatch, {"X-Forwarded-For": "4000000"})
    assert {uid for uid, _ in asked} == {os.geteuid()}


async def test_whose_groups_they_are_is_never_asked_on_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = await _asked_of_operators(tmp_path, monkeypatch, {})
    assert len(asked) == 2
    assert threading.get_ident() not in {thread for _, thread in asked}


async def _asked_of_operators(
    folder: Path, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> list[tuple[int, int]]:
    """Who is asked about, and on which thread, when a status is read and a pause ordered."""
    asked: list[tuple[int, int]] = []

    def may_change(uid: int) -> bool:
        asked.append((uid, threading.get_ident()))
        return True

    monkeypatch.setattr("daemon.app.run.operators", lambda name: may_change)
    lab = Lab(folder)
    async with lab.daemon():
        transport = httpx.AsyncHTTPTransport(uds=str(lab.config.paths.socket))
        async with httpx.AsyncClient(transport=transport, base_url="http://introeval") as asks:
            await asks.get("/status", headers=headers)
            await asks.post("/pause", headers=headers)
    return asked


async def test_a_task_that_is_taken_up_again_while_its_video_is_archived_finds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, retried = threading.Event(), threading.Event()
    archived = tmp_path / "var" / "archive" / "s001"

    class Busy(ScriptedMedia):
        """Comes to a video only when others are decoded."""

        async def decode(self, path: Path, pcm: Path, account: str | None = None) -> Decoded | Fault:
            await until(archived.is_dir)
            if not path.exists():
                return Fault(Blame.PERMANENT, "damaged", "there is no such file")
            return await super().decode(path, pcm, account)

    def slow(*args: Any) -> Path:
        begun.set()
        retried.wait(1.0)  # a disk that is busy, while the operator asks
        return archive(*args)

    monkeypatch.setattr("daemon.delivery.delivery.archive", slow)
    lab = Lab(tmp_path, media=Busy())
    async with lab.daemon() as daemon:
        await daemon.supervisor.order(Order.PAUSE)
        lab.hand_in("s001_me.mp4")
        await until(lambda: daemon.supervisor.tasks)
        await daemon.supervisor.ask(Verb.CANCEL, 1)
        await until(begun.is_set)
        await daemon.supervisor.ask(Verb.RETRY, 1)
        retried.set()
        await daemon.supervisor.order(Order.RESUME)
        await worked_off(daemon)
    assert sorted(result["outcome"] for result in lab.results().values()) == ["cancelled", "evaluated"]


async def test_a_reader_that_keeps_the_deleted_in_the_databases_files_is_told_of_soon(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.hand_in("s001_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        database = tmp_path / "var" / DATABASE
        with contextlib.closing(sqlite3.connect(database)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM users").fetchall()
            began = time.monotonic()
            with pytest.raises(StoreError, match="another program reads"):
                await asyncio.to_thread(client.post, lab.config.paths.socket, "/forget/s001")
            assert time.monotonic() - began < 5.0, "the work waits for the database meanwhile"
        assert "s001" not in " ".join(event.message for event in daemon.observer.events.recent(1000))
        with pytest.raises(UnknownStudent):
            await daemon.session(forgetting.kept_of, "s001", lab.inbox)
    assert SAID.encode() not in b"".join(path.read_bytes() for path in database.parent.glob(f"{DATABASE}*"))


async def test_a_task_that_is_cancelled_before_the_supervisor_hears_of_its_birth_stays_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Lab(tmp_path)
    async with lab.daemon() as daemon:
        tell, late = daemon.supervisor.arrived, list[Iterable[Task]]()
        monkeypatch.setattr(daemon.supervisor, "arrived", late.append)
        lab.hand_in("s001_me.mp4")
        await until(lambda: late)
        await daemon.supervisor.ask(Verb.CANCEL, 1)
        tell(late[0])
        await worked_off(daemon)
        lab.hand_in("s002_me.mp4")
        await until(lambda: len(late) == 2)
        await daemon.supervisor.ask(Verb.HOLD, 2)
        tell(late[1])
        await daemon.supervisor.ask(Verb.RELEASE, 2)
        await worked_off(daemon)
    assert sorted(result["outcome"] for result in lab.results().values()) == ["cancelled", "evaluated"]


async def test_a_run_that_takes_nothing_for_a_drain_of_before_does_not_say_that_all_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Lab(tmp_path)
    async with lab.daemon() as daemon:
        await daemon.supervisor.order(Order.DRAIN)
    lab.hand_in("s001_me.mp4")
    monkeypatch.setattr(run, "running", lambda config, stop: lab.daemon())
    report = await run._once(lab.config, Console(file=io.StringIO()))
    assert report.exit_code == 2
    assert "introeval resume" in " ".join(report.alarms)


async def test_a_thousand_files_that_cannot_be_taken_are_a_few_alarms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(files: Files, path: bytes) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(Files, "check_right", denied)
    lab = Lab(tmp_path)
    for number in range(1000):
        lab.hand_in(f"s001_{number}.mp4")
    async with lab.daemon() as daemon:
        await until(lambda: daemon.alarms.all)
        said = [alarm.message for alarm in (await daemon.observer.status()).alarms]
    assert len(said) < 50
    assert sum("cannot be taken" in message for message in said) >= 10
    assert any("980 more" in message for message in said), said[-1]
