"""Scores that a person types at the terminal."""

import io
import sys

import pytest

from daemon.cli.scoring import asked
from daemon.contracts.wire.calibration import AnchorTask
from daemon.core.content.document import Profile, Speaking

TASK = AnchorTask(
    id=7,
    student="s007",
    video="/archive/s007/me.mp4",
    transcript="I am Anna, and I like chess.",
    speaking=Speaking(
        speech_s=40, words_per_minute=120, pause_ratio=0.1, longest_pause_s=1.2, filler_words={"um": 3}
    ),
    profile=Profile(name="Anna", hobbies=("chess",)),
)
BARE = AnchorTask(id=9, student="s009", video=None, transcript="Hi.", speaking=None, profile=None)


def typed(monkeypatch: pytest.MonkeyPatch, *answers: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{answer}\n" for answer in answers)))


def test_each_criterion_is_asked_and_overall_last(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(monkeypatch, "8", "7", "6", "5", "1", "2", "3", "10")
    scores, done = asked([TASK, BARE])
    assert done
    assert scores[7] == {
        "clarity_of_speech": 8, "content_quality": 7, "confidence_level": 6, "overall_rating": 5
    }  # fmt: skip
    assert scores[9]["overall_rating"] == 10
    shown = capsys.readouterr().err
    for part in ("1 of 2: task 7  s007", "/archive/s007/me.mp4", "like chess", "um 3", "hobbies: chess"):
        assert part in shown


def test_a_wrong_answer_is_asked_again_and_a_step_back_corrects(monkeypatch: pytest.MonkeyPatch) -> None:
    typed(monkeypatch, "11", "x", "0", "8", "7", "b", "", "6", "B", "9", "5")
    scores, done = asked([TASK])
    assert done
    assert scores == {7: {"clarity_of_speech": 8, "confidence_level": 9, "overall_rating": 5}}


@pytest.mark.parametrize("stop", [("8", "q"), ("8", "Q"), ("8",)])
def test_what_was_typed_before_a_stop_is_kept(monkeypatch: pytest.MonkeyPatch, stop: tuple[str, ...]) -> None:
    typed(monkeypatch, *stop)
    assert asked([TASK]) == ({7: {"clarity_of_speech": 8}}, False)
