"""An engine that is not Whisper goes through the whole protocol: it is a module, and nothing else changes."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from daemon.contracts.values import Failed, StageOutcome, SttWork, Take, Ticket, Transcribed
from daemon.core.errors import Blame, EngineError
from daemon.stt.transcriber import WhisperEngine
from daemon.stt.windows import RATE
from daemon.system.lock import holder
from daemon.system.weights import Weights
from tests.support.checkout import REPOSITORY
from tests.support.scripted_hearing import BATCH, DEADLY_S, FULL_S, HELD_S, POISON_S, RELEASE_S, WORDS

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]

Maker = Callable[[bytes], WhisperEngine]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Maker:
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    model = tmp_path / "scripted"
    model.mkdir()

    def of(weights: bytes) -> WhisperEngine:
        (model / "model.bin").write_bytes(weights)
        log = tmp_path / "stt.log"
        module = "tests.support.scripted_hearing"
        return WhisperEngine(Weights.unpinned(model), tmp_path / "state", log, worker=module)

    return of


@pytest.fixture
async def engine(make: Maker) -> AsyncIterator[WhisperEngine]:
    started = make(b"weights")
    await started.start()
    yield started
    await started.stop()
    assert holder(started.lock) is None


def recording(folder: Path, number: int, length_s: int) -> SttWork:
    pcm = folder / f"{number}.pcm"
    np.full(length_s * RATE, 5000, dtype="<i2").tofile(pcm)
    return SttWork(Ticket(number, 1, 1), pcm, (Take(float(length_s)),))


async def heard(engine: WhisperEngine, folder: Path, *lengths_s: int) -> Sequence[StageOutcome]:
    works = [recording(folder, number, length_s) for number, length_s in enumerate(lengths_s, 1)]
    return await asyncio.gather(*(engine.transcribe(work, lambda ticket, share: None) for work in works))


def batches(folder: Path) -> list[list[int]]:
    """The seconds of the windows of each batch, without the probe clip's."""
    lines = (folder / "stt.log").read_text(encoding="utf-8").splitlines()
    return [[int(length) for length in line.split()[1:]] for line in lines if line.startswith("batch")][1:]


def said(outcome: StageOutcome) -> list[tuple[float, float, int]]:
    """The start and end of each segment, and how many seconds the engine heard in its window."""
    assert isinstance(outcome, Transcribed), outcome
    segments = outcome.transcript.segments
    assert all(each.text.endswith(WORDS) for each in segments)
    return [(each.start_s, each.end_s, int(each.text.split()[0])) for each in segments]


async def test_its_times_are_those_of_the_recording_and_its_name_is_in_the_result(
    engine: WhisperEngine, tmp_path: Path
) -> None:
    outcomes = await heard(engine, tmp_path, 4, 40, 6)
    assert [said(outcome) for outcome in outcomes] == [
        [(0.0, 4.0, 4)],
        [(0.0, 20.0, 20), (20.0, 40.0, 20)],
        [(0.0, 6.0, 6)],
    ]
    assert isinstance(outcomes[0], Transcribed)
    told = outcomes[0].provenance
    assert (told["scripted-hearing"], told["compute_type"], told["batch_size"]) == ("1.0", "scripted", BATCH)
    assert "ctranslate2" not in told


async def test_a_poisoned_window_is_its_own_recordings_fault(engine: WhisperEngine, tmp_path: Path) -> None:
    pid = engine.pid
    before, poisoned, after = await heard(engine, tmp_path, 4, POISON_S, 40)
    assert isinstance(poisoned, Failed)
    assert (poisoned.fault.blame, poisoned.fault.code) == (Blame.TASK, "stt_error")
    assert "a poisoned window" in poisoned.fault.message
    assert (len(said(before)), len(said(after))) == (1, 2)
    assert engine.pid == pid


async def test_recordings_share_a_batch_which_is_halved_if_it_does_not_fit(
    engine: WhisperEngine, tmp_path: Path
) -> None:
    outcomes = await heard(engine, tmp_path, FULL_S, FULL_S, FULL_S, FULL_S)
    assert [said(outcome) for outcome in outcomes] == [[(0.0, FULL_S, FULL_S)]] * BATCH
    assert [len(batch) for batch in batches(tmp_path)] == [4, 2, 1, 1, 1, 1]


async def test_what_a_cancelled_recording_still_waits_for_is_dropped(
    engine: WhisperEngine, tmp_path: Path
) -> None:
    begun = asyncio.Event()
    pid = engine.pid
    long = recording(tmp_path, 1, 266)  # nine windows: a batch is heard, one is held, and one waits
    gone = asyncio.create_task(engine.transcribe(long, lambda ticket, share: begun.set()))
    await begun.wait()
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    [outcome] = await heard(engine, tmp_path, RELEASE_S)
    assert said(outcome) == [(0.0, RELEASE_S, RELEASE_S)]
    assert batches(tmp_path) == [[HELD_S] * BATCH, [HELD_S] * BATCH, [RELEASE_S]]
    assert engine.pid == pid


async def test_its_death_is_told_and_it_starts_again(engine: WhisperEngine, tmp_path: Path) -> None:
    [outcome] = await heard(engine, tmp_path, DEADLY_S)
    assert isinstance(outcome, Failed)
    assert (outcome.fault.blame, outcome.fault.code) == (Blame.ENGINE, "worker_died")
    assert outcome.fault.died
    assert not engine.alive
    await engine.start()
    [outcome] = await heard(engine, tmp_path, 4)
    assert len(said(outcome)) == 1


async def test_a_model_that_it_cannot_load_is_named(make: Maker) -> None:
    engine = make(b"")
    with pytest.raises(EngineError, match="the scripted model is empty"):
        await engine.start()
    assert not engine.alive
    assert holder(engine.lock) is None
