"""The Whisper engine with real models: what it hears, what it refuses, and how it dies."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from daemon.contracts.values import (
    Decoded,
    Failed,
    StageOutcome,
    SttWork,
    Take,
    Ticket,
    Transcribed,
    Unscorable,
)
from daemon.core.errors import Blame, EngineError
from daemon.models import weights_of
from daemon.stt.decoder import MediaReader
from daemon.stt.transcriber import WhisperEngine
from daemon.system.lock import holder
from daemon.system.weights import Weights
from tests.support.checkout import model_folder
from tests.support.clips import Sound, film, rumble, spoken

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600)]

CHECKOUT = Path(__file__).resolve().parents[2]
SAMPLES = CHECKOUT / "samples"
MEDIA = CHECKOUT / "tests" / "media"
WORDS: dict[str, dict[str, Any]] = json.loads((SAMPLES / "words.json").read_text(encoding="utf-8"))
SPOKEN = [name for name, sample in WORDS.items() if sample["words"]]
NUMBERS = {
    "nineteen": "19",
    "twenty": "20",
    "twenty one": "21",
    "twenty two": "22",
    "twenty three": "23",
    "twenty four": "24",
}


def whisper(folder: Path, model: str = "whisper-tiny.en", **options: Any) -> WhisperEngine:
    return WhisperEngine(
        weights_of(model_folder(model).parent, model),
        folder / "state",
        folder / "stt.log",
        **{"device": "cpu", "compute_type": "int8", **options},
    )


@asynccontextmanager
async def started(engine: WhisperEngine) -> AsyncIterator[WhisperEngine]:
    await engine.start()
    try:
        yield engine
    finally:
        await engine.stop()
    assert holder(engine.lock) is None


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One loop for all tests here, so that what harms no engine can share one."""
    return "asyncio"


@pytest.fixture(scope="module")
async def tiny(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WhisperEngine]:
    async with started(whisper(tmp_path_factory.mktemp("tiny"))) as engine:
        yield engine


@pytest.fixture(scope="module")
async def base(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WhisperEngine]:
    async with started(whisper(tmp_path_factory.mktemp("base"), "whisper-base")) as engine:
        yield engine


@pytest.fixture(scope="module")
async def media(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[MediaReader]:
    reader = MediaReader(tmp_path_factory.mktemp("media") / "media.log")
    yield reader
    await reader.aclose()


async def pcm_of(media: MediaReader, folder: Path, *clips: Path) -> SttWork:
    """The clips, decoded one after the other."""
    joined = folder / f"{clips[0].stem}.pcm"
    with joined.open("wb") as file:
        for clip in clips:
            part = await media.decode(clip, folder / "part.pcm")
            assert isinstance(part, Decoded), part
            file.write(part.pcm.read_bytes())
    return SttWork(Ticket(1, 1, 1), joined, (Take(joined.stat().st_size / 32_000),))


@pytest.mark.parametrize(
    ("tracks", "flag"),
    [
        (lambda voice: [rumble(5), voice], "audio_track"),
        (lambda voice: [np.concatenate([rumble(5), voice])], "one_channel"),
        (lambda voice: [np.concatenate([rumble(5), rumble(5, 2), voice])], "one_channel"),
        (lambda voice: [np.concatenate([voice, voice // 2])], None),
        (lambda voice: [voice, voice // 2], None),
    ],
    ids=["second track", "right channel", "third channel", "stereo", "two of the same"],
)
async def test_the_voice_is_heard_where_it_is_the_clearest(
    media: MediaReader,
    tiny: WhisperEngine,
    tmp_path: Path,
    tracks: Callable[[Sound], list[Sound]],
    flag: str | None,
) -> None:
    voice = spoken(MEDIA / "probe.wav")
    decoded = await media.decode(film(tmp_path / "a.mov", *tracks(voice), codec="pcm_s16le"), tmp_path / "a")
    assert isinstance(decoded, Decoded), decoded
    outcome = await heard(tiny, SttWork(Ticket(1, 1, 1), decoded.pcm, decoded.takes))
    assert isinstance(outcome, Transcribed), outcome
    assert [each.code for each in outcome.flags] == ([flag] if flag else [])
    alone = await media.decode(MEDIA / "probe.wav", tmp_path / "b")
    assert isinstance(alone, Decoded)
    words = said(await heard(tiny, SttWork(Ticket(1, 1, 1), alone.pcm, alone.takes)))
    assert errors(words, said(outcome)) <= 2


async def heard(engine: WhisperEngine, work: SttWork) -> StageOutcome:
    return await engine.transcribe(work, lambda ticket, done: None)


def said(outcome: StageOutcome) -> list[str]:
    assert isinstance(outcome, Transcribed), outcome
    return plain(outcome.transcript.text)


def plain(text: str) -> list[str]:
    """Words as they are compared: without case and marks, numbers as figures."""
    flat = re.sub(r"[^a-z0-9' ]", " ", text.lower().replace("-", " "))
    for word, figure in sorted(NUMBERS.items(), reverse=True):
        flat = re.sub(rf"\b{word}\b", figure, flat)
    return flat.split()


def errors(expected: Sequence[str], found: Sequence[str]) -> int:
    """The edit distance in words."""
    row = list(range(len(found) + 1))
    for number, word in enumerate(expected, 1):
        before, row[0] = row[:], number
        for place, other in enumerate(found, 1):
            row[place] = min(before[place] + 1, row[place - 1] + 1, before[place - 1] + (word != other))
    return row[-1]


async def understood(engine: WhisperEngine, media: MediaReader, folder: Path) -> float:
    """The share of the samples' words that it does not hear as they were said."""
    wrong = total = 0
    for name in SPOKEN:
        outcome = await heard(engine, await pcm_of(media, folder, SAMPLES / name))
        expected = plain(WORDS[name]["words"])
        wrong += errors(expected, said(outcome))
        total += len(expected)
        assert isinstance(outcome, Transcribed)
        assert 100 < outcome.speaking.words_per_minute < 260
        assert outcome.provenance["digest"].startswith("sha256:")
        assert outcome.provenance["model"] == engine.report().model
    return wrong / total


async def test_the_samples_are_understood_by_tiny(
    tmp_path: Path, tiny: WhisperEngine, media: MediaReader
) -> None:
    assert await understood(tiny, media, tmp_path) <= 0.08
    assert tiny.report().model == "whisper-tiny.en"


async def test_the_samples_are_understood_by_base(
    tmp_path: Path, base: WhisperEngine, media: MediaReader
) -> None:
    assert await understood(base, media, tmp_path) <= 0.05
    assert base.report().model == "whisper-base"


async def test_what_cannot_be_rated_is_unscorable(
    tmp_path: Path, base: WhisperEngine, media: MediaReader
) -> None:
    for clip, code in (
        (SAMPLES / "s007_silent.mp4", "no_speech"),
        (MEDIA / "noise.mp4", "no_speech"),
        (MEDIA / "german.mp4", "wrong_language"),
    ):
        outcome = await heard(base, await pcm_of(media, tmp_path, clip))
        assert isinstance(outcome, Unscorable), outcome
        assert outcome.code == code
        assert outcome.message
        assert outcome.speaking is not None


async def test_ninety_seconds_lose_no_words(tmp_path: Path, tiny: WhisperEngine, media: MediaReader) -> None:
    """A VadOptions object in place of our options dropped two thirds of the words, and a window's
    answer that breaks off loses its rest."""
    clips = [SAMPLES / name for name in SPOKEN[:5]]
    expected = [word for name in SPOKEN[:5] for word in plain(WORDS[name]["words"])]
    done: list[float] = []
    work = await pcm_of(media, tmp_path, *clips)
    assert work.takes[0].duration_s > 85
    outcome = await tiny.transcribe(work, lambda ticket, share: done.append(share))
    assert errors(expected, said(outcome)) / len(expected) <= 0.10
    assert isinstance(outcome, Transcribed)
    segments = outcome.transcript.segments
    assert all(earlier.start_s <= later.start_s for earlier, later in pairwise(segments))
    assert work.takes[0].duration_s - 5 < segments[-1].end_s <= work.takes[0].duration_s + 0.1
    assert done == sorted(done)
    assert done[-1] == 1.0


async def test_a_file_that_cannot_be_read_costs_the_worker_nothing(
    tmp_path: Path, tiny: WhisperEngine, media: MediaReader
) -> None:
    work = await pcm_of(media, tmp_path, SAMPLES / SPOKEN[0])
    pid = tiny.pid
    outcome = await heard(tiny, SttWork(work.ticket, tmp_path / "missing.pcm", (Take(5.0),)))
    assert isinstance(outcome, Failed)
    assert (outcome.fault.blame, outcome.fault.code) == (Blame.TASK, "stt_error")
    assert not outcome.fault.died
    assert len(said(await heard(tiny, work))) > 30
    assert tiny.pid == pid


async def test_a_dead_worker_is_the_engines_fault_and_its_neighbours_are_unhurt(
    tmp_path: Path, media: MediaReader
) -> None:
    work = await pcm_of(media, tmp_path, SAMPLES / SPOKEN[0])
    async with started(whisper(tmp_path)) as engine:
        assert engine.pid is not None
        os.kill(engine.pid, signal.SIGSTOP)  # so that it dies with the video in hand
        asked = asyncio.create_task(heard(engine, work))
        await asyncio.sleep(0)
        os.kill(engine.pid, signal.SIGKILL)
        outcome = await asked
        assert isinstance(outcome, Failed)
        assert (outcome.fault.blame, outcome.fault.code) == (Blame.ENGINE, "worker_died")
        assert outcome.fault.died
        assert "SIGKILL" in outcome.fault.message
        assert not engine.alive
        assert holder(engine.lock) is None
        rest = await heard(engine, work)
        assert isinstance(rest, Failed)
        assert (rest.fault.code, rest.fault.died) == ("not_running", False)
        await engine.start()
        assert len(said(await heard(engine, work))) > 30


async def test_a_worker_that_hangs_is_ended(tmp_path: Path, media: MediaReader) -> None:
    work = await pcm_of(media, tmp_path, SAMPLES / SPOKEN[0])
    async with started(whisper(tmp_path, limit_s=0.5, limit_factor=0.0)) as engine:
        assert engine.pid is not None
        os.kill(engine.pid, signal.SIGSTOP)
        outcome = await heard(engine, work)
        assert isinstance(outcome, Failed)
        assert (outcome.fault.blame, outcome.fault.code) == (Blame.ENGINE, "worker_hung")
        assert outcome.fault.died
        assert not engine.alive


async def test_an_attempt_has_as_long_as_the_pace_of_the_probe_clip_shows(tmp_path: Path) -> None:
    async with started(whisper(tmp_path, limit_s=0.001, limit_factor=0.0)) as engine:
        probe = engine.lock.with_name("stt.probe.pcm")
        outcome = await heard(engine, SttWork(Ticket(1, 1, 1), probe, (Take(1.0),)))
        assert isinstance(outcome, Transcribed)


async def test_a_cancelled_try_costs_its_neighbour_nothing(tmp_path: Path, media: MediaReader) -> None:
    work = await pcm_of(media, tmp_path, SAMPLES / SPOKEN[0])
    async with started(whisper(tmp_path)) as engine:
        pid = engine.pid
        gone, kept = (asyncio.create_task(heard(engine, work)) for _ in range(2))
        await asyncio.sleep(0)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        assert len(said(await kept)) > 30
        assert engine.pid == pid


@pytest.mark.parametrize("file", ["model.bin", "tokenizer.json", "config.json", "vocabulary.txt"])
async def test_a_model_that_lacks_a_file_is_named_and_nothing_runs(tmp_path: Path, file: str) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    for path in model_folder("whisper-tiny.en").iterdir():
        if path.name != file:
            (folder / path.name).symlink_to(path)
    engine = WhisperEngine(Weights.unpinned(folder), tmp_path, tmp_path / "stt.log")
    with pytest.raises(EngineError, match=re.escape(file)):
        await engine.start()
    assert not engine.alive
    assert holder(engine.lock) is None


async def test_a_damaged_model_and_a_missing_gpu_say_so(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    for path in model_folder("whisper-tiny.en").iterdir():
        (folder / path.name).write_bytes(path.read_bytes()[: 1 << 22])
    with pytest.raises(EngineError, match="does not load"):
        await WhisperEngine(Weights.unpinned(folder), tmp_path, tmp_path / "stt.log", device="cpu").start()
    with pytest.raises(EngineError, match="does not load"):
        await WhisperEngine(Weights.unpinned(folder), tmp_path, tmp_path / "stt.log", device="cuda").start()


PARENT = """
import asyncio, sys
from pathlib import Path
from daemon.stt.transcriber import WhisperEngine
from daemon.system.weights import Weights

async def main():
    model, state = Weights.unpinned(Path(sys.argv[1])), Path(sys.argv[2])
    engine = WhisperEngine(model, state, state / "stt.log", device="cpu")
    await engine.start()
    print(engine.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def other_daemon(folder: Path) -> tuple[subprocess.Popen[str], int]:
    """A process with a started engine, and the engine's process id."""
    daemon = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(model_folder("whisper-tiny.en")), str(folder / "state")],
        stdout=subprocess.PIPE,
        text=True,
        cwd=CHECKOUT,
    )
    assert daemon.stdout is not None
    return daemon, int(daemon.stdout.readline())


async def test_the_worker_dies_with_its_daemon(tmp_path: Path) -> None:
    daemon, worker = other_daemon(tmp_path)
    lock = tmp_path / "state" / "engines" / "stt.lock"
    assert holder(lock) == worker
    daemon.kill()
    daemon.wait()
    async with asyncio.timeout(10):
        while holder(lock) is not None or psutil.pid_exists(worker):
            await asyncio.sleep(0.01)


async def test_a_worker_of_another_daemon_is_ended_by_stop(tmp_path: Path) -> None:
    daemon, worker = other_daemon(tmp_path)
    engine = whisper(tmp_path)
    try:
        await engine.stop()
        assert holder(engine.lock) is None
    finally:
        daemon.kill()
        daemon.wait()
    assert not psutil.pid_exists(worker)
