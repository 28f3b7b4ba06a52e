"""The languages of a recording, by window and by stretch. Runs only in the Whisper worker.

Whisper detects one language for 30 s. The encoder's output for a few seconds of a window is enough for a
guess about these, at the cost of one step of the decoder. Where the guess is not the expected language, the
stretch is encoded and detected on its own, as short as it is: much cheaper than 30 s, and as sure.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daemon.core.content.document import Segment
from daemon.stt.protocol import SURE, LanguageStretch
from daemon.stt.stretches import SUSPECT, UNSPOKEN, Likely, has_text, likelier, other_language, stretches
from daemon.stt.windows import LIMIT, RATE, Samples, Window

Audio = NDArray[np.float32]
Cut = tuple[int, int]
"""A window's index in its batch, and a frame of the encoder's output."""

Crop = Callable[[Any, Sequence[Cut], int], Any]
"""Cuts so many frames of the encoder's output, from each cut on, as a batch for the decoder."""

FRAME = RATE // 50  # samples for each frame of the encoder's output
GUESSED = 200  # frames


class OnePass:
    """A Whisper model for the batched pipeline, with a cache of the encoder's output of one recording."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._kept: list[tuple[Audio, Any]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def encode(self, features: Audio) -> Any:
        """The encoder's output for `features` (windows, mels, frames)."""
        for known, output in self._kept:
            if np.array_equal(known, features):
                return output
        output = self._model.encode(features)
        self._kept.append((features, output))
        return output

    def once(self, features: Audio) -> Any:
        """The encoder's output, which is not cached."""
        return self._model.encode(features)

    def forget(self) -> None:
        """Free the cached output."""
        self._kept.clear()


@dataclass(frozen=True, slots=True)
class Spoken:
    """The detected language and its probability, that of the transcript and its probability.

    `guesses` has the stretches with the guessed probability that each is in the expected language.
    """

    detected: str | None
    detected_probability: float | None
    language: str
    probability: float | None
    guesses: tuple[tuple[tuple[Samples, ...], float], ...] = ()


class Languages:
    """Detects languages with a loaded model; `expected` is an ISO 639-1 code or None."""

    def __init__(self, one_pass: OnePass, crop: Crop, expected: str | None) -> None:
        self._one_pass = one_pass
        self._crop = crop
        self._expected = expected

    def spoken(self, windows: Sequence[Window], clips: Sequence[Audio], batch_size: int) -> Spoken:
        """The languages of a recording: all windows vote. faster-whisper asks only the first one."""
        if not self._one_pass.model.is_multilingual:
            return Spoken(None, None, "en", None)
        votes: dict[str, float] = {}
        guesses: list[tuple[tuple[Samples, ...], float]] = []
        for first in range(0, len(clips), batch_size):
            features = np.stack([self._whole(clip) for clip in clips[first : first + batch_size]])
            encoded = self._one_pass.encode(features)
            for likely in self._detect(encoded):
                for code, share in likely.items():
                    votes[code] = votes.get(code, 0.0) + share / len(clips)
            guesses += self._guesses(windows[first : first + batch_size], encoded)
        detected = max(votes.keys() - UNSPOKEN, key=lambda code: votes[code])
        unsure = self._expected is not None and votes[detected] < SURE
        language = self._expected if unsure and self._expected in votes else detected
        return Spoken(detected, votes[detected], language, votes[language], tuple(guesses))

    def others(
        self, audio: Audio, spoken: Spoken, segments: Sequence[Segment]
    ) -> dict[LanguageStretch, Sequence[Samples]]:
        """The stretches that are in another language than the expected one, with their pieces.

        `segments` are those of the whole recording, placed in it.
        """
        found: dict[LanguageStretch, Sequence[Samples]] = {}
        for index, (stretch, guess) in enumerate(spoken.guesses):
            written = has_text(stretch, segments)
            if self._expected is None or (written and guess >= SUSPECT):
                continue
            part, other = self._foreign(audio, stretch, written)
            if other is not None:
                before = spoken.guesses[index - 1][0][::-1] if index else ()
                after = spoken.guesses[index + 1][0] if index + 1 < len(spoken.guesses) else ()
                whole = [
                    *self._edge(audio, before, other)[::-1],
                    *part,
                    *self._edge(audio, after, other),
                ]
                times = round(whole[0][0] / RATE, 2), round(whole[-1][1] / RATE, 2)
                found[LanguageStretch(start_s=times[0], end_s=times[1], language=other)] = whole
        return found

    def _foreign(
        self, audio: Audio, stretch: Sequence[Samples], written: bool
    ) -> tuple[Sequence[Samples], str | None]:
        """The part of a stretch that is in another language, and that language; None when none is for sure.

        A stretch may begin with the last words of a sentence in the expected language, or end with its first.
        """
        assert self._expected is not None
        likely = self._alone(audio, stretch)
        other = other_language(likely, self._expected, written=written)
        if other is not None or not likelier(likely, self._expected):
            return stretch, other
        for inner in (stretch[1:], stretch[:-1], stretch[1:-1]):
            if inner and (
                other := other_language(self._alone(audio, inner), self._expected, written=written)
            ):
                return inner, other
        return stretch, None

    def _edge(self, audio: Audio, pieces: Sequence[Samples], other: str) -> list[Samples]:
        """The pieces next to a stretch that continue it: each is likelier in `other` than in `expected`."""
        taken = []
        for piece in pieces:
            likely = self._alone(audio, [piece])
            if likely.get(other, 0.0) <= likely.get(self._expected or "", 0.0):
                break
            taken.append(piece)
        return taken

    def _alone(self, audio: Audio, stretch: Sequence[Samples]) -> Likely:
        sound = np.concatenate([audio[start:end] for start, end in stretch])[:LIMIT]
        features = self._one_pass.feature_extractor(sound)[..., :-1]
        features = features[..., : features.shape[-1] // 2 * 2]  # the encoder halves them
        return self._detect(self._one_pass.once(features[np.newaxis]))[0]

    def _guesses(self, windows: Sequence[Window], encoded: Any) -> list[tuple[tuple[Samples, ...], float]]:
        """The stretches of the windows, each with a guess from the encoder's output for its middle."""
        if self._expected is None:
            return []
        made, cuts = [], []
        for index, window in enumerate(windows):
            begin = 0
            for stretch in stretches(window.pieces):
                length = sum(end - start for start, end in stretch)
                middle = (begin + length // 2) // FRAME
                made.append(stretch)
                cuts.append((index, min(max(0, middle - GUESSED // 2), LIMIT // FRAME - GUESSED)))
                begin += length
        guesses = self._detect(self._crop(encoded, cuts, GUESSED))
        return [
            (stretch, likely.get(self._expected, 0.0)) for stretch, likely in zip(made, guesses, strict=True)
        ]

    def _detect(self, encoded: Any) -> list[Likely]:
        found = self._one_pass.model.detect_language(encoded)
        return [{token[2:-2]: share for token, share in each} for each in found]  # "<|en|>"

    def _whole(self, clip: Audio) -> Audio:
        extractor = self._one_pass.feature_extractor
        frames: int = extractor.nb_max_frames
        features: Audio = extractor(clip)[..., :-1][..., :frames]
        return np.pad(features, ((0, 0), (0, frames - features.shape[-1])))
