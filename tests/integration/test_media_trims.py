"""Clips that were trimmed: an mp4's edit list hides what is still in the file."""

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from daemon.contracts.values import Decoded, Probe
from daemon.core.errors import Fault
from daemon.stt.decoder import MediaReader
from tests.support.clips import RATE, Sound, cut_off, cut_out, edited, film, spoil, tone

pytestmark = pytest.mark.anyio


@pytest.fixture
async def media(tmp_path: Path) -> AsyncIterator[MediaReader]:
    reader = MediaReader(tmp_path / "media.log", max_duration_s=60.0)
    yield reader
    await reader.aclose()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film(tmp_path_factory.mktemp("whole") / "a.mp4", tone(30), picture_s=30)


async def decoded(media: MediaReader, path: Path) -> Decoded:
    outcome = await media.decode(path, path.with_suffix(".pcm"))
    assert isinstance(outcome, Decoded), outcome
    assert outcome.takes[0].flags == ()
    return outcome


@pytest.mark.parametrize("lead_s", [0.4, 1.0, 4.0, 10.0])
@pytest.mark.parametrize("seconds", [1.0, 3.0, 9.0, 15.0])
async def test_a_clip_that_was_cut_out_is_whole(
    media: MediaReader, tmp_path: Path, whole: Path, seconds: float, lead_s: float
) -> None:
    path = cut_out(whole, tmp_path / "a.mp4", 11.0, seconds, lead_s)
    probe = await media.probe(path)
    assert isinstance(probe, Probe)
    assert probe.duration_s == pytest.approx(seconds, abs=0.15)
    assert (await decoded(media, path)).takes[0].duration_s == pytest.approx(seconds, abs=0.15)


@pytest.mark.parametrize(
    "segments",
    [
        [(2.0, 3.0)],
        [(0.0, 2.0)],
        [(9.0, 1.0)],
        [(0.0, 2.0), (6.0, 2.0)],
        [(1.0, 1.0), (4.0, 1.0), (8.0, 1.5)],
    ],
    ids=["middle", "beginning", "end", "a part left out", "two parts left out"],
)
async def test_only_what_an_edit_list_plays_is_heard(
    media: MediaReader, tmp_path: Path, segments: list[tuple[float, float]]
) -> None:
    path = edited(film(tmp_path / "a.mp4", tone(10), picture_s=10), *segments)
    outcome = await decoded(media, path)
    played_s = sum(length for _, length in segments)
    assert outcome.takes[0].duration_s == pytest.approx(played_s, abs=0.2)


async def test_a_trimmed_clip_plays_the_right_part(media: MediaReader, tmp_path: Path) -> None:
    path = edited(film(tmp_path / "a.mp4", louder_and_louder(10)), (7.0, 2.0))
    sound = np.fromfile((await decoded(media, path)).pcm, dtype="<i2").astype(float)
    expected = louder_and_louder(10)[0, round(7 * RATE) : round(9 * RATE)].astype(float)
    assert np.sqrt(np.mean(sound**2)) == pytest.approx(np.sqrt(np.mean(expected**2)), rel=0.1)


@pytest.mark.parametrize(("seconds", "lead_s"), [(3.0, 1.0), (9.0, 1.0), (9.0, 8.0), (15.0, 10.0)])
async def test_a_trimmed_clip_that_is_cut_off_is_truncated(
    media: MediaReader, tmp_path: Path, whole: Path, seconds: float, lead_s: float
) -> None:
    path = cut_out(whole, tmp_path / "a.mp4", 11.0, seconds, lead_s)
    fault = await media.probe(cut_off(path, 0.75))
    assert isinstance(fault, Fault)
    assert fault.code == "truncated"


async def test_a_trimmed_clip_with_corrupt_sound_is_damaged(media: MediaReader, tmp_path: Path) -> None:
    noise = np.random.default_rng(2).integers(-3000, 3000, size=(1, 9 * RATE)).astype(np.int16)
    path = spoil(edited(film(tmp_path / "a.mp4", noise, codec="flac"), (2.0, 5.0)))
    fault = await media.decode(path, tmp_path / "a.pcm")
    assert isinstance(fault, Fault)
    assert fault.code == "damaged"


def louder_and_louder(seconds: float) -> Sound:
    sound = tone(seconds).astype(float)
    sound *= np.linspace(0.1, 1, sound.shape[1])
    return sound.astype(np.int16)
