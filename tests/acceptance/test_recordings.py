"""What students really hand in, through the daemon with the real decoder and Whisper; the page tells it.

The language models are scripted: what is heard is the subject. `INTROEVAL_WRITE_DOCS=1 pytest
tests/acceptance/test_recordings.py` writes docs/recordings.md anew.
"""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from daemon.stt.decoder import MediaReader
from daemon.stt.transcriber import WhisperEngine
from daemon.system.weights import Weights
from tests.acceptance.odd_recordings import RECORDINGS
from tests.acceptance.wording import errors
from tests.support.checkout import REPOSITORY, model_folder
from tests.support.inprocess import Lab, worked_off
from tests.support.recordings import Recording
from tests.support.studio import Studio, must_be_equipped

CORES = min(os.cpu_count() or 1, 4)
PAGE = REPOSITORY / "docs" / "recordings.md"
MOST_WRONG = 0.4  # of the words: nothing that was heard worse may end as evaluated
WELL = 0.15  # of the words wrong, names mostly: one in thirty of these may be doubted

pytestmark = pytest.mark.timeout(900)


@dataclass(frozen=True)
class Answer:
    """What came of one recording."""

    result: dict[str, Any]

    @property
    def ends(self) -> str:
        """The outcome; of one that is not rated the code."""
        error = self.result["error"]
        return str(error["code"] if error else self.result["outcome"])

    @property
    def flags(self) -> list[str]:
        return sorted({flag["code"] for flag in self.result["flags"]})

    @property
    def text(self) -> str:
        return str((self.result["transcript"] or {}).get("text", ""))

    def error_rate(self, said: str) -> float:
        """Of the words, as Whisper's makers count them."""
        wrong, words = errors(said, self.text)
        return wrong / words


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[Recording, Answer]:
    must_be_equipped()
    folder = tmp_path_factory.mktemp("recordings")
    lab = Lab(
        folder / "lab",
        media=MediaReader(folder / "media.log"),
        transcriber=_whisper(folder),
        settings={"stt.parallel": CORES},
    )
    lab.inbox.mkdir(parents=True)
    studio = Studio(folder)
    names = {recording: f"s{number:03d}" for number, recording in enumerate(RECORDINGS)}

    def hand_in(recording: Recording) -> None:
        recording.make(studio, lab.inbox / f"{names[recording]}_me{recording.suffix}")

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(hand_in, RECORDINGS))
    asyncio.run(_worked_off(lab))
    by_student = {result["student_id"]: Answer(result) for result in lab.results().values()}
    return {recording: by_student[name] for recording, name in names.items()}


def _whisper(folder: Path) -> WhisperEngine:
    return WhisperEngine(
        Weights.unpinned(model_folder("whisper-base")), folder, folder / "stt.log", streams=CORES
    )


async def _worked_off(lab: Lab) -> None:
    async with lab.daemon() as daemon:
        await worked_off(daemon, timeout_s=600)


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda each: f"{each.kind}: {each.what}{each.suffix}")
def test_each_ends_as_a_user_expects(answers: dict[Recording, Answer], recording: Recording) -> None:
    answer = answers[recording]
    assert answer.ends in recording.ends, (answer.flags, answer.text)
    assert recording.flags <= set(answer.flags)
    if answer.ends == "evaluated" and recording.said:
        assert answer.error_rate(recording.said) <= MOST_WRONG, answer.text
    if recording.duration_s is not None:
        assert answer.result["source"]["duration_s"] == pytest.approx(recording.duration_s, abs=1.5)


def test_what_was_heard_wrongly_is_never_evaluated_and_what_was_heard_well_hardly_ever_flagged(
    answers: dict[Recording, Answer],
) -> None:
    rates = [(answer, answer.error_rate(each.said)) for each, answer in answers.items() if each.said]
    assert not [answer.text for answer, rate in rates if rate > MOST_WRONG and answer.ends == "evaluated"]
    well = [answer for answer, rate in rates if rate < WELL]
    doubted = [answer.text for answer in well if "low_confidence" in answer.flags]
    assert len(doubted) <= len(well) / 30, doubted


def test_the_page_tells_what_these_tests_hold() -> None:
    page = _page()
    if os.environ.get("INTROEVAL_WRITE_DOCS"):
        PAGE.write_text(page)
    assert PAGE.read_text() == page, "write it anew with INTROEVAL_WRITE_DOCS=1"


def _page() -> str:
    lines = [
        "# What comes of recordings",
        "",
        "Written by `INTROEVAL_WRITE_DOCS=1 pytest tests/acceptance/test_recordings.py`, which hands in all "
        "of these at once",
        "to a daemon with Whisper `base`, and fails where one ends otherwise. Do not edit it. The voices are "
        "synthetic.",
        "",
        f"Over all of them: what has more than {MOST_WRONG:.0%} of its words wrong is never `evaluated`, and "
        f"of those with less than {WELL:.0%}",
        "at most one in thirty has the flag `low_confidence`.",
        "",
        "| what is odd | recording | outcome, or code of what is not rated | flags |",
        "| --- | --- | --- | --- |",
    ]
    for each in RECORDINGS:
        ends = " or ".join(f"`{end}`" for end in each.ends)
        flags = "".join(f"`{flag}` " for flag in sorted(each.flags))
        lines.append(f"| {each.kind} | {each.what} ({each.suffix}) | {ends} | {flags}|")
    return "\n".join(lines) + "\n"
