"""The scribe on a scripted model: loops, languages, and answers that break off."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from daemon.core.content.document import Segment
from daemon.stt.model_stream import Audio, Encoded
from daemon.stt.segment_faults import faults, genuine
from daemon.stt.segments import sentences
from daemon.stt.window_queue import Recording, WindowQueue, WindowStep
from daemon.stt.window_transcriber import WindowTranscriber
from daemon.stt.windows import RATE, Samples

FRAMES = 3000


def segment(text: str, end: float = 10.0, start: float = 0.0, **gauges: float) -> Segment:
    defaults = {"avg_logprob": -0.2, "no_speech_prob": 0.01, "compression_ratio": 1.0}
    return Segment(start_s=start, end_s=end, text=text, **{**defaults, **gauges})


@dataclass
class Model:
    """A scripted stream: `written` answers the windows of a batch, `alone` a retry; calls are recorded."""

    written: list[list[Segment]] = field(default_factory=list)
    alone: list[Segment] = field(default_factory=list)
    languages: dict[str, float] = field(default_factory=dict)
    guesses: list[float] = field(default_factory=list)
    alone_in: list[dict[str, float]] = field(default_factory=list)
    encoded: list[int] = field(default_factory=list)
    spoken: list[str] = field(default_factory=list)
    given: list[float] = field(default_factory=list)

    def run(self, step: WindowStep, values: Sequence[Any]) -> Sequence[Any]:
        match step.name:
            case "encode":
                self.encoded.append(len(values))
                return [
                    Encoded(np.zeros(1), self.languages, self._guessed(len(each.cuts))) for each in values
                ]
            case "write":
                self.spoken.append(step.language)
                return [
                    self.written[place] if place < len(self.written) else [] for place in range(len(values))
                ]
            case "retry":
                self.given += [len(clip) / RATE for clip in values]
                return [self.alone for _ in values]
            case _:
                return [self.alone_in.pop(0) for _ in values]

    def _guessed(self, count: int) -> list[dict[str, float]]:
        """`guesses` for the cuts in order, then English."""
        found = [{"en": share} for share in (self.guesses + [0.9] * count)[:count]]
        self.guesses = self.guesses[count:]
        return found


@dataclass
class _Extractor:
    nb_max_frames: int = FRAMES

    def __call__(self, clip: Audio) -> Audio:
        return np.zeros((2, len(clip) // 160 + 1), dtype=np.float32)


def scribe(
    model: Model, speech: list[Samples], *, more: list[Samples] | None = None, expected: str | None = "en"
) -> WindowTranscriber:
    queue = WindowQueue(8, patient=True, check=lambda exc: None)
    Thread(target=queue.serve, args=(model,), daemon=True).start()
    queue.enter(1)

    def find_speech(audio: Audio, threshold: float) -> list[Samples]:
        return more if more and threshold < 0.5 else speech

    return WindowTranscriber(find_speech, _Extractor(), expected, Recording(queue, 1))


@pytest.fixture
def pcm(tmp_path: Path) -> Path:
    """Two minutes."""
    path = tmp_path / "a.pcm"
    np.zeros(120 * RATE, dtype="<i2").tofile(path)
    return path


TEN_S = [(RATE, 11 * RATE)]


def test_silence_asks_no_model(pcm: Path) -> None:
    model = Model()
    heard = scribe(model, []).transcribe(pcm, lambda done: None)
    assert heard.segments == ()
    assert model.encoded == []


def by_sound(audio: Audio, threshold: float) -> list[Samples]:
    return TEN_S if audio.any() else []


def test_of_two_takes_the_one_with_speech_is_transcribed(tmp_path: Path) -> None:
    path = tmp_path / "a.pcm"
    np.concatenate([np.zeros(20 * RATE), np.ones(30 * RATE)]).astype("<i2").tofile(path)
    model = Model(written=[[segment("Hello.", 2.0, 0.4)]])
    ours = scribe(model, [])
    ours._detector = by_sound
    heard = ours.transcribe(path, lambda done: None, [20.0, 30.0])
    assert (heard.take, heard.segments[0].text) == (1, "Hello.")
    assert len(model.spoken) == 1  # with speech in one alone there is nothing to compare


def test_of_two_takes_that_are_as_clear_the_first_is_transcribed(pcm: Path) -> None:
    model = Model(written=[[segment("Hello.", 2.0, 0.4)]])
    heard = scribe(model, TEN_S).transcribe(pcm, lambda done: None, [60.0, 60.0])
    assert heard.take == 0
    assert len(model.spoken) == 3  # a part of each, and the first


def test_times_are_those_of_the_recording(pcm: Path) -> None:
    model = Model(written=[[segment("Hello.", 2.0, 0.4), segment("I am Alex.", 10.5, 2.0)]])
    heard = scribe(model, TEN_S).transcribe(pcm, lambda done: None)
    assert [(s.start_s, s.end_s, s.text) for s in heard.segments] == [
        (1.0, 2.6, "Hello."),
        (2.6, 11.1, "I am Alex."),
    ]


def test_segments_go_to_their_windows(pcm: Path) -> None:
    speech = [(0, 20 * RATE), (60 * RATE, 80 * RATE)]
    model = Model(written=[[segment("one", 20.0)], [segment("two", 20.4)]])
    done: list[float] = []
    heard = scribe(model, speech).transcribe(pcm, done.append)
    assert [(s.start_s, s.text) for s in heard.segments] == [(0.0, "one"), (59.6, "two")]
    assert done == [0.5, 1.0]


def test_the_language_costs_no_second_encoding(pcm: Path) -> None:
    model = Model(written=[[segment("Hello.", 10.5)]], languages={"en": 0.9, "de": 0.1})
    heard = scribe(model, TEN_S).transcribe(pcm, lambda done: None)
    assert model.encoded == [1]
    assert (heard.detected, heard.detected_probability) == ("en", 0.9)


@pytest.mark.parametrize(
    ("languages", "expected", "spoken"),
    [
        ({"de": 0.9, "en": 0.1}, "en", "de"),
        ({"cy": 0.4, "en": 0.3}, "en", "en"),  # an accent is written down as what it should be
        ({"cy": 0.4, "en": 0.3}, None, "cy"),
    ],
)
def test_another_language_is_believed_when_it_is_sure(
    pcm: Path, languages: dict[str, float], expected: str | None, spoken: str
) -> None:
    model = Model(written=[[segment("Hallo.", 10.5)]], languages=languages)
    heard = scribe(model, TEN_S, expected=expected).transcribe(pcm, lambda done: None)
    assert model.spoken == [spoken]
    assert heard.language == spoken
    assert heard.detected == max(languages, key=lambda code: languages[code])


def test_an_answer_that_broke_off_is_taken_up_where_it_ended(pcm: Path) -> None:
    model = Model(written=[[segment("Hello.", 4.0)]], alone=[segment("And more.", 6.5, 0.5)])
    heard = scribe(model, TEN_S).transcribe(pcm, lambda done: None)
    assert [(s.start_s, s.text) for s in heard.segments] == [(0.6, "Hello."), (5.1, "And more.")]
    assert heard.redone == 1
    assert model.given == [pytest.approx(6.8)]


def test_the_better_of_two_tries_is_kept(pcm: Path) -> None:
    model = Model(
        written=[[segment("Hello.", 10.5, avg_logprob=-1.1)]],
        alone=[segment("Yellow.", 10.5, avg_logprob=-2.0)],
    )
    heard = scribe(model, TEN_S).transcribe(pcm, lambda done: None)
    assert [s.text for s in heard.segments] == ["Hello."]


def test_another_language_gets_no_second_try(pcm: Path) -> None:
    model = Model(written=[[segment("Hallo.", 4.0)]], languages={"de": 0.9, "en": 0.1})
    scribe(model, TEN_S).transcribe(pcm, lambda done: None)
    assert model.given == []


HALVES = [(RATE, 11 * RATE), (20 * RATE, 30 * RATE)]


def test_a_half_in_another_language_is_left_out_and_named(pcm: Path) -> None:
    model = Model(
        written=[[segment("I am Alex.", 10.5), segment("My name is Elena.", 22.0, 11.5)]],
        languages={"en": 0.6, "es": 0.3},
        guesses=[0.9, 0.1],
        alone_in=[{"es": 0.8, "en": 0.05}, {"es": 0.1, "en": 0.6}],  # the stretch, and the piece beside it
    )
    heard = scribe(model, HALVES).transcribe(pcm, lambda done: None)
    assert [(each.start_s, each.end_s, each.language) for each in heard.others] == [(19.6, 30.4, "es")]
    assert model.encoded == [1, 1]  # the second time without the Spanish half
    assert len(model.spoken) == 2
    assert [span.start_s for span in heard.spoken] == [1.0]


def test_a_suspicion_that_proves_wrong_costs_no_second_transcription(pcm: Path) -> None:
    model = Model(
        written=[[segment("I am Alex.", 22.0)]],
        languages={"en": 0.6, "es": 0.3},
        guesses=[0.9, 0.1],
        alone_in=[{"en": 0.8, "es": 0.05}],
    )
    heard = scribe(model, HALVES).transcribe(pcm, lambda done: None)
    assert heard.others == ()
    assert len(model.spoken) == 1


def test_speech_that_only_the_lenient_detector_finds_is_transcribed_too(pcm: Path) -> None:
    model = Model(written=[[segment("I am Alex.", 13.0)]], languages={"en": 0.9})
    heard = scribe(model, [(RATE, 6 * RATE)], more=[(RATE, 21 * RATE)]).transcribe(pcm, lambda done: None)
    assert heard.unheard_s == 15.0
    assert [(span.start_s, span.end_s) for span in heard.speech] == [(1.0, 21.0)]


def test_inventions_and_loops_are_left_out() -> None:
    kept = segment("Hello there.")
    assert genuine([kept]) == [kept]
    assert genuine([kept, segment("Thank you.", no_speech_prob=0.9, avg_logprob=-1.4)]) == [kept]
    assert genuine([kept, segment("la la la", compression_ratio=5.0)]) == [kept]
    assert genuine([segment("Guten Tag, my name is Jonas.")] * 12) == [
        segment("Guten Tag, my name is Jonas.")
    ]


def test_a_sentence_said_twice_is_no_loop() -> None:
    twice = [segment("I like chess."), segment("I swim and cook."), segment("I like chess.")]
    assert genuine(twice) == twice


@pytest.mark.parametrize(
    ("segments", "fault"),
    [
        ([], "unfinished"),
        ([segment("a", end=4.0)], "unfinished"),
        ([segment("a", compression_ratio=2.5)], "repeats"),
        ([segment("Guten Tag, my name is Jonas.")] * 12, "repeats"),
        ([segment("a", avg_logprob=-1.1)], "improbable"),
        ([segment("a", no_speech_prob=0.7)], "silent"),
    ],
)
def test_faults_are_seen(segments: list[Segment], fault: str) -> None:
    assert faults(segments, 10.0) == {fault}


def test_a_window_is_cut_behind_each_sentence_and_at_pauses() -> None:
    def word(start: float, end: float, text: str) -> SimpleNamespace:
        return SimpleNamespace(start=start, end=end, word=text)

    gauges = {"avg_logprob": -0.2, "no_speech_prob": 0.01, "compression_ratio": 1.0}
    whole = SimpleNamespace(start=0.0, end=9.0, text=" I am Ada. I like chess and I sing", **gauges)
    whole.words = [
        *(word(0.2, 0.4, " I"), word(0.4, 0.6, " am"), word(0.6, 1.0, " Ada.")),
        *(word(1.2, 1.4, " I"), word(1.4, 1.8, " like"), word(1.8, 2.4, " chess")),
        *(word(4.0, 4.2, " and"), word(4.2, 4.4, " I"), word(4.4, 5.0, " sing")),
    ]
    cut = sentences(whole, 10.0)
    assert [(s.start_s, s.end_s, s.text) for s in cut] == [
        (10.2, 11.0, "I am Ada."),
        (11.2, 12.4, "I like chess"),
        (14.0, 15.0, "and I sing"),
    ]
