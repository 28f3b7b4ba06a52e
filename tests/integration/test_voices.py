"""Sixty voices and conditions through the real Whisper `base`: what is heard wrong is not evaluated."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from daemon.contracts.values import Decoded, SttWork, Take, Ticket, Transcribed, Unscorable
from daemon.core.content.result import REVIEW_FLAGS
from daemon.stt.decoder import MediaReader
from daemon.stt.transcriber import WhisperEngine
from daemon.system.weights import Weights
from tests.integration.test_whisper import errors, plain
from tests.support.checkout import model_folder
from tests.support.voices import MISSING, RATE, Audio, noise, speak, spoiled, write_pcm

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        bool(MISSING) and not os.environ.get("INTROEVAL_CI"), reason=f"not installed: {', '.join(MISSING)}"
    ),
]

TEXTS = (
    "Hello, my name is Nora Castle. I study physics at the college. I like to draw and to play tennis.",
    "Good evening, I am Henry Stone. My subject is history. On Sundays I bake cakes with my sister.",
    "Hi, this is Julia Fisher. I want to become a doctor, because I like to work with people.",
    "My name is Edward Green. Last year I worked in a garden center. I enjoy climbing and old music.",
)
CLEAR = ("flite:slt", "flite:rms", "flite:awb", "espeak:en-us", "espeak:en-gb", "espeak:en-us+f1")
VARIANTS = ("m2", "m4", "m6", "f5", "Andy", "Annie", "klatt2", "whisper", "croak", "steph")
ACCENTS = (
    "de",
    "es",
    "it",
    "fr-fr",
    "nl",
    "pl",
    "sv",
    "tr",
    "cs",
    "ro",
    "pt",
    "hu",
    "hi",
    "lt",
    "sk",
    "vi",
    "el",
    "da",
)
CONDITIONS = (
    *(f"noise white {snr}" for snr in (25, 12, 6, -2, -8)),
    *(f"noise pink {snr}" for snr in (25, 12, 6, -2, -8)),
    *(f"clip {db}" for db in (6, 18, 28, 38, 45)),
    *(f"level {db}" for db in (-15, -35, -48, -58, -63)),
    *("phone", "echo 0.05", "echo 0.11", "echo 0.25"),
)
SPANISH = (
    "Hola, me llamo Elena Ruiz. Tengo veinte años y estudio en la universidad. Me gusta tocar la guitarra."
)
SPOKEN = (
    *((voice, "clean") for voice in (*CLEAR, *(f"espeak:en-us+{variant}" for variant in VARIANTS))),
    *((CLEAR[number % len(CLEAR)], condition) for number, condition in enumerate(CONDITIONS)),
    *((CLEAR[(number + 3) % len(CLEAR)], condition) for number, condition in enumerate(CONDITIONS[::5])),
    *((f"espeak:{accent}", "clean") for accent in ACCENTS),
)


@dataclass(frozen=True)
class Heard:
    """What became of one clip. `code` is of the reason or the flag; None: it is evaluated."""

    name: str
    rate: float
    code: str | None
    text: str
    words_per_minute: float = 0.0


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def base(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WhisperEngine]:
    folder = tmp_path_factory.mktemp("voices")
    engine = WhisperEngine(
        Weights.unpinned(model_folder("whisper-base")),
        folder,
        folder / "log",
        device="cpu",
        compute_type="int8",
        streams=2,
        limit_s=600.0,  # a busy machine is no fault here
    )
    await engine.start()
    yield engine
    await engine.stop()


@pytest.fixture(scope="module")
async def media(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[MediaReader]:
    reader = MediaReader(tmp_path_factory.mktemp("media") / "media.log")
    yield reader
    await reader.aclose()


async def sound_of(media: MediaReader, wav: Path, voice: str, text: str) -> Audio:
    await asyncio.to_thread(speak, voice, text, wav)
    decoded = await media.decode(wav, wav.with_suffix(".pcm"))
    assert isinstance(decoded, Decoded)
    sound: Audio = np.fromfile(decoded.pcm, dtype="<i2").astype(np.float32) / np.float32(32768)
    return sound


async def listened(engine: WhisperEngine, folder: Path, name: str, text: str, sound: Audio) -> Heard:
    pcm = write_pcm(sound, folder / f"{name}.pcm")
    work = SttWork(Ticket(1, 1, 1), pcm, (Take(len(sound) / RATE),))
    outcome = await engine.transcribe(work, lambda ticket, done: None)
    assert isinstance(outcome, (Transcribed, Unscorable)), outcome
    written = outcome.transcript.text if outcome.transcript else ""
    rate = errors(plain(text), plain(written)) / len(plain(text))
    if isinstance(outcome, Unscorable):
        return Heard(name, rate, outcome.code, written)
    code = next((flag.code for flag in outcome.flags if flag.code in REVIEW_FLAGS), None)
    return Heard(name, rate, code, written, outcome.speaking.words_per_minute)


@pytest.mark.xfail(
    reason="of 58, one at 0.50 was evaluated; the detector heard nothing in one sharp `phone` band, "
    "and half of another",
    strict=False,
)
async def test_what_is_heard_wrong_is_not_evaluated_and_what_is_heard_well_is(
    tmp_path: Path, base: WhisperEngine, media: MediaReader
) -> None:
    assert len(SPOKEN) >= 60
    numbers = iter(range(len(SPOKEN)))
    found: list[Heard] = []

    async def work() -> None:
        for number in numbers:
            voice, condition = SPOKEN[number]
            text = TEXTS[number % len(TEXTS)]
            sound = spoiled(await sound_of(media, tmp_path / f"{number}.wav", voice, text), condition, number)
            found.append(await listened(base, tmp_path, f"{number} {voice} {condition}", text, sound))

    await asyncio.gather(work(), work())
    assert [heard for heard in found if heard.rate > 0.4 and heard.code is None] == []
    good = [heard for heard in found if heard.rate < 0.15]
    flagged = [heard for heard in good if heard.code is not None]
    assert len(good) >= 25
    assert len(flagged) <= len(good) / 30, flagged
    assert {heard.code for heard in found} & {"low_confidence"}
    assert "no_speech" not in {heard.code for heard in found}


@pytest.mark.parametrize("first", [True, False])
async def test_a_spanish_half_gives_no_english_that_nobody_spoke(
    tmp_path: Path, base: WhisperEngine, media: MediaReader, first: bool
) -> None:
    english = await sound_of(media, tmp_path / "en.wav", "flite:slt", TEXTS[0])
    spanish = await sound_of(media, tmp_path / "es.wav", "espeak:es", SPANISH)
    gap = np.zeros(RATE // 2, dtype=np.float32)
    sound = np.concatenate([spanish, gap, english] if first else [english, gap, spanish])
    heard = await listened(base, tmp_path, "half", TEXTS[0], sound)
    assert heard.code == "mixed_language"
    assert heard.rate < 0.2, heard.text
    assert 100 < heard.words_per_minute < 260  # over the seconds of English


async def test_noise_has_no_speech_at_any_level(tmp_path: Path, base: WhisperEngine) -> None:
    for colour, db in (("white", -70), ("pink", -50), ("pink", -10)):
        made = spoiled(noise(colour, 8 * RATE, 1), f"level {db}", 1)
        assert (await listened(base, tmp_path, "noise", TEXTS[0], made)).code == "no_speech"
