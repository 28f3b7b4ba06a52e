"""The media children on real files: everything that a student's video can be."""

import asyncio
import contextlib
import errno
import os
import re
import struct
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import psutil
import pytest

from daemon.contracts.values import Decoded, Probe
from daemon.core.errors import Blame, Fault
from daemon.stt.decoder import MediaReader
from daemon.system.child import Child
from tests.support.children import media_children
from tests.support.clips import cut_off, film, silence, spoil, tone

pytestmark = pytest.mark.anyio

CHECKOUT = Path(__file__).resolve().parents[2]
MEDIA = CHECKOUT / "tests" / "media"
SAMPLE = CHECKOUT / "samples" / "s001_introduction.mp4"

T = TypeVar("T")


@pytest.fixture
async def media(tmp_path: Path) -> AsyncIterator[MediaReader]:
    reader = MediaReader(tmp_path / "media.log", max_duration_s=60.0)
    yield reader
    await reader.aclose()


async def until(condition: Callable[[], T | None]) -> T:
    """The first true value of the condition."""
    async with asyncio.timeout(60):
        while not (value := condition()):
            await asyncio.sleep(0.01)
    return value


def reading(path: Path, *but: int) -> psutil.Process | None:
    """The youngest media child, none of `but`, while the reader holds this file open for it.

    None may look into the child itself. The test has the file open, too.
    """
    opened = 0
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            opened += os.readlink(link) == str(path)
    children = [child for child in media_children() if child.pid not in but]
    return max(children, key=lambda child: child.create_time(), default=None) if opened > 1 else None


def samples(path: Path) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    return np.fromfile(path, dtype="<i2")


def loudness(sound: np.ndarray[tuple[int], np.dtype[np.int16]]) -> float:
    return float(np.sqrt(np.mean(np.square(sound, dtype=np.float64))))


async def decoded(media: MediaReader, path: Path) -> Decoded:
    outcome = await media.decode(path, path.with_suffix(".pcm"))
    assert isinstance(outcome, Decoded), outcome
    assert len(samples(outcome.pcm)) == round(outcome.takes[0].duration_s * 16_000)
    return outcome


async def faults(media: MediaReader, path: Path) -> tuple[str, Blame]:
    """What decoding says; nothing is left behind."""
    fault = await media.decode(path, path.with_suffix(".pcm"))
    assert isinstance(fault, Fault), fault
    assert not fault.died
    assert fault.message
    assert not list(path.parent.glob("*.pcm*"))
    return fault.code, fault.blame


def codes(outcome: Decoded) -> list[str]:
    return [flag.code for flag in outcome.takes[0].flags]


async def test_a_sample_is_probed_and_decoded(media: MediaReader, tmp_path: Path) -> None:
    probe = await media.probe(SAMPLE)
    assert isinstance(probe, Probe)
    assert (probe.audio_codec, probe.audio_streams) == ("aac", 1)
    outcome = await media.decode(SAMPLE, tmp_path / "a.pcm")
    assert isinstance(outcome, Decoded)
    assert outcome.takes[0].duration_s == pytest.approx(probe.duration_s, abs=0.1)
    assert outcome.takes[0].flags == ()
    assert [path.name for path in tmp_path.glob("*.pcm*")] == ["a.pcm"]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"),
        (b"Dear teacher, here is my video.\n" * 99, "not_media"),
        (bytes(50_000), "not_media"),
        (b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n/etc/passwd\n#EXT-X-ENDLIST\n", "not_media"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "not_media"),
        (b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41" + bytes(5000), "damaged"),
    ],
    ids=["empty", "text", "zeros", "playlist", "list", "torn"],  # zeros would not fit the environment
)
async def test_what_is_no_video_is_a_fault(
    media: MediaReader, tmp_path: Path, content: bytes, code: str
) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    assert await faults(media, path) == (code, Blame.PERMANENT)


async def test_a_decoder_that_is_broken_itself_blames_no_video(
    media: MediaReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import av\nav.open = lambda file, mode: None\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert await faults(media, SAMPLE) == ("decoder_failed", Blame.ENGINE)


async def test_a_title_in_another_encoding_is_no_fault(media: MediaReader, tmp_path: Path) -> None:
    whole = (MEDIA / "probe.wav").read_bytes()
    title = b"LIST" + struct.pack("<I", 16) + b"INFOINAM" + struct.pack("<I", 4) + b"caf\xe9"
    body = whole[8:36] + title + whole[36:]  # after the header, the form and the format
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    assert isinstance(await media.probe(path), Probe)


@pytest.mark.parametrize(
    ("name", "code"),
    [("no_audio.mp4", "no_audio"), ("damaged.mp4", "damaged"), ("cut_short.mp4", "truncated")],
)
async def test_the_bundled_clips_are_faults_already_when_probed(
    media: MediaReader, name: str, code: str
) -> None:
    fault = await media.probe(MEDIA / name)
    assert isinstance(fault, Fault)
    assert (fault.code, fault.blame) == (code, Blame.PERMANENT)


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.mp4", "aac", {"movflags": "faststart"}),
        ("a.mkv", "aac", {}),
        ("a.webm", "libopus", {}),
        ("a.wav", "pcm_s16le", {}),
        ("a.flac", "flac", {}),
        ("a.mp3", "libmp3lame", {}),
    ],
)
async def test_a_file_cut_in_half_is_found_when_probed(
    media: MediaReader, tmp_path: Path, name: str, codec: str, options: dict[str, str]
) -> None:
    path = film(tmp_path / name, tone(18), codec=codec, options=options)
    assert isinstance(await media.probe(path), Probe)
    fault = await media.probe(cut_off(path, 0.5))
    assert isinstance(fault, Fault)
    assert fault.code == "truncated"


async def test_sound_shorter_than_the_picture_is_whole(media: MediaReader, tmp_path: Path) -> None:
    for name in ("a.mp4", "a.mkv"):
        outcome = await decoded(media, film(tmp_path / name, tone(3), picture_s=9))
        assert outcome.takes[0].duration_s == pytest.approx(3, abs=0.1)


async def test_a_recording_without_a_declared_duration_is_whole(media: MediaReader, tmp_path: Path) -> None:
    path = film(tmp_path / "a.webm", tone(5), codec="libopus", options={"live": "1"})
    assert (await decoded(media, path)).takes[0].duration_s == pytest.approx(5, abs=0.1)


async def test_corrupt_sound_is_damaged_and_never_silence(media: MediaReader, tmp_path: Path) -> None:
    path = spoil(film(tmp_path / "a.mp4", noise(9), codec="flac"))
    assert await faults(media, path) == ("damaged", Blame.PERMANENT)


async def test_a_few_corrupt_packets_are_passed_over_and_counted(media: MediaReader, tmp_path: Path) -> None:
    path = spoil(film(tmp_path / "a.mp4", noise(30), codec="flac"), every=50)
    outcome = await decoded(media, path)
    assert codes(outcome) == ["skipped_packets"]
    assert outcome.takes[0].duration_s == pytest.approx(30, abs=0.5)


async def test_another_rate_and_other_channels_in_mid_stream(media: MediaReader, tmp_path: Path) -> None:
    one = film(tmp_path / "1.mp3", tone(4, channels=2), codec="libmp3lame", options={"write_xing": "0"})
    two = film(
        tmp_path / "2.mp3", tone(4, rate=24_000), codec="libmp3lame", rate=24_000, options={"write_xing": "0"}
    )
    path = tmp_path / "a.mp3"
    path.write_bytes(one.read_bytes() + two.read_bytes())
    assert (await decoded(media, path)).takes[0].duration_s == pytest.approx(8, abs=0.3)


async def test_a_silent_track_gives_way_to_one_that_is_heard(media: MediaReader, tmp_path: Path) -> None:
    outcome = await decoded(media, film(tmp_path / "a.mp4", silence(4), tone(4)))
    assert codes(outcome) == ["audio_track"]
    assert "2 of 2" in outcome.takes[0].flags[0].detail
    assert loudness(samples(outcome.pcm)) > 1000


async def test_silence_is_decoded_and_no_fault(media: MediaReader, tmp_path: Path) -> None:
    outcome = await decoded(media, film(tmp_path / "a.mp4", silence(4), silence(6)))
    assert outcome.takes[0].flags == ()
    assert outcome.takes[0].duration_s == pytest.approx(4, abs=0.1)


async def test_channels_that_cancel_each_other_give_one(media: MediaReader, tmp_path: Path) -> None:
    stereo = tone(4, channels=2)
    stereo[1] = -stereo[1]
    outcome = await decoded(media, film(tmp_path / "a.mp4", stereo))
    assert codes(outcome) == ["one_channel"]
    assert loudness(samples(outcome.pcm)) > 1000


async def test_eight_channels_are_heard(media: MediaReader, tmp_path: Path) -> None:
    outcome = await decoded(media, film(tmp_path / "a.wav", tone(3, channels=8), codec="pcm_s16le"))
    assert loudness(samples(outcome.pcm)) > 1000


async def test_sound_that_begins_late_keeps_its_times(media: MediaReader, tmp_path: Path) -> None:
    for name in ("a.mkv", "a.mp4"):
        outcome = await decoded(media, film(tmp_path / name, tone(4), picture_s=8, begins_s=3))
        sound = samples(outcome.pcm)
        assert outcome.takes[0].duration_s == pytest.approx(7, abs=0.1)
        assert loudness(sound[: 28 * 1600]) < 10
        assert loudness(sound[32 * 1600 :]) > 1000


async def test_a_hole_in_the_sound_is_silence_and_no_damage(media: MediaReader, tmp_path: Path) -> None:
    path = film(tmp_path / "a.mkv", tone(10), codec="pcm_s16le", hole=(3.0, 8.0))
    outcome = await decoded(media, path)
    assert outcome.takes[0].duration_s == pytest.approx(10, abs=0.1)
    assert loudness(samples(outcome.pcm)[4 * 16_000 : 7 * 16_000]) < 10


async def test_a_video_that_is_too_long_is_refused_when_probed(media: MediaReader, tmp_path: Path) -> None:
    path = film(tmp_path / "a.flac", silence(61), codec="flac")
    fault = await media.probe(path)
    assert isinstance(fault, Fault)
    assert (fault.code, fault.blame) == ("too_long", Blame.PERMANENT)


async def test_timestamps_cannot_blow_up_the_sound(media: MediaReader, tmp_path: Path) -> None:
    path = film(tmp_path / "a.mkv", tone(4), picture_s=1, begins_s=50_000)
    assert (await faults(media, path))[0] in ("too_long", "truncated")


async def test_a_file_that_is_gone_may_come_back(media: MediaReader, tmp_path: Path) -> None:
    assert await faults(media, tmp_path / "a.mp4") == ("unreadable", Blame.TASK)


async def test_a_folder_that_cannot_be_written_is_not_the_videos_fault(
    media: MediaReader, tmp_path: Path
) -> None:
    fault = await media.decode(SAMPLE, tmp_path / "missing" / "a.pcm")
    assert isinstance(fault, Fault)
    assert (fault.code, fault.blame) == ("no_room", Blame.ENGINE)


async def test_the_child_has_its_limits_and_is_used_again(media: MediaReader) -> None:
    await media.probe(SAMPLE)
    (child,) = media_children()
    limits = Path(f"/proc/{child.pid}/limits").read_text()
    (addresses,) = re.findall(r"Max address space +(\d+) +(\d+)", limits)
    assert int(addresses[0]) < 700_000_000
    assert int(addresses[1]) == 2 << 30
    assert "Max core file size        0" in limits
    await media.probe(SAMPLE)
    assert [other.pid for other in media_children()] == [child.pid]


async def test_a_file_that_hangs_the_child_is_not_tried_a_second_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spawned = []

    async def counted(*arguments: Any, **settings: Any) -> Child:
        spawned.append(1)
        return await spawn(*arguments, **settings)

    spawn = Child.spawn
    monkeypatch.setattr(Child, "spawn", counted)
    stuck = tmp_path / "a.mp4"
    os.mkfifo(stuck)
    pipe = os.open(stuck, os.O_RDWR)  # so that reading from it waits
    media = MediaReader(tmp_path / "media.log", probe_limit_s=0.2)
    assert (await faults(media, stuck)) == ("decoder_hung", Blame.PERMANENT)
    assert media_children() == []
    assert len(spawned) == 1
    os.close(pipe)
    await media.aclose()


async def test_a_file_that_kills_two_children_is_at_fault(media: MediaReader, tmp_path: Path) -> None:
    deadly = tmp_path / "a.mp4"
    os.mkfifo(deadly)
    pipe = os.open(deadly, os.O_RDWR)
    asked = asyncio.create_task(media.probe(deadly))
    first = await until(lambda: reading(deadly))
    first.kill()
    (await until(lambda: reading(deadly, first.pid))).kill()
    fault = await asked
    assert isinstance(fault, Fault)
    assert (fault.code, fault.blame) == ("decoder_died", Blame.PERMANENT)
    assert isinstance(await media.probe(SAMPLE), Probe)
    os.close(pipe)


async def test_a_child_that_dies_once_costs_nothing(media: MediaReader, tmp_path: Path) -> None:
    slow = tmp_path / "a.mp4"
    os.mkfifo(slow)
    pipe = os.open(slow, os.O_RDWR)
    asked = asyncio.create_task(media.probe(slow))
    killed = await until(lambda: reading(slow))
    slow.rename(tmp_path / "fifo")
    slow.write_bytes(SAMPLE.read_bytes())
    killed.kill()
    assert isinstance(await asked, Probe)
    os.close(pipe)


async def test_a_long_decoding_does_not_hold_up_probes(media: MediaReader, tmp_path: Path) -> None:
    slow = tmp_path / "a.mp4"
    os.mkfifo(slow)
    pipe = os.open(slow, os.O_RDWR)
    decoding = [asyncio.create_task(media.decode(slow, tmp_path / f"{n}.pcm")) for n in range(3)]
    await until(lambda: reading(slow))
    assert isinstance(await media.probe(SAMPLE), Probe)
    assert not any(task.done() for task in decoding)
    for task in decoding:
        task.cancel()
    await asyncio.gather(*decoding, return_exceptions=True)
    assert reading(slow) is None  # the child whose answer nobody waits for is gone
    assert isinstance(await media.probe(SAMPLE), Probe)
    os.close(pipe)


async def test_long_work_of_one_account_holds_up_nobody_elses(media: MediaReader, tmp_path: Path) -> None:
    slow = tmp_path / "a.mp4"
    os.mkfifo(slow)
    pipe = os.open(slow, os.O_RDWR)
    work: list[asyncio.Task[Any]] = [asyncio.create_task(media.probe(slow, "mallory")) for _ in range(4)]
    work += [asyncio.create_task(media.decode(slow, tmp_path / f"{n}.pcm", "mallory")) for n in range(3)]
    await until(lambda: len(media_children()) >= 2)
    assert isinstance(await media.probe(SAMPLE, "bob"), Probe)
    assert isinstance(await media.decode(SAMPLE, tmp_path / "bob.pcm", "bob"), Decoded)
    assert not any(task.done() for task in work)
    for task in work:
        task.cancel()
    await asyncio.gather(*work, return_exceptions=True)
    os.close(pipe)


async def test_no_more_children_are_kept_than_are_usual(media: MediaReader) -> None:
    accounts = ("ann", "bob", "eve", "zoe")
    await asyncio.gather(*(media.probe(SAMPLE, account) for account in accounts for _ in range(3)))
    assert len(media_children()) <= 2


async def test_closing_ends_all_children(tmp_path: Path) -> None:
    media = MediaReader(tmp_path / "media.log")
    await asyncio.gather(media.probe(SAMPLE), media.probe(SAMPLE))
    assert media_children()
    await media.aclose()
    assert media_children() == []


def noise(seconds: float) -> np.ndarray[tuple[int, int], np.dtype[np.int16]]:
    """So that a lossless codec has something to keep."""
    values = np.random.default_rng(2).integers(-3000, 3000, size=(1, round(seconds * 48_000)))
    return values.astype(np.int16)


async def test_a_disk_that_keeps_what_was_begun_is_no_error_of_the_reader(
    media: MediaReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(path: Path, missing_ok: bool = False) -> None:
        raise OSError(errno.ESTALE, "Stale file handle")

    monkeypatch.setattr(Path, "unlink", away)
    assert isinstance(await media.decode(SAMPLE, tmp_path / "sound.pcm"), Decoded)


@pytest.mark.parametrize(("error", "blame"), [(errno.ESTALE, Blame.ENGINE), (errno.EIO, Blame.TASK)])
async def test_no_video_is_to_blame_for_a_file_system_that_is_away(
    media: MediaReader, monkeypatch: pytest.MonkeyPatch, error: int, blame: Blame
) -> None:
    opened = os.open

    def away(path: Any, *more: Any, **others: Any) -> int:
        if path == SAMPLE:
            raise OSError(error, os.strerror(error))
        return opened(path, *more, **others)

    monkeypatch.setattr(os, "open", away)
    fault = await media.probe(SAMPLE)
    assert isinstance(fault, Fault)
    assert (fault.code, fault.blame) == ("unreadable", blame)
