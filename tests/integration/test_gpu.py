"""The GPU: what NVML says through a stub of its library, the guard of its memory, and its history."""

import asyncio
import json
import os
import pwd
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from daemon.contracts.wire.status import GpuState, Holder
from daemon.core.alarms import Trouble
from daemon.core.tasks.task import Stage
from daemon.gpu import nvml, owner
from daemon.gpu.guard import LOST, MEMORY, VramGuard, room_for
from daemon.gpu.history import GpuRecorder
from daemon.gpu.nvml import NvmlGpu
from tests.nvml import DRIVER_NOT_LOADED, GPU_IS_LOST, MISMATCH, NOT_SUPPORTED, StubCard, stub_card

CHECKOUT = Path(__file__).resolve().parents[2]
RATE = frozenset({Stage.RATE})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("nvml")


@pytest.fixture
def card(folder: Path) -> StubCard:
    return stub_card(folder)


@dataclass
class Reader:
    """The process that reads the card."""

    process: subprocess.Popen[str]

    def told(self) -> tuple[str, Any]:
        assert self.process.stdout is not None
        what, value = json.loads(self.process.stdout.readline())
        return what, value

    def reading(self) -> GpuState:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return GpuState.model_validate(self.told()[1])


@contextmanager
def reader(card: StubCard, *args: str, **environ: str) -> Iterator[Reader]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.nvml.reader", *args],
        cwd=CHECKOUT,
        env={**card.environ, **environ},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Reader(process)
        finally:
            process.kill()


# NVML


def test_a_reading_has_every_figure_and_who_holds_memory(card: StubCard) -> None:
    me = os.getpid()
    card.show(8192, 1000, reserved_mb=200, compute={me: 900}, graphics={me: 900, 4_000_000: -1})
    with reader(card) as child:
        state = child.reading()
    assert state.absent is None
    assert not state.lost
    assert state.name == "NVIDIA GeForce RTX 3060 Ti"
    assert (state.used_mb, state.total_mb) == (1200, 8192)  # the driver's share is not free either
    assert (state.utilisation, state.temperature_c) == (42, 61)
    assert (state.power_w, state.power_limit_w) == (120.5, 200)
    assert [(h.pid, h.memory_mb) for h in state.holders] == [(me, 900), (4_000_000, None)]
    if owner.sees_host_pids():
        assert state.holders[0].user == pwd.getpwuid(os.getuid()).pw_name
    assert state.holders[1].user == owner.UNKNOWN  # it has ended meanwhile


def test_what_a_card_does_not_support_is_none_and_the_rest_is_there(card: StubCard) -> None:
    card.show(
        fail={
            "nvmlDeviceGetUtilizationRates": NOT_SUPPORTED,
            "nvmlDeviceGetTemperature": NOT_SUPPORTED,
            "nvmlDeviceGetPowerUsage": NOT_SUPPORTED,
            "nvmlDeviceGetEnforcedPowerLimit": NOT_SUPPORTED,
            "nvmlDeviceGetComputeRunningProcesses_v3": NOT_SUPPORTED,
        }
    )
    with reader(card) as child:
        state = child.reading()
    assert (state.utilisation, state.temperature_c, state.power_w, state.power_limit_w) == (None,) * 4
    assert (state.total_mb, state.holders, state.lost) == (8192, [], False)


def test_a_gpu_lost_in_mid_run_is_read_again_when_it_is_back(card: StubCard) -> None:
    with reader(card) as child:
        assert not child.reading().lost
        card.show(fail={"nvmlDeviceGetMemoryInfo": GPU_IS_LOST})
        lost = child.reading()
        assert (lost.lost, lost.absent, lost.used_mb) == (True, None, None)
        assert lost.name == "NVIDIA GeForce RTX 3060 Ti"
        card.show(lines=[f"init {DRIVER_NOT_LOADED}"])
        assert child.reading().lost  # it was there once: still a loss, however the driver words it
        card.show(8192, 77)
        assert child.reading().used_mb == 77


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([f"init {DRIVER_NOT_LOADED}"], "not loaded"),
        ([f"init {MISMATCH}"], "restart the machine"),
        (["count 0"], "finds no GPU"),
        (["init 999"], "does not answer"),
    ],
)
def test_a_machine_without_a_gpu_that_works_says_why(card: StubCard, lines: list[str], reason: str) -> None:
    card.show(lines=lines)
    with reader(card) as child:
        state = child.reading()
        assert state.absent is not None
        assert reason in state.absent
        card.show()
        assert child.reading().absent is None  # the driver was loaded meanwhile


def test_a_machine_without_the_library_says_so(card: StubCard, tmp_path: Path) -> None:
    with reader(card, LD_LIBRARY_PATH=str(tmp_path)) as child:
        assert child.reading().absent == "no NVIDIA driver is installed"


@pytest.mark.parametrize("hidden", ["", "-1"])
def test_a_gpu_that_the_environment_hides_is_absent(card: StubCard, hidden: str) -> None:
    with reader(card, CUDA_VISIBLE_DEVICES=hidden) as child:
        assert child.reading().absent == "CUDA_VISIBLE_DEVICES hides every GPU"


@pytest.mark.anyio
async def test_a_driver_that_hangs_is_a_lost_gpu_and_holds_up_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import threading

    answered = threading.Event()

    class Hanging(NvmlGpu):
        def read(self) -> GpuState:
            answered.wait(30)
            return GpuState(name="back", used_mb=0, total_mb=8192)

    monkeypatch.setattr(nvml, "_HANGS_S", 0.05)
    gpu = Hanging({})
    before = set(threading.enumerate())
    try:
        assert (await gpu.reading()).lost
        assert (await gpu.reading()).lost  # and no second thread waits with the first
        assert len(set(threading.enumerate()) - before) == 1
    finally:
        answered.set()
    async with asyncio.timeout(10):
        while (state := await gpu.reading()).lost:
            pass
    assert state.name == "back"


def test_the_name_of_a_process_is_text_and_no_control_of_a_terminal(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "open('/proc/self/comm', 'w').write('\\x1b[31mred'); print(flush=True); input()",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        assert "\x1b" not in owner.owner_of(process.pid)[1]
    finally:
        process.kill()
        process.communicate()


def test_a_grandchild_descends_from_its_grandparent() -> None:
    program = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE) as process:
        try:
            assert owner.descends_from(process.pid, {os.getpid()})
            assert not owner.descends_from(os.getpid(), {process.pid})
            assert not owner.descends_from(4_000_000, {os.getpid()})
        finally:
            process.kill()


# The guard, with a card and a clock of the test's own


@dataclass
class Machine:
    """A card and a clock: `then` says what happens when so many seconds have passed."""

    state: GpuState
    then: dict[float, GpuState] = field(default_factory=dict)
    now: float = 0.0
    alarms: list[tuple[float, str, str | None]] = field(default_factory=list)
    need_mb: float = 7000.0
    ours: list[int] = field(default_factory=list)

    async def read(self) -> GpuState:
        return self.state

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        for at in sorted(at for at in self.then if at <= self.now):
            self.state = self.then.pop(at)
        assert self.now < 10_000, "it waits for ever"
        await asyncio.sleep(0)

    def on_alarm(self, code: str, trouble: Trouble | None) -> None:
        self.alarms.append((self.now, code, str(trouble) if trouble else None))

    def guard(self, timeout_s: float = 60.0) -> VramGuard:
        return VramGuard(
            self.read,
            lambda _: self.need_mb,
            lambda: self.ours,
            self.on_alarm,
            timeout_s=timeout_s,
            clock=self.clock,
            sleep=self.sleep,
        )


def gpu(used: float | None, *holders: tuple[int, float | None], total: float = 8192.0) -> GpuState:
    held = [Holder(pid=pid, user="anna", name="blender", memory_mb=mb) for pid, mb in holders]
    return GpuState(name="card", used_mb=used, total_mb=total, holders=held)


STRANGER = gpu(6200, (4_000_001, 6000))
EMPTY = gpu(200)


@pytest.mark.anyio
async def test_with_room_it_goes_on_at_once_and_says_what_it_found() -> None:
    machine = Machine(gpu(6500, (4_000_001, 300), (4_000_002, 6000)))
    guard = machine.guard()
    await guard.measure()
    machine.state = gpu(500, (4_000_001, 300))
    ledger = await guard.clear(RATE)
    assert (ledger.freed_mb, ledger.foreign_mb, ledger.needed_mb, ledger.margin_mb) == (6000, 300, 7000, 692)
    assert ledger.waited_s == 0
    assert [(holder.pid, holder.memory_mb) for holder in ledger.holders] == [(4_000_001, 300)]
    assert machine.alarms == []


@pytest.mark.anyio
async def test_it_waits_for_a_stranger_names_it_and_goes_on_by_itself_when_it_is_gone() -> None:
    machine = Machine(STRANGER, {200.0: EMPTY})
    ledger = await machine.guard(timeout_s=60).clear(RATE)
    assert 200 <= ledger.waited_s < 202
    raised, cleared = machine.alarms
    assert 60 <= raised[0] < 62
    assert raised[1] == MEMORY
    assert raised[2] is not None
    for part in ("4000001", "anna", "blender", "6000 MB", "7000 MB"):
        assert part in raised[2]
    assert cleared[1:] == (MEMORY, None)
    assert 200 <= cleared[0] < 202


@pytest.mark.anyio
async def test_memory_that_comes_free_in_time_raises_no_alarm() -> None:
    machine = Machine(STRANGER, {59.0: EMPTY})
    assert (await machine.guard(timeout_s=60).clear(RATE)).waited_s < 61
    assert machine.alarms == []


@pytest.mark.anyio
async def test_the_alarm_names_the_next_stranger_when_the_first_is_gone() -> None:
    machine = Machine(STRANGER, {100.0: gpu(6200, (4_000_009, 6100)), 200.0: EMPTY})
    await machine.guard().clear(RATE)
    assert [("4000001" in (m or ""), "4000009" in (m or "")) for _, _, m in machine.alarms] == [
        (True, False),
        (False, True),
        (False, False),
    ]


@pytest.mark.anyio
async def test_memory_that_no_process_is_named_for_is_waited_for_too() -> None:
    machine = Machine(gpu(6000), {100.0: EMPTY})
    ledger = await machine.guard().clear(RATE)
    assert ledger.waited_s >= 100
    assert ledger.foreign_mb == 0
    assert "names no process" in (machine.alarms[0][2] or "")


@pytest.mark.anyio
async def test_a_need_beyond_the_whole_card_does_not_wait_for_ever_on_an_empty_card() -> None:
    machine = Machine(EMPTY, need_mb=20_000)
    ledger = await machine.guard().clear(RATE)
    assert ledger.waited_s == 0
    assert ledger.needed_mb == pytest.approx(8192 - 409.6)


@pytest.mark.anyio
async def test_a_need_beyond_the_whole_card_still_waits_for_a_stranger() -> None:
    machine = Machine(gpu(800, (4_000_001, 600)), {90.0: EMPTY}, need_mb=20_000)
    assert (await machine.guard().clear(RATE)).waited_s >= 90
    assert "600 MB" in (machine.alarms[0][2] or "")


@pytest.mark.anyio
async def test_what_stays_loaded_is_not_foreign() -> None:
    me = os.getpid()
    machine = Machine(gpu(5000, (me, 4800)), need_mb=3000, ours=[me])
    ledger = await machine.guard().clear(RATE)
    assert (ledger.foreign_mb, ledger.margin_mb) == (0, 192)


@pytest.mark.anyio
async def test_what_stays_loaded_is_no_room_for_what_starts() -> None:
    me = os.getpid()
    machine = Machine(gpu(5000, (me, 4800)), {90.0: gpu(1000, (me, 800))}, need_mb=7000, ours=[me])
    assert (await machine.guard().clear(RATE)).waited_s >= 90
    assert "4800 MB are held by engines that stay loaded" in (machine.alarms[0][2] or "")


def test_a_holder_without_a_figure_holds_what_nobody_else_does() -> None:
    me = os.getpid()
    foreign = room_for(gpu(5000, (4_000_001, None), (4_000_002, 1000)), 7000, frozenset())
    assert foreign.foreign_mb == 5000
    own = room_for(gpu(5000, (me, None), (4_000_002, 1000)), 7000, frozenset({me}))
    assert (own.ours_mb, own.foreign_mb) == (4000, 1000)


@pytest.mark.anyio
async def test_a_gpu_lost_while_it_waits_is_an_alarm_and_no_way_on() -> None:
    machine = Machine(STRANGER, {10.0: GpuState(lost=True, name="card"), 300.0: EMPTY})
    ledger = await machine.guard().clear(RATE)
    assert ledger.waited_s >= 300
    assert [(code, message is None) for _, code, message in machine.alarms] == [(LOST, False), (LOST, True)]
    assert machine.alarms[0][0] == pytest.approx(10, abs=2)


@pytest.mark.anyio
@pytest.mark.parametrize("state", [GpuState(absent="no NVIDIA driver is installed"), gpu(None)])
async def test_without_a_gpu_that_can_be_measured_it_returns_at_once(state: GpuState) -> None:
    machine = Machine(state)
    guard = machine.guard()
    await guard.measure()
    ledger = await guard.clear(RATE)
    assert (ledger.freed_mb, ledger.foreign_mb, ledger.needed_mb, ledger.margin_mb) == (None,) * 4
    assert machine.alarms == []


@pytest.mark.anyio
async def test_a_wait_that_is_given_up_leaves_no_alarm() -> None:
    machine = Machine(STRANGER)
    waiting = asyncio.create_task(machine.guard(timeout_s=5).clear(RATE))
    async with asyncio.timeout(10):
        while not machine.alarms:
            await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert [message is None for _, _, message in machine.alarms] == [False, True]


def test_the_guard_on_nvml_itself_names_the_process_and_goes_on_when_it_ends(card: StubCard) -> None:
    me = os.getpid()
    card.show(8192, 6000, reserved_mb=200, compute={me: 6000})
    with reader(card, "guard", "7000", "0.2") as child:
        assert child.told() == ("measured", None)
        what, (code, message) = child.told()
        assert (what, code) == ("alarm", MEMORY)
        assert f"process {me}" in message
        assert "6000 MB" in message
        card.show(8192, 0, reserved_mb=200)
        assert child.told() == ("alarm", [MEMORY, None])
        what, ledger = child.told()
        assert what == "ledger"
        assert (ledger["freed_mb"], ledger["needed_mb"], ledger["margin_mb"]) == (6000, 7000, 992)
        assert ledger["waited_s"] > 0.2


# The history


class _Enough(Exception):
    pass


def sleeper(machine: Machine, until: float) -> Callable[[float], Awaitable[None]]:
    async def sleep(seconds: float) -> None:
        await machine.sleep(seconds)
        if machine.now >= until:
            raise _Enough

    return sleep


async def recorded(machine: Machine, seconds: float) -> tuple[GpuRecorder, int]:
    readings = 0

    async def read() -> GpuState:
        nonlocal readings
        readings += 1
        return await machine.read()

    recorder = GpuRecorder(
        read, lambda: ["rate", "extract"], clock=machine.clock, sleep=sleeper(machine, seconds)
    )
    with pytest.raises(_Enough):
        await recorder.run()
    return recorder, readings


@pytest.mark.anyio
async def test_the_history_is_the_last_ten_minutes_and_no_more() -> None:
    recorder, _ = await recorded(Machine(EMPTY), 3600)
    points = recorder.points()
    assert points[0].at < points[-1].at
    assert points[-1].at == "1970-01-01T00:59:55.000000Z"
    assert points[0].at == "1970-01-01T00:50:00.000000Z"
    assert (points[-1].used_mb, points[-1].group) == (200, ["extract", "rate"])
    assert recorder.latest == EMPTY


@pytest.mark.anyio
async def test_a_machine_without_a_gpu_is_hardly_looked_at() -> None:
    recorder, readings = await recorded(Machine(GpuState(absent="none")), 3600)
    assert readings <= 60
    assert recorder.points() == []


@pytest.mark.anyio
async def test_a_lost_gpu_leaves_a_gap_in_the_history() -> None:
    machine = Machine(EMPTY, {10.0: GpuState(lost=True, name="card"), 20.0: EMPTY})
    recorder, _ = await recorded(machine, 30)
    assert [point.used_mb for point in recorder.points()] == [200, 200, None, None, 200, 200]
