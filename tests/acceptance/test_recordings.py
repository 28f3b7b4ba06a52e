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
from tests.acceptance.wording import errors
from tests.support.checkout import REPOSITORY, model_folder
from tests.support.inprocess import Lab, worked_off
from tests.support.recordings import RECORDINGS, Recording
from tests.support.studio import Studio, must_be_equipped

PAGE = REPOSITORY / "docs" / "recordings.md"
MOST_WRONG = 0.25  # of the words: names come out as Whisper hears them

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


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[Recording, Answer]:
    must_be_equipped()
    folder = tmp_path_factory.mktemp("recordings")
    lab = Lab(folder / "lab", media=MediaReader(folder / "media.log"), transcriber=_whisper(folder))
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
    cores = min(os.cpu_count() or 1, 4)
    return WhisperEngine(model_folder("whisper-base"), folder, folder / "stt.log", streams=cores)


async def _worked_off(lab: Lab) -> None:
    async with lab.daemon() as daemon:
        await worked_off(daemon, timeout_s=600)


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda each: f"{each.kind}: {each.what}")
def test_each_ends_as_a_user_expects(answers: dict[Recording, Answer], recording: Recording) -> None:
    answer = answers[recording]
    assert answer.ends in recording.ends, (answer.flags, answer.text)
    assert not recording.flag or recording.flag in answer.flags
    if answer.ends == "evaluated" and recording.said:
        wrong, said = errors(recording.said, answer.text)
        assert wrong <= MOST_WRONG * said, answer.text


def test_the_page_tells_what_this_run_showed(answers: dict[Recording, Answer]) -> None:
    page = _page(answers)
    if os.environ.get("INTROEVAL_WRITE_DOCS"):
        PAGE.write_text(page)
    assert PAGE.read_text() == page, "write it anew with INTROEVAL_WRITE_DOCS=1"


def _page(answers: dict[Recording, Answer]) -> str:
    lines = [
        "# What comes of recordings",
        "",
        "Written by `INTROEVAL_WRITE_DOCS=1 pytest tests/acceptance/test_recordings.py`, from a run of the "
        "daemon over a class",
        "that hands in all of these at once, with Whisper `base`. Do not edit it. The voices are synthetic.",
        "",
        "| what is odd | recording | outcome | flags |",
        "| --- | --- | --- | --- |",
    ]
    for recording, answer in answers.items():
        flags = "".join(f"`{flag}` " for flag in answer.flags)
        what = f"{recording.what} ({recording.suffix})"
        lines.append(f"| {recording.kind} | {what} | `{answer.ends}` | {flags}|")
    return "\n".join(lines) + "\n"
