"""How a recording is cut into windows."""

import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from daemon.stt.windows import LIMIT, PADDING, RATE, Samples, Window, cut


@st.composite
def recordings(draw: st.DrawFn) -> tuple[list[Samples], int]:
    """Speech in order, with pauses, and the samples in all."""
    speech, at = [], 0
    for pause, length in draw(
        st.lists(st.tuples(st.integers(0, 5 * RATE), st.integers(1, 40 * RATE)), max_size=12)
    ):
        speech.append((at + pause, at + pause + length))
        at += pause + length
    return speech, at + draw(st.integers(0, 3 * RATE))


@given(recordings())
def test_all_speech_is_heard_once_in_windows_that_fit(recording: tuple[list[Samples], int]) -> None:
    speech, total = recording
    windows = cut(speech, total)
    pieces = [piece for window in windows for piece in window.pieces]
    assert all(window.length <= LIMIT for window in windows)
    assert all(0 <= start < end <= total for start, end in pieces)
    assert all(earlier[1] <= later[0] for earlier, later in pairwise(pieces))
    heard = sum(max(0, min(end, stop) - max(start, begin)) for start, end in speech for begin, stop in pieces)
    assert heard == sum(end - start for start, end in speech)


def test_silence_has_no_window() -> None:
    assert cut([], 30 * RATE) == []


def test_a_long_pause_is_cut_out_and_a_short_one_is_kept() -> None:
    (window,) = cut([(RATE, 2 * RATE), (2 * RATE + PADDING, 3 * RATE), (20 * RATE, 21 * RATE)], 30 * RATE)
    assert window.length == 2 * RATE + 2 * PADDING + RATE + 2 * PADDING


def test_windows_are_of_about_the_same_length() -> None:
    speech = [(second * RATE, second * RATE + RATE * 9 // 10) for second in range(35)]
    lengths = [window.length for window in cut(speech, 35 * RATE)]
    assert len(lengths) == math.ceil(35 / 30)
    assert max(lengths) - min(lengths) < 3 * RATE


def test_a_place_in_a_window_is_found_in_the_recording() -> None:
    window = Window(((RATE, 3 * RATE), (10 * RATE, 12 * RATE)))
    assert window.place(0.5) == 1.5
    assert window.place(2.0) == 10.0
    assert window.place(2.0, ends=True) == 3.0
    assert window.place(3.0) == 11.0
    assert window.place(29.0, ends=True) == 12.0  # Whisper may name a time beyond the window's end
