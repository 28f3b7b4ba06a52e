"""Damaged and hostile files: every one gets an answer, and afterwards a good one is read as ever."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from daemon.contracts.values import Decoded, Probe
from daemon.core.errors import Blame, Fault
from daemon.stt.decoder import MediaReader
from tests.support.checkout import SAMPLES
from tests.support.children import media_children
from tests.support.clips import film, silence
from tests.support.damaged import Corpus, Damaged, beginnings, corpus
from tests.support.hostile import hours_of_silence, many_streams, mp4_that_says, wav_that_says
from tests.support.inprocess import Lab, worked_off

pytestmark = pytest.mark.anyio

FILES = 2100
THROUGH_THE_DAEMON = 200
AT_ONCE = 4
GOOD = sorted(SAMPLES.glob("s00*.mp4"))
MOST_BYTES = 600_000_000  # of memory that a media child may hold: hundreds of streams take 350 MB
CODES = {"not_media", "damaged", "truncated", "no_audio", "too_long"}


@dataclass
class Census:
    """What this process holds, and what its media children hold at most."""

    files: int = 0
    children: int = 0
    memory: int = 0
    most: int = field(default=0)

    @classmethod
    def now(cls) -> "Census":
        process = psutil.Process()
        children = media_children()
        most = max((child.memory_info().rss for child in children), default=0)
        return cls(process.num_fds(), len(children), process.memory_info().rss, most)


@pytest.fixture
async def media(tmp_path: Path) -> AsyncIterator[MediaReader]:
    reader = MediaReader(tmp_path / "media.log", children=3)
    yield reader
    await reader.aclose()


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return corpus(beginnings(GOOD, tmp_path_factory.mktemp("good"), seconds=3.0), FILES)


async def answer(media: MediaReader, path: Path) -> Decoded | Fault:
    """What becomes of a file: as in the daemon, what passes the probe is decoded."""
    probed = await media.probe(path)
    if isinstance(probed, Fault):
        return probed
    assert isinstance(probed, Probe)
    pcm = path.with_name(path.name + ".pcm")
    decoded = await media.decode(path, pcm)
    pcm.unlink(missing_ok=True)
    return decoded


async def reads_the_samples(media: MediaReader, folder: Path) -> None:
    for sample in GOOD:
        decoded = await media.decode(sample, folder / "good.pcm")
        assert isinstance(decoded, Decoded)
        assert decoded.takes[0].flags == ()


async def test_two_thousand_damaged_files_do_no_harm(
    media: MediaReader, damaged: Corpus, tmp_path: Path
) -> None:
    await asyncio.gather(*(media.probe(GOOD[0]) for _ in range(3)))  # so that all children are up
    before = Census.now()
    codes: Counter[tuple[str, str]] = Counter()
    numbers = iter(range(len(damaged)))

    async def work() -> None:
        for number in numbers:
            bad = damaged[number]
            path = tmp_path / f"{number}{bad.suffix}"
            path.write_bytes(bad.content)
            found = await answer(media, path)
            if isinstance(found, Fault):
                assert (found.blame, found.died) == (Blame.PERMANENT, False), found
                assert found.message
            codes[bad.kind, found.code if isinstance(found, Fault) else "read"] += 1
            path.unlink()

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    after = Census.now()
    assert codes.total() == len(damaged)
    assert {code for _, code in codes} <= CODES | {"read"}, codes  # no child died or hung
    assert codes["suffix", "read"] == FILES // 7  # a wrong extension alone is no damage
    assert not list(tmp_path.glob("*.pcm*"))
    assert after.children <= before.children  # who lacked memory for a file was replaced
    assert after.files <= before.files
    assert after.memory - before.memory < 50_000_000
    assert after.most < 250_000_000
    await reads_the_samples(media, tmp_path)


async def test_the_daemon_answers_two_hundred_and_then_works_off_a_class(
    damaged: Corpus, tmp_path: Path
) -> None:
    lab = Lab(tmp_path / "lab", media=MediaReader(tmp_path / "media.log", children=3))
    bad: Sequence[Damaged] = [damaged[n] for n in range(0, FILES, FILES // THROUGH_THE_DAEMON)]
    async with lab.daemon() as daemon:
        for number, each in enumerate(bad):
            lab.hand_in(f"b{number:03d}_damaged{each.suffix}", each.content)
        await worked_off(daemon, timeout_s=120)
        spoiled = lab.results()
        before = Census.now()
        for number, sample in enumerate(GOOD):
            lab.hand_in(f"s{number:03d}_good.mp4", sample.read_bytes())
        await worked_off(daemon)
        after = Census.now()
        good = [result for name, result in lab.results().items() if name not in spoiled]
    refused = list(lab.outbox.glob("_rejected/*.reason.json"))
    assert len(spoiled) == len(bad)
    assert refused == []
    assert {result["outcome"] for result in spoiled.values()} == {"failed", "evaluated"}
    failed = [result["error"]["code"] for result in spoiled.values() if result["outcome"] == "failed"]
    assert set(failed) <= CODES
    assert [result["outcome"] for result in good] == ["evaluated"] * len(GOOD)
    assert after.children <= 3  # they come up one by one, when they are needed
    assert after.files <= before.files + 8


Make = Callable[[Path], Path]
SAMPLE = GOOD[0]


@pytest.mark.parametrize(
    ("name", "make", "code"),
    [
        ("hours.mp4", lambda p: hours_of_silence(p, 5), "too_long"),
        ("hours.webm", lambda p: hours_of_silence(p, 1, "libopus", 48_000), "too_long"),
        ("hours.flac", lambda p: film(p, silence(600), codec="flac", rate=8000), "too_long"),
        (
            "hours_that_say_seconds.mp4",
            lambda p: mp4_that_says(p, hours_of_silence(p, 3), b"stts", 12, 1),
            "too_long",
        ),
        ("streams.mp4", lambda p: many_streams(p, 200), "silent"),
        ("streams.mkv", lambda p: many_streams(p, 120, heard=True), "silent"),
        ("rate_0.wav", lambda p: wav_that_says(p, rate=0), "damaged"),
        ("rate_1.wav", lambda p: wav_that_says(p, rate=1), "too_long"),
        ("rate_31_bits.wav", lambda p: wav_that_says(p, rate=0x7FFFFFFF), "damaged"),
        ("rate_32_bits.wav", lambda p: wav_that_says(p, rate=0xFFFFFFFF), "damaged"),
        ("channels_255.wav", lambda p: wav_that_says(p, channels=255), "damaged"),
        ("channels_65535.wav", lambda p: wav_that_says(p, channels=0xFFFF), "damaged"),
        ("no_bits.wav", lambda p: wav_that_says(p, bits=0), "no_audio"),
        ("timescale_1.mp4", lambda p: mp4_that_says(p, SAMPLE, b"mdhd", 12, 1), "damaged"),
        ("length_32_bits.mp4", lambda p: mp4_that_says(p, SAMPLE, b"mdhd", 16, 0xFFFFFFFF), "read"),
        ("packets_of_4_gb.mp4", lambda p: mp4_that_says(p, SAMPLE, b"stsz", 4, 0xFFFFFFFF), "damaged"),
        ("4e9_packets.mp4", lambda p: mp4_that_says(p, SAMPLE, b"stsz", 8, 0xFFFFFFFF), "damaged"),
        ("4e9_times.mp4", lambda p: mp4_that_says(p, SAMPLE, b"stts", 4, 0xFFFFFFFF), "damaged"),
        ("frozen_time.mp4", lambda p: mp4_that_says(p, SAMPLE, b"stts", 12, 0), "damaged"),
        ("huge_picture.mp4", lambda p: mp4_that_says(p, SAMPLE, b"avc1", 24, 0x40004000), "read"),
    ],
)
async def test_what_is_made_to_exhaust_a_decoder_costs_little(
    media: MediaReader, tmp_path: Path, name: str, make: Make, code: str
) -> None:
    path = make(tmp_path / name)
    async with asyncio.timeout(25):
        found = await answer(media, path)
    if isinstance(found, Fault):
        assert found.code == code, found
        assert not found.died
    elif code == "silent":
        assert found.takes[0].duration_s == pytest.approx(1.0, abs=0.1)
    else:
        assert code == "read", found
    assert Census.now().most < MOST_BYTES
    assert isinstance(await media.probe(SAMPLE), Probe)
