"""`hearing`: voices and conditions through the real Whisper `base`, with which no limit was chosen."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from daemon.contracts.values import Decoded, SttWork, Take, Ticket, Transcribed, Unscorable
from daemon.core.content.result import REVIEW_FLAGS
from daemon.stt.decoder import MediaReader
from daemon.stt.transcriber import WhisperEngine
from daemon.system.weights import Weights
from tests.acceptance.wording import errors
from tests.bench.figures import MODELS, Figure, Options, Skipped, at_most
from tests.support.voices import MISSING, RATE, speak, spoiled, write_pcm

BAD, GOOD = 0.4, 0.15  # of the words are wrong
TEXTS = (
    "Hello, my name is Nora Castle. I study physics at the college. I like to draw and to play tennis.",
    "Good evening, I am Henry Stone. My subject is history. On Sundays I bake cakes with my sister.",
    "Hi, this is Julia Fisher. I want to become a doctor, because I like to work with people.",
    "My name is Edward Green. Last year I worked in a garden center. I enjoy climbing and old music.",
    "Hello everyone, I am Martha Young. I come from a small village near the sea, and I study mathematics.",
    "My name is Frank Miller. I am twenty two years old. After school I repaired bicycles for a year.",
    "Hi, I am Susan Baker. In my free time I sing in a choir, and I teach children how to swim.",
    "Good morning, my name is Robert Hill. I want to build houses that need less energy than today.",
)
CLEAR = ("flite:slt", "flite:rms", "flite:awb", "espeak:en-us", "espeak:en-gb", "espeak:en-us+f1")
VARIANTS = {
    1: ("m2", "m4", "m6", "f5", "Andy", "Annie", "klatt2", "whisper", "croak", "steph"),
    2: ("m1", "m3", "m5", "m7", "f2", "f3", "f4", "Alex", "Gene", "klatt4", "Jacky", "Lee"),
}
ACCENTS = {
    1: "de es it fr-fr nl pl sv tr cs ro pt hu hi lt sk vi el da".split(),
    2: "fi ca hr bg sl et lv id sw af cy nb eo ms sq is".split(),
}
CONDITIONS = {
    1: (
        *(f"noise white {snr}" for snr in (25, 12, 6, -2, -8)),
        *(f"noise pink {snr}" for snr in (25, 12, 6, -2, -8)),
        *(f"clip {db}" for db in (6, 18, 28, 38, 45)),
        *(f"level {db}" for db in (-15, -35, -48, -58, -63)),
        *("phone", "echo 0.05", "echo 0.11", "echo 0.25"),
    ),
    2: (
        *(f"noise white {snr}" for snr in (30, 20, 16, 9, 3, 0, -5)),
        *(f"noise pink {snr}" for snr in (30, 20, 16, 9, 3, 0, -5)),
        *(f"clip {db}" for db in (3, 10, 14, 22, 33, 42)),
        *(f"level {db}" for db in (-8, -25, -42, -53, -61)),
        *("phone", "echo 0.03", "echo 0.08", "echo 0.15", "echo 0.3"),
    ),
}


def _spoken(half: int) -> Iterator[tuple[str, str, str]]:
    """The text, the voice and the condition of each clip of a half."""
    voices = [*CLEAR, *(f"espeak:en-us+{variant}" for variant in VARIANTS[half])]
    made = [(voice, "clean") for voice in voices]
    for turn in range(half):  # the second half has each condition in two voices
        made += [
            (CLEAR[(number + 2 * turn) % len(CLEAR)], each) for number, each in enumerate(CONDITIONS[half])
        ]
    made += [(CLEAR[(number + 3) % len(CLEAR)], each) for number, each in enumerate(CONDITIONS[half][::5])]
    made += [(f"espeak:{accent}", "clean") for accent in ACCENTS[half]]
    texts = TEXTS[:4] if half == 1 else TEXTS[4:]
    return ((texts[number % len(texts)], *each) for number, each in enumerate(made))


SPOKEN = (*_spoken(1), *_spoken(2))


@dataclass(frozen=True)
class Heard:
    """What became of one clip: the share of its words that are wrong, and whether it is evaluated."""

    rate: float
    evaluated: bool


def measure(options: Options) -> list[Figure]:
    """The numbers of bad transcripts that are evaluated, and of good ones that are not."""
    if MISSING:
        raise Skipped(f"{' and '.join(MISSING)} not installed (Debian has packages of these names)")
    heard = asyncio.run(_all_heard())
    bad = [each for each in heard if each.rate > BAD]
    good = [each for each in heard if each.rate < GOOD]
    missed = sum(each.evaluated for each in bad)
    doubted = sum(not each.evaluated for each in good)
    return [
        Figure(f"evaluated of {len(bad)} with a word error rate above {BAD}", missed, "", at_most(0)),
        Figure(f"doubted of {len(good)} with one below {GOOD}", doubted, "", at_most(len(good) // 30)),
    ]


@asynccontextmanager
async def listening(folder: Path, streams: int) -> AsyncIterator["Ear"]:
    """Whisper `base` on the processor, in a folder of its own."""
    weights = Weights.unpinned(MODELS / "whisper-base")
    engine = WhisperEngine(weights, folder, folder / "stt.log", device="cpu", streams=streams, limit_s=600.0)
    media = MediaReader(folder / "media.log")
    await engine.start()
    try:
        yield Ear(engine, media, folder)
    finally:
        await engine.stop()
        await media.aclose()


@dataclass(frozen=True)
class Ear:
    """What speaks a text and hears it."""

    engine: WhisperEngine
    media: MediaReader
    folder: Path

    async def hears(
        self, text: str, voice: str, condition: str = "clean", number: int = 0
    ) -> Transcribed | Unscorable:
        """A text in a voice, after what the condition does to it; `number` is its seed and its file."""
        wav = await asyncio.to_thread(speak, voice, text, self.folder / f"{number}.wav")
        decoded = await self.media.decode(wav, wav.with_suffix(".pcm"))
        assert isinstance(decoded, Decoded)
        sound = np.fromfile(decoded.pcm, dtype="<i2").astype(np.float32) / np.float32(32768)
        pcm = write_pcm(spoiled(sound, condition, number), decoded.pcm)
        work = SttWork(Ticket(1, 1, 1), pcm, (Take(len(sound) / RATE),))
        outcome = await self.engine.transcribe(work, lambda ticket, done: None)
        assert isinstance(outcome, (Transcribed, Unscorable)), outcome
        return outcome


async def _all_heard() -> list[Heard]:
    numbers = iter(range(len(SPOKEN)))
    found: list[Heard] = []

    async def work(ear: Ear) -> None:
        for number in numbers:
            text, voice, condition = SPOKEN[number]
            found.append(_judged(text, await ear.hears(text, voice, condition, number)))

    with tempfile.TemporaryDirectory() as name:
        async with listening(Path(name), streams=2) as ear:
            await asyncio.gather(work(ear), work(ear))
    return found


def _judged(text: str, outcome: Transcribed | Unscorable) -> Heard:
    wrong, words = errors(text, outcome.transcript.text if outcome.transcript else "")
    doubted = isinstance(outcome, Unscorable) or any(flag.code in REVIEW_FLAGS for flag in outcome.flags)
    return Heard(wrong / words, not doubted)
