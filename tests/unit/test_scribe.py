"""The scribe on a scripted model: memory that runs out, loops, and answers that break off."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from daemon.core.content.document import Segment
from daemon.stt.languages import Audio, Cut, Languages, OnePass
from daemon.stt.segment_faults import faults, genuine
from daemon.stt.segments import sentences
from daemon.stt.window_transcriber import WindowTranscriber, is_out_of_memory
from daemon.stt.windows import RATE, Samples

FRAMES = 3000


def made(start: float, end: float, text: str, seek: int = 0, **gauges: float) -> SimpleNamespace:
    defaults = {"avg_logprob": -0.2, "no_speech_prob": 0.01, "compression_ratio": 1.0}
    return SimpleNamespace(start=start, end=end, text=text, seek=seek, words=None, **{**defaults, **gauges})


def segment(text: str, end: float = 10.0, **gauges: float) -> Segment:
    defaults = {"avg_logprob": -0.2, "no_speech_prob": 0.01, "compression_ratio": 1.0}
    return Segment(start_s=0.0, end_s=end, text=text, **{**defaults, **gauges})


@dataclass
class Model:
    """A scripted WhisperModel and its pipeline: `batched` and `alone` answer, and calls are recorded."""

    batched: list[SimpleNamespace] = field(default_factory=list)
    alone: list[SimpleNamespace] = field(default_factory=list)
    languages: dict[str, float] | None = None
    guesses: list[float] = field(default_factory=list)
    alone_in: list[dict[str, float]] = field(default_factory=list)
    room: int = 8
    encoded: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    spoken: list[str] = field(default_factory=list)
    given: list[float] = field(default_factory=list)
    hotwords: list[str | None] = field(default_factory=list)

    @property
    def model(self) -> Any:
        return SimpleNamespace(is_multilingual=self.languages is not None, detect_language=self._detect)

    @property
    def feature_extractor(self) -> Any:
        def extract(clip: Audio) -> Audio:
            return np.zeros((2, len(clip) // 160 + 1), dtype=np.float32)

        return _Extractor(extract)

    def encode(self, features: Audio) -> Any:
        if features.shape[-1] < FRAMES:
            return "alone"
        if len(features) > self.room:
            raise RuntimeError("CUDA failed with error out of memory")
        self.encoded.append(len(features))
        return len(features)

    def transcribe(self, clip: Audio, **options: Any) -> Any:
        self.given.append(len(clip) / RATE)
        self.hotwords.append(options["hotwords"])
        return iter(self.alone), None

    def _detect(self, encoded: Any) -> list[list[tuple[str, float]]]:
        """`languages` for each window, `alone_in` for a stretch alone, `guesses` for cuts, else English."""
        assert self.languages is not None
        if encoded == "alone":
            found = [self.alone_in.pop(0)]
        elif isinstance(encoded, str):
            count = int(encoded.split()[1])
            found = [{"en": share} for share in (self.guesses + [0.9] * count)[:count]]
            self.guesses = self.guesses[count:]
        else:
            found = [self.languages] * encoded
        return [[(f"<|{code}|>", share) for code, share in likely.items()] for likely in found]


@dataclass
class _Extractor:
    call: Callable[[Audio], Audio]
    nb_max_frames: int = FRAMES

    def __call__(self, clip: Audio) -> Audio:
        return self.call(clip)


@dataclass
class Pipeline:
    model: OnePass

    def transcribe(
        self,
        audio: Audio,
        *,
        language: str,
        batch_size: int,
        clip_timestamps: Any,
        hotwords: str | None,
        **_: Any,
    ) -> Any:
        scripted: Model = self.model._model
        scripted.sizes.append(batch_size)
        scripted.spoken.append(language)
        scripted.hotwords.append(hotwords)
        count = min(batch_size, len(clip_timestamps))
        self.model.encode(np.zeros((count, 2, FRAMES), dtype=np.float32))
        return iter(scripted.batched), None


def scribe(
    model: Model,
    speech: list[Samples],
    *,
    more: list[Samples] | None = None,
    batch_size: int = 8,
    expected: str | None = "en",
    hotwords: str | None = None,
) -> WindowTranscriber:
    one_pass = OnePass(model)
    return WindowTranscriber(
        model,
        one_pass,
        Pipeline(one_pass),
        lambda audio, threshold: more if more and threshold < 0.5 else speech,
        Languages(one_pass, cropped, expected),
        batch_size=batch_size,
        expected=expected,
        hotwords=hotwords,
    )


def cropped(encoded: int, cuts: Sequence[Cut], frames: int) -> str:
    """A scripted batch: its detection answers `Model.guesses`, in order."""
    return f"guess {len(cuts)}"


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
    assert model.sizes == []


def by_sound(audio: Audio, threshold: float) -> list[Samples]:
    return TEN_S if audio.any() else []


def test_of_two_takes_the_one_with_speech_is_transcribed(tmp_path: Path) -> None:
    path = tmp_path / "a.pcm"
    np.concatenate([np.zeros(20 * RATE), np.ones(30 * RATE)]).astype("<i2").tofile(path)
    model = Model(batched=[made(0.4, 2.0, " Hello.")])
    ours = scribe(model, [])
    ours._find_speech = by_sound
    heard = ours.transcribe(path, lambda done: None, [20.0, 30.0])
    assert (heard.take, heard.segments[0].text) == (1, "Hello.")
    assert len(model.sizes) == 1  # with speech in one alone there is nothing to compare


def test_of_two_takes_that_are_as_clear_the_first_is_transcribed(pcm: Path) -> None:
    model = Model(batched=[made(0.4, 2.0, " Hello.")])
    heard = scribe(model, TEN_S).transcribe(pcm, lambda done: None, [60.0, 60.0])
    assert heard.take == 0
    assert len(model.sizes) == 3  # a part of each, and the first


def test_times_are_those_of_the_recording(pcm: Path) -> None:
    model = Model(batched=[made(0.4, 2.0, " Hello."), made(2.0, 10.5, " I am Alex.")])
    heard = scribe(model, TEN_S).transcribe(pcm, lambda done: None)
    assert [(s.start_s, s.end_s, s.text) for s in heard.segments] == [
        (1.0, 2.6, "Hello."),
        (2.6, 11.1, "I am Alex."),
    ]


def test_segments_go_to_their_windows(pcm: Path) -> None:
    speech = [(0, 20 * RATE), (60 * RATE, 80 * RATE)]
    model = Model(batched=[made(0.0, 20.0, " one"), made(30.0, 50.4, " two", seek=3000)])
    done: list[float] = []
    heard = scribe(model, speech).transcribe(pcm, done.append)
    assert [(s.start_s, s.text) for s in heard.segments] == [(0.0, "one"), (59.6, "two")]
    assert done == [0.5, 1.0]


def test_the_language_costs_no_second_encoding(pcm: Path) -> None:
    model = Model(batched=[made(0.0, 10.5, " Hello.")], languages={"en": 0.9, "de": 0.1})
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
    model = Model(batched=[made(0.0, 10.5, " Hallo.")], languages=languages)
    heard = scribe(model, TEN_S, expected=expected).transcribe(pcm, lambda done: None)
    assert model.spoken == [spoken]
    assert heard.language == spoken
    assert heard.detected == max(languages, key=lambda code: languages[code])


def test_the_batch_is_halved_when_memory_runs_out_and_stays_so(pcm: Path) -> None:
    speech = [(second * RATE, (second + 29) * RATE) for second in (0, 30, 60, 90)]
    model = Model(room=2)
    ours = scribe(model, speech)
    ours.transcribe(pcm, lambda done: None)
    assert model.sizes == [8, 4, 2]
    assert ours.batch_size == 2


def test_no_room_for_one_window_is_a_memory_error(pcm: Path) -> None:
    with pytest.raises(MemoryError):
        scribe(Model(room=0), TEN_S).transcribe(pcm, lambda done: None)


def test_another_error_of_the_model_is_passed_on(pcm: Path) -> None:
    model = Model()
    model.encode = lambda features: (_ for _ in ()).throw(RuntimeError("bad"))  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="bad"):
        scribe(model, TEN_S).transcribe(pcm, lambda done: None)


def test_an_answer_that_broke_off_is_taken_up_where_it_ended(pcm: Path) -> None:
    model = Model(batched=[made(0.0, 4.0, " Hello.")], alone=[made(0.5, 6.5, "And more.")])
    heard = scribe(model, TEN_S).transcribe(pcm, lambda done: None)
    assert [(s.start_s, s.text) for s in heard.segments] == [(0.6, "Hello."), (5.1, "And more.")]
    assert heard.redone == 1
    assert model.given == [pytest.approx(6.8)]


def test_the_better_of_two_tries_is_kept(pcm: Path) -> None:
    model = Model(
        batched=[made(0.0, 10.5, " Hello.", avg_logprob=-1.1)],
        alone=[made(0.0, 10.5, "Yellow.", avg_logprob=-2.0)],
    )
    heard = scribe(model, TEN_S).transcribe(pcm, lambda done: None)
    assert [s.text for s in heard.segments] == ["Hello."]


def test_another_language_gets_no_second_try(pcm: Path) -> None:
    model = Model(batched=[made(0.0, 4.0, " Hallo.")], languages={"de": 0.9, "en": 0.1})
    scribe(model, TEN_S).transcribe(pcm, lambda done: None)
    assert model.given == []


HALVES = [(RATE, 11 * RATE), (20 * RATE, 30 * RATE)]


def test_a_half_in_another_language_is_left_out_and_named(pcm: Path) -> None:
    model = Model(
        batched=[made(0.0, 10.5, " I am Alex."), made(11.5, 22.0, " My name is Elena.")],
        languages={"en": 0.6, "es": 0.3},
        guesses=[0.9, 0.1],
        alone_in=[{"es": 0.8, "en": 0.05}, {"es": 0.1, "en": 0.6}],  # the stretch, and the piece beside it
    )
    heard = scribe(model, HALVES).transcribe(pcm, lambda done: None)
    assert [(each.start_s, each.end_s, each.language) for each in heard.others] == [(19.6, 30.4, "es")]
    assert model.encoded == [1, 1]  # the second time without the Spanish half
    assert len(model.sizes) == 2
    assert [span.start_s for span in heard.spoken] == [1.0]


def test_a_suspicion_that_proves_wrong_costs_no_second_transcription(pcm: Path) -> None:
    model = Model(
        batched=[made(0.0, 22.0, " I am Alex.")],
        languages={"en": 0.6, "es": 0.3},
        guesses=[0.9, 0.1],
        alone_in=[{"en": 0.8, "es": 0.05}],
    )
    heard = scribe(model, HALVES).transcribe(pcm, lambda done: None)
    assert heard.others == ()
    assert len(model.sizes) == 1


def test_speech_that_only_the_lenient_detector_finds_is_transcribed_too(pcm: Path) -> None:
    model = Model(batched=[made(0.0, 13.0, " I am Alex.")], languages={"en": 0.9})
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


def test_memory_that_runs_out_is_told_from_other_errors() -> None:
    assert is_out_of_memory(RuntimeError("CUDA failed with error out of memory"))
    assert is_out_of_memory(RuntimeError("CUBLAS_STATUS_ALLOC_FAILED"))
    assert is_out_of_memory(MemoryError())
    assert not is_out_of_memory(RuntimeError("unspecified launch failure"))


def test_hotwords_reach_the_model_both_times(pcm: Path) -> None:
    model = Model(batched=[made(0.0, 2.0, " Hello.")], alone=[made(0.0, 8.0, " I am Mira.")])
    writer = scribe(model, TEN_S, hotwords="Mira")
    writer.transcribe(pcm, lambda done: None)
    assert model.hotwords == ["Mira", "Mira"]


def test_a_window_is_cut_behind_each_sentence_and_at_pauses() -> None:
    def word(start: float, end: float, text: str) -> SimpleNamespace:
        return SimpleNamespace(start=start, end=end, word=text)

    whole = made(0.0, 9.0, " I am Ada. I like chess and I sing")
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
