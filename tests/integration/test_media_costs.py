"""What a file may cost: memory and time by its bytes on the disk, and nothing once the reader closes."""

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from daemon.contracts.values import Decoded, Probe
from daemon.core.errors import Blame, Fault
from daemon.stt.decoder import MediaReader
from daemon.stt.media import probe
from daemon.stt.media_faults import MediaFault
from daemon.system.child import Child, ChildMessage
from tests.support.bombs import compressed_header, sparse_wav
from tests.support.children import media_children
from tests.support.clips import film, silence, tone

pytestmark = [pytest.mark.anyio, pytest.mark.alone]

SAMPLE = Path(__file__).resolve().parents[2] / "samples" / "s001_introduction.mp4"
SMALL = 500_000_000  # bytes of memory for a file of a megabyte, of which the child alone has about 200


@pytest.fixture
async def media(tmp_path: Path) -> AsyncIterator[MediaReader]:
    reader = MediaReader(tmp_path / "media.log", max_duration_s=900.0, children=1)
    yield reader
    await reader.aclose()


async def most_memory(asked: "asyncio.Task[Probe | Fault]") -> int:
    """The most bytes that a media child had while the reader was asked."""
    most = 0
    while not asked.done():
        for child in media_children():
            with contextlib.suppress(psutil.NoSuchProcess):
                most = max(most, child.memory_info().rss)
        await asyncio.sleep(0.005)
    return most


async def test_a_megabyte_cannot_take_a_gigabyte_and_leaves_a_clean_child(
    media: MediaReader, tmp_path: Path
) -> None:
    bomb = compressed_header(tmp_path / "a.mov", 1 << 30)
    assert bomb.stat().st_size < 1_100_000
    asked = asyncio.create_task(media.probe(bomb))
    assert await most_memory(asked) < SMALL
    fault = asked.result()
    assert isinstance(fault, Fault)
    assert (fault.code, fault.blame) == ("damaged", Blame.PERMANENT)
    assert "more memory" in fault.message
    assert media_children() == []  # who could not have its memory is in no known state
    assert isinstance(await media.probe(SAMPLE), Probe)
    for _ in range(2):
        assert isinstance(await media.decode(bomb, tmp_path / "a.pcm"), Fault)
        assert isinstance(await media.decode(SAMPLE, tmp_path / "a.pcm"), Decoded)


async def test_large_pictures_and_many_tracks_have_the_memory_that_they_need(
    media: MediaReader, tmp_path: Path
) -> None:
    path = film(tmp_path / "a.mp4", *[tone(5)] * 12, picture_s=0.5, picture=("libx264", 7680, 4320))
    assert path.stat().st_size < 3_000_000
    assert isinstance(await media.decode(path, tmp_path / "a.pcm"), Decoded)


async def test_four_hundred_tracks_have_the_memory_that_they_need(media: MediaReader, tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", *[silence(0.5)] * 400)
    assert isinstance(await media.decode(path, tmp_path / "a.pcm"), Decoded)


async def test_a_hole_in_a_file_buys_no_time(tmp_path: Path) -> None:
    sparse = sparse_wav(tmp_path / "a.wav", 3_000_000_000)
    if sparse.stat().st_blocks * 512 > 1_000_000:
        pytest.skip("this file system has no holes")
    media = MediaReader(tmp_path / "media.log", probe_limit_s=0.5)
    began = time.monotonic()
    fault = await media.probe(sparse)
    took_s = time.monotonic() - began
    await media.aclose()
    assert isinstance(fault, Fault)
    assert (fault.code, fault.blame) == ("decoder_hung", Blame.PERMANENT)
    assert took_s < 10


async def test_bytes_that_lie_on_the_disk_do_buy_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.stt.decoder._BYTES_PER_S", 10_000)
    path = film(tmp_path / "a.wav", tone(3), codec="pcm_s16le")
    media = MediaReader(tmp_path / "media.log", probe_limit_s=0.0)
    assert isinstance(await media.probe(path), Probe)
    monkeypatch.setattr("daemon.stt.decoder._MOST_READING_S", 0.0)
    fault = await media.probe(path)
    await media.aclose()
    assert isinstance(fault, Fault)
    assert fault.code == "decoder_hung"


def obedient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, attempt: str, *arguments: object) -> Path:
    """A file that has its child make an attempt, as in `tests.support.caged`."""
    (tmp_path / "program_of_the_test.py").write_text("from tests.support.caged import main\nmain()\n")
    monkeypatch.setattr("daemon.stt.decoder._CHILD", "program_of_the_test")
    root = Path(__file__).resolve().parents[2]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(root), *filter(None, sys.path)]))
    path = tmp_path / "a.mp4"
    path.write_text(json.dumps({"attempt": attempt, "arguments": arguments}))
    return path


async def test_who_keeps_the_processor_busy_is_ended_however_patient_the_clock_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.stt.decoder._PATIENCE", 1e6)
    media = MediaReader(tmp_path / "media.log", probe_limit_s=0.3)
    async with asyncio.timeout(60):
        fault = await media.probe(obedient(tmp_path, monkeypatch, "burn"))
    await media.aclose()
    assert isinstance(fault, Fault)
    assert (fault.code, fault.blame) == ("decoder_hung", Blame.PERMANENT)


async def test_a_machine_that_has_much_else_to_do_costs_no_file_its_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.stt.decoder._PATIENCE", 1e6)
    media = MediaReader(tmp_path / "media.log", probe_limit_s=0.3)
    fault = await media.probe(obedient(tmp_path, monkeypatch, "sleep", 1.0))
    await media.aclose()
    assert isinstance(fault, Fault)
    assert fault.code == "succeeded"


async def test_all_passes_of_a_video_have_one_limit_that_is_a_small_part_of_its_duration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = []

    async def noted(child: Child, request: ChildMessage, *files: int, cpu_limit_s: float) -> ChildMessage:
        limits.append((request["do"], cpu_limit_s))
        return await ask(child, request, *files, cpu_limit_s=cpu_limit_s)

    ask = Child.ask
    monkeypatch.setattr(Child, "ask", noted)
    path = film(tmp_path / "a.mp4", *[silence(20)] * 3)
    media = MediaReader(tmp_path / "media.log", probe_limit_s=10.0, decode_limit_s=30.0)
    assert isinstance(await media.decode(path, tmp_path / "a.pcm"), Decoded)
    await media.aclose()
    assert [task for task, _ in limits] == ["probe", "decode"]
    assert limits[1][1] == pytest.approx(32.0, abs=0.1)


def test_a_video_has_no_more_packets_than_its_longest_duration_can_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = film(tmp_path / "a.mp4", tone(3))  # of 141 packets
    monkeypatch.setattr("daemon.stt.container._PACKETS_PER_S", 10)
    for more, refused in ((111, False), (100, True)):
        monkeypatch.setattr("daemon.stt.container._MORE_PACKETS", more)
        with path.open("rb") as video, pytest.raises(MediaFault) if refused else contextlib.nullcontext():
            probe(video.fileno(), 3.1)


async def test_closing_waits_for_no_file(tmp_path: Path) -> None:
    media = MediaReader(tmp_path / "media.log", children=2)
    stuck = tmp_path / "a.mp4"
    os.mkfifo(stuck)
    pipe = os.open(stuck, os.O_RDWR)
    asked = [asyncio.create_task(media.probe(stuck)) for _ in range(4)]
    async with asyncio.timeout(30):
        while len(media_children()) < 2:
            await asyncio.sleep(0.01)
    began = time.monotonic()
    await media.aclose()
    outcomes = await asyncio.gather(*asked)
    assert time.monotonic() - began < 2
    assert all(isinstance(outcome, Fault) for outcome in outcomes)
    assert media_children() == []
    os.close(pipe)
