"""What the daemon does about a child that takes all the memory: nothing of the kernel's is waited for."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from daemon.system.child import Child, ChildDied

GLUTTON = """
from daemon.system.child import attach
wire = attach()
eaten = []
while True:
    eaten.append(bytearray(b"x") * 20_000_000)
"""
MODEST = """
from daemon.system.child import attach
wire = attach()
while (message := wire.receive()) is not None:
    wire.send(message)
"""
TALKER = """
from daemon.system.child import attach
wire = attach()
while True:
    wire._outgoing.write(bytes([120]) * 1_000_000)
"""
LIMIT = 300_000_000


async def child(folder: Path, program: str, **settings: Any) -> Child:
    (folder / "program_of_the_test.py").write_text(program)
    root = Path(__file__).resolve().parents[2]
    return await Child.spawn(
        "child",
        "program_of_the_test",
        [],
        log=folder / "log",
        env={"PYTHONPATH": f"{folder}:{root}"},
        memory_limit=LIMIT,
        **settings,
    )


@pytest.mark.anyio
async def test_a_child_that_takes_too_much_memory_is_ended_and_it_is_said_why(tmp_path: Path) -> None:
    glutton = await child(tmp_path, GLUTTON)
    try:
        async with asyncio.timeout(60):
            with pytest.raises(ChildDied, match=r"took more than 0\.3 GB of memory and was killed"):
                await glutton.receive()
    finally:
        await glutton.stop()


@pytest.mark.anyio
async def test_a_child_below_its_limit_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.system.child._MEMORY_LOOK_S", 0.0)  # it looks between any two messages
    modest = await child(tmp_path, MODEST)
    try:
        for number in range(50):
            await modest.send({"n": number})
            assert await modest.receive() == {"n": number}
        assert modest.alive
    finally:
        await modest.stop()


@pytest.mark.anyio
async def test_a_child_that_says_one_endless_line_is_ended_at_once(tmp_path: Path) -> None:
    talker = await child(tmp_path, TALKER, line_limit=10_000)
    async with asyncio.timeout(60):
        with pytest.raises(ChildDied, match="a line of more than 10000 bytes"):
            await talker.receive()
        await talker.stop(grace_s=3600.0)
    assert not talker.alive
