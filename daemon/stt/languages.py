"""The languages of a recording, by window and by stretch. Runs only in the Whisper worker.

Whisper detects one language for 30 s. The encoder's output for a few seconds of a window is enough for a
guess about these, at the cost of one step of the decoder. Where the guess is not the expected language, the
stretch is encoded and detected on its own, as short as it is: much cheaper than 30 s, and as sure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from daemon.core.content.document import Segment
from daemon.stt.model_stream import FRAME, GUESSED, Audio, Encoded, Unheard
from daemon.stt.protocol import SURE, LanguageStretch
from daemon.stt.stretches import SUSPECT, UNSPOKEN, Likely, has_text, likelier, other_language, stretches
from daemon.stt.window_queue import Recording, WindowStep
from daemon.stt.windows import LIMIT, RATE, Samples, Window


@dataclass(frozen=True, slots=True)
class Spoken:
    """The detected language and its probability, that of the transcript and its probability.

    `guesses` has the stretches with the guessed probability that each is in the expected language; `windows`
    what the encoder made of each window.
    """

    detected: str | None
    detected_probability: float | None
    language: str
    probability: float | None
    windows: Sequence[Encoded]
    guesses: Sequence[tuple[tuple[Samples, ...], float]] = ()


class Languages:
    """Detects the languages of a recording; `expected` is an ISO 639-1 code or None.

    `features` is the feature extractor of the model.
    """

    def __init__(self, features: Any, expected: str | None, recording: Recording) -> None:
        self._features = features
        self._expected = expected
        self._recording = recording

    def spoken(self, windows: Sequence[Window], clips: Sequence[Audio]) -> Spoken:
        """The languages of a recording: all windows vote. faster-whisper asks only the first one."""
        parts = [stretches(window.pieces) if self._expected is not None else [] for window in windows]
        unheard = [
            Unheard(self._whole(clip), _middles(part)) for clip, part in zip(clips, parts, strict=True)
        ]
        encoded = list(self._recording.ask(WindowStep("encode"), unheard))
        votes: dict[str, float] = {}
        for window in encoded:
            for code, share in window.likely.items():
                votes[code] = votes.get(code, 0.0) + share / len(clips)
        if not votes:
            return Spoken(None, None, "en", None, encoded)
        detected = max(votes.keys() - UNSPOKEN, key=lambda code: votes[code])
        unsure = self._expected is not None and votes[detected] < SURE
        language = self._expected if unsure and self._expected in votes else detected
        guesses = [
            (stretch, likely.get(self._expected or "", 0.0))
            for part, window in zip(parts, encoded, strict=True)
            for stretch, likely in zip(part, window.guesses, strict=True)
        ]
        return Spoken(detected, votes[detected], language, votes[language], encoded, guesses)

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
        features = self._features(sound)[..., :-1]
        features = features[..., : features.shape[-1] // 2 * 2]  # the encoder halves them
        [likely] = self._recording.ask(WindowStep("detect"), [features])
        return dict(likely)

    def _whole(self, clip: Audio) -> Audio:
        frames: int = self._features.nb_max_frames
        features: Audio = self._features(clip)[..., :-1][..., :frames]
        return np.pad(features, ((0, 0), (0, frames - features.shape[-1])))


def _middles(part: Sequence[Sequence[Samples]]) -> list[int]:
    """The frames of a window around the middle of each of its stretches."""
    middles, begin = [], 0
    for stretch in part:
        length = sum(end - start for start, end in stretch)
        middle = (begin + length // 2) // FRAME
        middles.append(min(max(0, middle - GUESSED // 2), LIMIT // FRAME - GUESSED))
        begin += length
    return middles
