"""Recordings of phones, browsers and editors that are whole, although something about them is odd."""

import struct
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from daemon.contracts.values import Decoded, Probe
from daemon.core.errors import Blame, Fault
from daemon.stt.decoder import MediaReader
from tests.support.clips import RATE, cut_off, film, rumble, silence, spoken, tone

pytestmark = pytest.mark.anyio

MEDIA = Path(__file__).resolve().parents[1] / "media"
FRAGMENTS = {"movflags": "frag_keyframe+empty_moov", "frag_duration": "500000"}
PAUSED = (2.0, 7.0)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One loop for all tests here, so that they share a media child."""
    return "asyncio"


@pytest.fixture(scope="module")
async def media(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[MediaReader]:
    reader = MediaReader(tmp_path_factory.mktemp("media") / "media.log", max_duration_s=60.0)
    yield reader
    await reader.aclose()


async def read(media: MediaReader, path: Path) -> tuple[Decoded, list[str]]:
    """The takes of a file, and the codes of the flags of the first; the probe must state its duration."""
    probe = await media.probe(path)
    assert isinstance(probe, Probe), probe
    decoded = await media.decode(path, path.with_suffix(".pcm"))
    assert isinstance(decoded, Decoded), decoded
    assert probe.duration_s == pytest.approx(decoded.takes[0].duration_s, abs=0.15)
    return decoded, [flag.code for flag in decoded.takes[0].flags]


def loudness(decoded: Decoded, start_s: float, end_s: float) -> float:
    sound = np.fromfile(decoded.pcm, dtype="<i2")[round(start_s * 16_000) : round(end_s * 16_000)]
    return float(np.sqrt(np.mean(np.square(sound, dtype=np.float64))))


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.3gp", "aac"),
        ("a.3g2", "aac"),
        ("a.f4v", "aac"),
        ("a.aac", "aac"),
        ("a.ts", "aac"),
        ("a.m2ts", "ac3"),
        ("a.mpeg", "mp2"),
        ("a.vob", "ac3"),
        ("a.ogv", "flac"),
        ("a.oga", "libopus"),
        ("a.mka", "aac"),
        ("a.mp2", "mp2"),
        ("a.wmv", "libmp3lame"),
        ("a.asf", "libmp3lame"),
        ("a.wma", "libmp3lame"),
        ("a.flv", "aac"),
        ("a.caf", "pcm_s16le"),
        ("a.aiff", "pcm_s16be"),
        ("a.au", "pcm_s16be"),
        ("a.w64", "pcm_s16le"),
    ],
)
async def test_containers_that_students_hand_in_are_read(
    media: MediaReader, tmp_path: Path, name: str, codec: str
) -> None:
    made = film(tmp_path / name, tone(4), codec=codec)
    path = made.rename(tmp_path / "video.mp4")  # by what it is and not by its name
    decoded, codes = await read(media, path)
    assert decoded.takes[0].duration_s == pytest.approx(4, abs=0.2)
    assert codes == []
    assert loudness(decoded, 0.5, 3.5) > 1000


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.mp4", "aac", {}),
        ("a.mov", "aac", {"movflags": "faststart"}),
        ("a.m4a", "alac", {}),
        ("a.mp4", "libopus", {}),
        ("a.mp4", "aac", FRAGMENTS),
        ("a.webm", "libopus", {}),
        ("a.ts", "aac", {}),
        ("a.flv", "aac", {}),
    ],
)
async def test_a_pause_in_the_sound_is_as_long_a_silence(
    media: MediaReader, tmp_path: Path, name: str, codec: str, options: dict[str, str]
) -> None:
    path = film(tmp_path / name, tone(10), codec=codec, hole=PAUSED, options=options)
    decoded, codes = await read(media, path)
    assert decoded.takes[0].duration_s == pytest.approx(10, abs=0.15)
    assert codes == []
    assert loudness(decoded, 2.2, 6.8) < 10
    assert min(loudness(decoded, 0.5, 1.8), loudness(decoded, 7.2, 9.5)) > 1000


async def test_a_pause_right_after_the_beginning_and_many_of_them_are_no_damage(
    media: MediaReader, tmp_path: Path
) -> None:
    decoded, codes = await read(media, film(tmp_path / "a.m4a", tone(8), hole=(0.02, 6.0)))
    assert (codes, round(decoded.takes[0].duration_s)) == ([], 8)
    _, codes = await read(media, film(tmp_path / "b.m4a", tone(3), hole=(1.0, 2.5)))
    assert codes == []


async def test_corrupt_sound_after_a_pause_is_damaged(media: MediaReader, tmp_path: Path) -> None:
    noise = np.random.default_rng(2).integers(-3000, 3000, size=(1, 12 * RATE)).astype(np.int16)
    path = film(tmp_path / "a.mp4", noise, codec="flac", hole=(1.0, 3.0))
    whole = bytearray(path.read_bytes())
    spoiled = slice(len(whole) // 3, len(whole) * 3 // 4)
    whole[spoiled] = np.random.default_rng(1).bytes(spoiled.stop - spoiled.start)
    path.write_bytes(whole)
    fault = await media.decode(path, tmp_path / "a.pcm")
    assert isinstance(fault, Fault)
    assert (fault.code, fault.blame) == ("damaged", Blame.PERMANENT)


async def test_a_header_that_states_more_than_there_is_gives_a_flag(
    media: MediaReader, tmp_path: Path
) -> None:
    path = film(tmp_path / "a.webm", tone(4), codec="libopus")
    content = bytearray(path.read_bytes())
    at = content.index(b"\x44\x89\x88")  # Duration, eight bytes
    content[at + 3 : at + 11] = struct.pack(">d", 60_000.0)
    path.write_bytes(content)
    decoded, codes = await read(media, path)
    assert codes == ["end_missing"]
    assert "60 seconds" in decoded.takes[0].flags[0].detail
    assert decoded.takes[0].duration_s == pytest.approx(4, abs=0.1)


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.ogg", "libopus"), ("a.aac", "aac"), ("a.mp3", "libmp3lame"), ("a.ts", "aac"), ("a.mpeg", "mp2")],
)
async def test_two_recordings_in_one_file_last_as_long_as_both(
    media: MediaReader, tmp_path: Path, name: str, codec: str
) -> None:
    one = film(tmp_path / f"1{name}", tone(5), codec=codec)
    two = film(tmp_path / f"2{name}", tone(3), codec=codec)
    path = tmp_path / name
    path.write_bytes(one.read_bytes() + two.read_bytes())
    decoded, _ = await read(media, path)
    assert decoded.takes[0].duration_s == pytest.approx(8, abs=0.3)


async def test_a_jump_of_the_clock_in_a_stream_is_no_pause(media: MediaReader, tmp_path: Path) -> None:
    one = film(tmp_path / "1.ts", tone(4))
    two = film(tmp_path / "2.ts", tone(4), options={"output_ts_offset": "30000"})
    path = tmp_path / "a.ts"
    path.write_bytes(one.read_bytes() + two.read_bytes())
    decoded, _ = await read(media, path)
    assert decoded.takes[0].duration_s == pytest.approx(8, abs=0.3)


@pytest.mark.parametrize("title", ["Info session", "Xing", "VBRI Xing Info"])
async def test_the_title_of_an_mp3_is_no_header(media: MediaReader, tmp_path: Path, title: str) -> None:
    voice = spoken(MEDIA / "probe.wav")
    plain = film(tmp_path / "a.mp3", voice, codec="libmp3lame", options={"write_xing": "0"}).read_bytes()
    frame = b"TIT2" + struct.pack(">IH", len(title) + 1, 0) + b"\0" + title.encode()
    path = tmp_path / "b.mp3"
    path.write_bytes(b"ID3\3\0\0" + bytes([0, 0, 0, len(frame)]) + frame + plain[len(_tag(plain)) :])
    _, codes = await read(media, path)
    assert codes == []


def _tag(mp3: bytes) -> bytes:
    """The tag at the beginning of an mp3."""
    a, b, c, d = mp3[6:10]
    return mp3[: 10 + (a << 21 | b << 14 | c << 7 | d)] if mp3[:3] == b"ID3" else b""


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.wmv", "libmp3lame"), ("a.caf", "pcm_s16le"), ("a.aiff", "pcm_s16be"), ("a.au", "pcm_s16be")],
)
async def test_bytes_that_the_file_itself_counts_are_missed(
    media: MediaReader, tmp_path: Path, name: str, codec: str
) -> None:
    fault = await media.probe(cut_off(film(tmp_path / name, tone(18), codec=codec), 0.5))
    assert isinstance(fault, Fault)
    assert (fault.code, fault.message[:31]) == ("truncated", "only 50 % of the file has arriv")


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.webm", "libopus", {"live": "1"}),
        ("a.mkv", "aac", {"live": "1"}),
        ("a.mp4", "aac", FRAGMENTS),
        ("a.flv", "aac", {}),
        ("a.ts", "aac", {}),
    ],
)
async def test_a_recorder_that_was_ended_leaves_what_it_had(
    media: MediaReader, tmp_path: Path, name: str, codec: str, options: dict[str, str]
) -> None:
    path = cut_off(film(tmp_path / name, tone(20), codec=codec, options=options), 0.7)
    decoded, _ = await read(media, path)
    assert decoded.takes[0].duration_s == pytest.approx(14, abs=0.8)


async def test_a_picture_of_a_phone_is_no_video_without_sound(media: MediaReader, tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", picture_s=1)
    content = bytearray(path.read_bytes())
    content[8:12] = b"heic"
    path.write_bytes(content)
    fault = await media.probe(path)
    assert isinstance(fault, Fault)
    assert (fault.code, "picture" in fault.message) == ("not_media", True)


async def takes(media: MediaReader, path: Path) -> list[list[str]]:
    decoded, _ = await read(media, path)
    sound = np.fromfile(decoded.pcm, dtype="<i2")
    assert len(sound) == sum(round(take.duration_s * 16_000) for take in decoded.takes)
    return [[flag.code for flag in take.flags] for take in decoded.takes]


async def test_every_track_that_is_heard_is_a_take(media: MediaReader, tmp_path: Path) -> None:
    voice = spoken(MEDIA / "probe.wav")
    assert await takes(media, film(tmp_path / "a.mkv", rumble(5), silence(5), voice)) == [[], ["audio_track"]]


async def test_a_channel_that_another_covers_is_a_take(media: MediaReader, tmp_path: Path) -> None:
    voice, low = spoken(MEDIA / "probe.wav"), rumble(5)
    path = film(tmp_path / "a.m4a", np.concatenate([low, voice]))
    assert await takes(media, path) == [[], ["one_channel"]]
    path = film(tmp_path / "a.wav", np.concatenate([low, rumble(5, 2), voice]), codec="pcm_s16le")
    assert await takes(media, path) == [[], ["one_channel"]]


@pytest.mark.parametrize("other", ["the same", "softer", "silent"])
async def test_a_voice_in_all_channels_is_one_take_and_decoded_once(
    media: MediaReader, tmp_path: Path, other: str
) -> None:
    voice = spoken(MEDIA / "probe.wav")
    side = {"the same": voice, "softer": voice // 4, "silent": silence(5)}[other]
    assert await takes(media, film(tmp_path / "a.m4a", np.concatenate([voice, side]))) == [[]]


async def test_a_damaged_second_track_takes_nothing_from_the_first(
    media: MediaReader, tmp_path: Path
) -> None:
    noise = np.random.default_rng(2).integers(-3000, 3000, size=(1, 6 * RATE)).astype(np.int16)
    path = film(tmp_path / "a.mkv", spoken(MEDIA / "probe.wav"), noise, codec="flac")
    assert len(await takes(media, path)) == 2
