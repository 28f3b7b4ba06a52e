"""The form of a recording, through the daemon with Whisper; the model's answer is scripted."""

import json
from pathlib import Path

import pytest

from daemon.llm.client import Options
from daemon.llm.extractor import FormExtractor
from daemon.llm.rubric import Rubric
from daemon.stt.decoder import MediaReader
from daemon.stt.transcriber import WhisperEngine
from daemon.system.weights import Weights
from tests.support.checkout import model_folder
from tests.support.inprocess import Lab, worked_off
from tests.support.recordings import INTRO
from tests.support.scripted_http import answers, scripted
from tests.support.scripted_model import ScriptedHost
from tests.support.studio import Studio, must_be_equipped

OPTIONS = Options(temperature=0.1, top_p=0.9, seed=1, num_ctx=2048, num_predict=200)
FORM = {
    "name": "Hannah Reed",
    "age": 20,
    "hobbies": ["chess", "running"],
    "career_goals": "I want to build bridges",
    "strengths": ["chess", "running"],
    "experience": "I worked as an intern in a library",
}

pytestmark = pytest.mark.anyio


async def test_hobbies_that_the_model_calls_strengths_are_no_strengths_in_the_result(tmp_path: Path) -> None:
    must_be_equipped()
    wav = Studio(tmp_path).speech(INTRO)
    async with scripted(answers("{", finish="length"), answers("{", finish="length"),
                        answers(json.dumps(FORM))) as server:  # fmt: skip
        lab = Lab(
            tmp_path / "lab",
            media=MediaReader(tmp_path / "media.log"),
            transcriber=WhisperEngine(
                Weights.unpinned(model_folder("whisper-base")), tmp_path, tmp_path / "stt.log"
            ),
            extractor=FormExtractor(ScriptedHost(server.url), Rubric(), lambda: OPTIONS),
        )
        lab.hand_in("s001_me.wav", wav.read_bytes())
        async with lab.daemon() as daemon:
            await worked_off(daemon)
    (result,) = lab.results().values()
    assert result["profile"]["strengths"] == []
    assert result["profile"]["hobbies"] == ["chess", "running"]
    assert {"ungrounded"} <= {flag["code"] for flag in result["flags"]}
