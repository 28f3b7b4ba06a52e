"""Transcription of a recording with a loaded model. Runs only in the Whisper worker.

The voice detector runs once: its spans give the windows, the figures of speaking, and the finding that there
is no speech. Each window is encoded once, also to detect the language. Batched inference has no checks: it
does not notice a text that repeats itself or is invented, nor continue where a window's answer broke off. So
each window is checked afterwards, and transcribed again, alone, if it fails, with Whisper's own checks.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daemon.core.content.document import Segment
from daemon.stt import takes
from daemon.stt.protocol import SURE, HeardSpeech, SpeechSpan
from daemon.stt.segment_faults import badness, compression_ratio, faults, genuine
from daemon.stt.windows import LIMIT, RATE, Samples, Window, cut

Audio = NDArray[np.float32]

MIN_SPEECH_S = 0.25
PAUSE_S = 0.8  # between two words begins a new segment

_UNSPOKEN = frozenset({"la", "sa"})
"""Languages that no student speaks: `base` took English with an accent for Latin at 0.69."""


class OnePass:
    """A Whisper model for the batched pipeline, with a cache of the last encoder output."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._kept: tuple[Audio, Any] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def encode(self, features: Audio) -> Any:
        """The encoder's output for `features` (windows, mels, frames)."""
        if self._kept is None or not np.array_equal(self._kept[0], features):
            self._kept = None  # free it first: the memory may not hold two
            self._kept = features, self._model.encode(features)
        return self._kept[1]

    def forget(self) -> None:
        """Free the cached output."""
        self._kept = None


class WindowTranscriber:
    """Transcribes one recording after the other.

    `model` is a faster_whisper.WhisperModel, `one_pass` that model with its cache, `pipeline` a
    BatchedInferencePipeline over it; `find_speech` gives the spans of an audio that have a voice.
    `batch_size` is halved for good when memory runs out.
    """

    def __init__(
        self,
        model: Any,
        one_pass: OnePass,
        pipeline: Any,
        find_speech: Callable[[Audio], list[Samples]],
        *,
        batch_size: int,
        expected: str | None,
        hotwords: str | None = None,
    ) -> None:
        self._model = model
        self._one_pass = one_pass
        self._pipeline = pipeline
        self._find_speech = find_speech
        self._expected = expected
        self._hotwords = hotwords
        self.batch_size = batch_size

    def transcribe(
        self, pcm: Path, progress: Callable[[float], None], takes_s: Sequence[float] = ()
    ) -> HeardSpeech:
        """Transcribe `pcm`, 16 kHz mono s16le; of several takes, with so many seconds each, the clearest.

        Raises MemoryError if not even one window fits.
        """
        sounds = takes.parted(np.fromfile(pcm, dtype="<i2"), takes_s)
        chosen = self._clearest(sounds) if len(sounds) > 1 else 0
        return self._heard(_floats(sounds[chosen]), progress).model_copy(update={"take": chosen})

    def _clearest(self, sounds: Sequence[NDArray[Any]]) -> int:
        """The place of the take in which speech is the clearest, by the first window of some."""
        spoken = [sum(end - start for start, end in self._find_speech(_floats(sound))) for sound in sounds]
        tried = takes.worth_a_trial([count / RATE for count in spoken], MIN_SPEECH_S)
        if len(tried) < 2:
            return tried[0] if tried else 0
        heard = [self._heard(_floats(sounds[index]), lambda done: None, windows=1) for index in tried]
        return tried[takes.clearest(heard, self._expected)]

    def _heard(
        self, audio: Audio, progress: Callable[[float], None], windows: int | None = None
    ) -> HeardSpeech:
        """Transcribe a recording, or only its first windows. Raises MemoryError."""
        speech = self._find_speech(audio)
        spans = tuple(SpeechSpan(start_s=start / RATE, end_s=end / RATE) for start, end in speech)
        if sum(end - start for start, end in speech) < MIN_SPEECH_S * RATE:
            return HeardSpeech(speech=spans)
        parts = cut(speech, len(audio))[:windows]
        while True:
            try:
                return self._transcribe(audio, parts, progress).model_copy(update={"speech": spans})
            except (RuntimeError, MemoryError) as exc:
                if not is_out_of_memory(exc):
                    raise
                if self.batch_size == 1:
                    raise MemoryError(str(exc)) from exc
            finally:
                self._one_pass.forget()
            self.batch_size = max(1, self.batch_size // 2)

    def _transcribe(
        self, audio: Audio, windows: Sequence[Window], progress: Callable[[float], None]
    ) -> HeardSpeech:
        clips = [_clip(audio, window) for window in windows]
        detected, detected_probability, language, probability = self._language(clips)
        believed = self._expected in (None, language)  # else it is not rated, and not worth a second attempt
        segments: list[Segment] = []
        redone = dropped = 0
        for index, first in enumerate(self._batched(clips, language)):
            best = first
            length_s = windows[index].length / RATE
            if believed and (found := faults(first, length_s)):
                redone += 1
                again = self._again(clips[index][: windows[index].length], first, found, language)
                best = min(first, again, key=lambda made: badness(made, length_s))
            kept = genuine(best)
            dropped += len(best) - len(kept)
            segments += [_placed(segment, windows[index]) for segment in kept]
            progress((index + 1) / len(clips))
        return HeardSpeech(
            segments=tuple(segments),
            language=language,
            language_probability=probability,
            detected=detected,
            detected_probability=detected_probability,
            batch_size=self.batch_size,
            redone=redone,
            dropped=dropped,
        )

    def _language(self, clips: Sequence[Audio]) -> tuple[str | None, float | None, str, float | None]:
        """The detected language and its probability, that of the transcript and its probability.

        All windows of the first batch vote; faster-whisper asks only the first window.
        """
        if not self._model.model.is_multilingual:
            return None, None, "en", None
        extractor = self._model.feature_extractor
        features = np.stack(
            [_whole(extractor(clip)[..., :-1], extractor.nb_max_frames) for clip in clips[: self.batch_size]]
        )
        votes: dict[str, float] = {}
        for window in self._model.model.detect_language(self._one_pass.encode(features)):
            for token, probability in window:
                code = token[2:-2]  # "<|en|>"
                if code in _UNSPOKEN:
                    continue
                votes[code] = votes.get(code, 0.0) + probability / len(features)
        detected = max(votes, key=lambda code: votes[code])
        unsure = self._expected is not None and votes[detected] < SURE
        language = self._expected if unsure and self._expected in votes else detected
        return detected, votes[detected], language, votes[language]

    def _batched(self, clips: Sequence[Audio], language: str) -> Iterator[list[Segment]]:
        """The segments of each clip, in order, with times from the clip's beginning.

        The times are those of the words. With timestamps in the text the model often ends a window early for
        the next one to continue there; batched inference does not, and would lose the rest.
        """
        edges = [0.0]
        for clip in clips:
            edges.append(edges[-1] + len(clip) / RATE)
        made, _ = self._pipeline.transcribe(
            np.concatenate(clips),
            language=language,
            batch_size=self.batch_size,
            word_timestamps=True,
            hotwords=self._hotwords,
            clip_timestamps=[{"start": start, "end": end} for start, end in pairwise(edges)],
        )
        held: list[Segment] = []
        index = 0
        for segment in made:
            # `seek` is the start of the segment's clip in frames of 10 ms, rounded down.
            while index + 1 < len(clips) and segment.seek >= int(edges[index + 1] * 100):
                yield held
                held, index = [], index + 1
            if segment.text.strip():
                held += _sentences(segment, -edges[index])
        yield held
        yield from ([] for _ in clips[index + 1 :])

    def _again(self, clip: Audio, first: list[Segment], found: set[str], language: str) -> list[Segment]:
        """Transcribe a window alone; if its answer only broke off, only from there on."""
        kept = first if found == {"unfinished"} else []
        from_s = kept[-1].end_s if kept else 0.0
        made, _ = self._model.transcribe(
            clip[round(from_s * RATE) :],
            language=language,
            hotwords=self._hotwords,
            vad_filter=False,
            condition_on_previous_text=False,
            temperature=0.0,  # higher ones are random: the same recording would give another text
        )
        return [*kept, *(_segment(segment, from_s) for segment in made)]


def _floats(sound: NDArray[Any]) -> Audio:
    return sound.astype(np.float32) / 32768.0


def is_out_of_memory(exc: BaseException) -> bool:
    """Whether an error of CTranslate2 or the C++ library says that memory ran out."""
    text = str(exc).lower()
    return isinstance(exc, MemoryError) or any(
        sign in text for sign in ("out of memory", "alloc_failed", "bad_alloc", "failed to allocate")
    )


def _clip(audio: Audio, window: Window) -> Audio:
    """A window's sound, padded with silence to 30 s.

    faster-whisper itself pads the spectrum with zeros, which is not silence: of twelve windows of speech
    eight answers of tiny.en and three of base then broke off before the end, with silence two of each.
    """
    sound = np.concatenate([audio[start:end] for start, end in window.pieces])
    return np.pad(sound, (0, max(0, LIMIT - len(sound))))


def _whole(features: Audio, frames: int) -> Audio:
    features = features[..., :frames]
    return np.pad(features, ((0, 0), (0, frames - features.shape[-1])))


def _sentences(made: Any, shift_s: float) -> list[Segment]:
    """A segment of the model, split after each sentence and at pauses."""
    words = made.words or []
    if not words:
        return [_segment(made, shift_s)]
    ends = [i for i, (word, after) in enumerate(pairwise(words), 1) if _parts(word, after)]
    return [
        _segment(made, shift_s).model_copy(
            update={
                "start_s": max(0.0, float(part[0].start) + shift_s),
                "end_s": max(0.0, float(part[-1].end) + shift_s),
                "text": (text := "".join(word.word for word in part).strip()),
                "compression_ratio": compression_ratio(text),
            }
        )
        for part in (words[start:end] for start, end in pairwise([0, *ends, len(words)]))
    ]


def _parts(word: Any, after: Any) -> bool:
    return bool(word.word.rstrip().endswith((".", "?", "!"))) or after.start - word.end > PAUSE_S


def _segment(made: Any, shift_s: float) -> Segment:
    return Segment(
        start_s=max(0.0, made.start + shift_s),
        end_s=max(0.0, made.end + shift_s),
        text=made.text.strip(),
        avg_logprob=made.avg_logprob,
        no_speech_prob=made.no_speech_prob,
        compression_ratio=made.compression_ratio,
    )


def _placed(segment: Segment, window: Window) -> Segment:
    start = window.place(segment.start_s)
    end = max(start, window.place(segment.end_s, ends=True))
    return segment.model_copy(update={"start_s": round(start, 2), "end_s": round(end, 2)})
