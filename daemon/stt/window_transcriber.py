"""Transcription of a recording with a loaded model. Runs only in the Whisper worker.

The spans of the voice detector give the windows, the figures of speaking, and the finding that there is no
speech. Each window is encoded once, also to detect the language. Batched inference has no checks: it
does not notice a text that repeats itself or is invented, nor continue where a window's answer broke off. So
each window is checked afterwards, and transcribed again, alone, if it fails, with Whisper's own checks.
All work of the model is asked of the queue, where windows of other recordings fill up the batches.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daemon.core.content.document import Segment
from daemon.stt import takes
from daemon.stt.languages import Languages, Spoken
from daemon.stt.level import raised
from daemon.stt.model_stream import Audio
from daemon.stt.protocol import HeardSpeech, SpeechSpan
from daemon.stt.segment_faults import badness, faults, genuine
from daemon.stt.segments import placed, shifted
from daemon.stt.window_queue import Recording, WindowStep
from daemon.stt.windows import LIMIT, RATE, Samples, Window, pack, pieces_of

MIN_SPEECH_S = 0.25
MIN_EXPECTED_S = 4.0  # of speech in the expected language; with less it is a recording in another one
CLEAR, LENIENT = 0.5, 0.2  # thresholds of the voice detector; none found a voice in noise, at any level
MOST_WRITTEN = 1.1  # seconds of text for each of speech; if more, the detector lost speech: a whisper, say
MIN_FOUND = 1.1  # times the speech, that the lenient detector must find to be believed

FindSpeech = Callable[[Audio, float], list[Samples]]


class WindowTranscriber:
    """Transcribes one recording.

    `find_speech` gives the spans of an audio that have a voice, by a threshold; `features` is the feature
    extractor of the model; `recording` its place at the queue.
    """

    def __init__(
        self, find_speech: FindSpeech, features: Any, expected: str | None, recording: Recording
    ) -> None:
        self._detector = find_speech
        self._languages = Languages(features, expected, recording)
        self._expected = expected
        self._recording = recording

    def transcribe(
        self, pcm: Path, progress: Callable[[float], None], takes_s: Sequence[float] = ()
    ) -> HeardSpeech:
        """Transcribe `pcm`, 16 kHz mono s16le; of several takes, with so many seconds each, the clearest.

        Raises MemoryError if not even one window fits, and Dropped when it is not wanted any more.
        """
        sounds = takes.parted(np.fromfile(pcm, dtype="<i2"), takes_s)
        chosen = self._clearest(sounds) if len(sounds) > 1 else 0
        audio, level_db = raised(_floats(sounds[chosen]))
        heard = self._heard(audio, progress)
        return heard.model_copy(update={"take": chosen, "level_db": level_db})

    def _clearest(self, sounds: Sequence[NDArray[Any]]) -> int:
        """The place of the take in which speech is the clearest, by the first window of some."""
        spoken = [_length(self._find_speech(raised(_floats(sound))[0], CLEAR)) for sound in sounds]
        tried = takes.worth_a_trial([count / RATE for count in spoken], MIN_SPEECH_S)
        if len(tried) < 2:
            return tried[0] if tried else 0
        heard = [self._begun(raised(_floats(sounds[index]))[0]) for index in tried]
        return tried[takes.clearest(heard, self._expected)]

    def _begun(self, audio: Audio) -> HeardSpeech:
        """Transcribe the first window of a recording that has speech."""
        speech = self._find_speech(audio, CLEAR)
        return self._of_speech(audio, speech, lambda done: None, first_only=True)

    def _heard(self, audio: Audio, progress: Callable[[float], None]) -> HeardSpeech:
        speech = self._find_speech(audio, CLEAR)
        heard = self._of_speech(audio, speech, progress)
        if speech and heard.written <= MOST_WRITTEN:
            return heard
        more = self._find_speech(audio, LENIENT)
        if _length(more) <= MIN_FOUND * _length(speech):
            return heard
        unheard_s = round((_length(more) - _length(speech)) / RATE, 2)
        return self._of_speech(audio, more, progress).model_copy(update={"unheard_s": unheard_s})

    def _find_speech(self, audio: Audio, threshold: float) -> list[Samples]:
        with self._recording.in_work():
            return self._detector(audio, threshold)

    def _of_speech(
        self,
        audio: Audio,
        speech: Sequence[Samples],
        progress: Callable[[float], None],
        *,
        first_only: bool = False,
    ) -> HeardSpeech:
        spans = tuple(SpeechSpan(start_s=start / RATE, end_s=end / RATE) for start, end in speech)
        if _length(speech) < MIN_SPEECH_S * RATE:
            return HeardSpeech(speech=spans)
        pieces: Sequence[Samples] = pieces_of(speech, len(audio))
        if first_only:
            pieces = pack(pieces)[0].pieces
        return self._transcribe(audio, pieces, progress).model_copy(update={"speech": spans})

    def _transcribe(
        self, audio: Audio, pieces: Sequence[Samples], progress: Callable[[float], None]
    ) -> HeardSpeech:
        """Transcribe the pieces, and again without those in another language, which give invented English."""
        windows, clips, spoken = self._encoded(audio, pieces)
        heard = self._windows(windows, clips, spoken, spoken.language, progress)
        others = self._languages.others(audio, spoken, heard.segments)
        foreign = {piece for stretch in others.values() for piece in stretch}
        rest = [piece for piece in pieces if piece not in foreign]
        if others and _length(rest) >= MIN_EXPECTED_S * RATE:
            windows, clips, spoken = self._encoded(audio, rest)
            heard = self._windows(windows, clips, spoken, self._expected or spoken.language, progress)
            heard = heard.model_copy(update={"others": tuple(others)})
        return heard.model_copy(
            update={
                "language_probability": spoken.probability,
                "detected": spoken.detected,
                "detected_probability": spoken.detected_probability,
            }
        )

    def _encoded(
        self, audio: Audio, pieces: Sequence[Samples]
    ) -> tuple[Sequence[Window], Sequence[Audio], Spoken]:
        windows = pack(pieces)
        clips = [_clip(audio, window) for window in windows]
        return windows, clips, self._languages.spoken(windows, clips)

    def _windows(
        self,
        windows: Sequence[Window],
        clips: Sequence[Audio],
        spoken: Spoken,
        language: str,
        progress: Callable[[float], None],
    ) -> HeardSpeech:
        believed = self._expected in (None, language)  # else it is not rated, and not worth a second attempt
        segments: list[Segment] = []
        redone = dropped = 0
        for index, first in enumerate(self._recording.ask(WindowStep("write", language), spoken.windows)):
            best = first
            length_s = windows[index].length / RATE
            if believed and (found := faults(first, length_s)):
                redone += 1
                again = self._again(clips[index][: windows[index].length], first, found, language)
                best = min(first, again, key=lambda made: badness(made, length_s))
            kept = genuine(best)
            dropped += len(best) - len(kept)
            segments += [placed(segment, windows[index]) for segment in kept]
            progress((index + 1) / len(clips))
        return HeardSpeech(
            segments=tuple(segments),
            language=language,
            batch_size=self._recording.batch_size,
            redone=redone,
            dropped=dropped,
        )

    def _again(self, clip: Audio, first: list[Segment], found: set[str], language: str) -> list[Segment]:
        """Transcribe a window alone; if its answer only broke off, only from there on."""
        kept = first if found == {"unfinished"} else []
        from_s = kept[-1].end_s if kept else 0.0
        [made] = self._recording.ask(WindowStep("retry", language), [clip[round(from_s * RATE) :]])
        return [*kept, *(shifted(segment, from_s) for segment in made)]


def _floats(sound: NDArray[Any]) -> Audio:
    return sound.astype(np.float32) / 32768.0


def _length(spans: Sequence[Samples]) -> int:
    return sum(end - start for start, end in spans)


def _clip(audio: Audio, window: Window) -> Audio:
    """A window's sound, padded with silence to 30 s.

    faster-whisper itself pads the spectrum with zeros, which is not silence: of twelve windows of speech
    eight answers of tiny.en and three of base then broke off before the end, with silence two of each.
    """
    sound = np.concatenate([audio[start:end] for start, end in window.pieces])
    return np.pad(sound, (0, max(0, LIMIT - len(sound))))
