"""The answers of a media child that a video has taken over: none of them is an exception of the daemon's."""

import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from daemon.contracts.values import Decoded, Probe
from daemon.core.errors import Blame, Fault
from daemon.stt.decoder import MediaReader

pytestmark = pytest.mark.anyio

CHECKOUT = Path(__file__).resolve().parents[2]
SAMPLE = CHECKOUT / "samples" / "s001_introduction.mp4"
PROBED = {"duration_s": 3.0, "audio_codec": "aac", "audio_streams": 1}


def fault(blame: object = "permanent", code: object = "damaged", message: object = "it is") -> str:
    return json.dumps({"fault": {"blame": blame, "code": code, "message": message}})


INVALID = {
    "no line": "",
    "no JSON": "hello",
    "a list": "[]",
    "null": "null",
    "brackets without end": "[" * 9_000,
    "a long line": json.dumps(PROBED | {"audio_codec": "a" * 100_000}),
    "a long number": '{"duration_s": ' + "9" * 5000 + ', "audio_codec": "aac", "audio_streams": 1}',
    "a number beyond all": '{"duration_s": 1e999, "audio_codec": "aac", "audio_streams": 1}',
    "another object": '{"foo": 1}',
    "nothing in it": "{}",
    "a duration that is text": json.dumps(PROBED | {"duration_s": "x"}),
    "a duration that is digits": json.dumps(PROBED | {"duration_s": "3"}),
    "a duration that is true": json.dumps(PROBED | {"duration_s": True}),
    "a duration that is null": json.dumps(PROBED | {"duration_s": None}),
    "a duration below nothing": json.dumps(PROBED | {"duration_s": -1.0}),
    "a duration above the longest": json.dumps(PROBED | {"duration_s": 1e300}),
    "NaN": json.dumps(PROBED | {"duration_s": float("nan")}),
    "Infinity": json.dumps(PROBED | {"duration_s": float("inf")}),
    "a codec of two lines": json.dumps(PROBED | {"audio_codec": "aac\n"}),
    "no tracks": json.dumps(PROBED | {"audio_streams": 0}),
    "half a track": json.dumps(PROBED | {"audio_streams": 1.5}),
    "a million tracks": json.dumps(PROBED | {"audio_streams": 10**6}),
    "more than was asked": json.dumps(PROBED | {"more": 1}),
    "a fault that is text": '{"fault": "x"}',
    "a fault of nothing": '{"fault": {}}',
    "an unknown blame": fault(blame="teacher"),
    "a blame that is a list": fault(blame=[]),
    "the machine's blame": fault(blame="engine"),
    "the task's blame": fault(blame="task"),
    "no room in a probe": fault(blame="engine", code="no_room"),
    "a code that is a number": fault(code=7),
    "a code of two lines": fault(code="damaged\n"),
    "a long code": fault(code="a" * 41),
    "a message that is a number": fault(message=7),
    "no message": fault(message=""),
    "a message of two lines": fault(message="it is\nso"),
    "a message that colours": fault(message="\x1b[31mit is"),
    "half of a character": '{"fault": {"blame": "permanent", "code": "damaged", "message": "\\ud800"}}',
    "a long message": fault(message="a" * 501),
    "an answer to a decoding": '{"takes": [{"duration_s": 0.0, "flags": []}]}',
}


def takes(*each: object) -> str:
    """An answer to a decoding."""
    return json.dumps({"takes": each})


def take(duration_s: object = 0.0, flags: object = ()) -> dict[str, object]:
    """One of its takes."""
    return {"duration_s": duration_s, "flags": flags}


INVALID_DECODED = {
    "an answer to a probe": json.dumps(PROBED),
    "no take": takes(),
    "many takes": takes(*[take()] * 9),
    "more sound than was written": takes(take(3.0)),
    "a second take that was not written": takes(take(), take(3.0)),
    "a take of more": takes({**take(), "channel": 1}),
    "flags that are text": takes(take(flags="x")),
    "many flags": takes(take(flags=[{"code": "a", "detail": "b"}] * 9)),
    "a flag without a code": takes(take(flags=[{"detail": "x"}])),
    "a flag of more": takes(take(flags=[{"code": "a", "detail": "b", "field": "c"}])),
    "a detail that is a list": takes(take(flags=[{"code": "a", "detail": []}])),
    "NaN": takes(take(float("nan"))),
}


@pytest.fixture
async def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MediaReader]:
    """A reader whose children say what their videos say."""
    (tmp_path / "program_of_the_test.py").write_text("from tests.support.caged import main\nmain()\n")
    monkeypatch.setattr("daemon.stt.decoder._CHILD", "program_of_the_test")
    path = os.pathsep.join([str(tmp_path), str(CHECKOUT), *filter(None, sys.path)])
    monkeypatch.setenv("PYTHONPATH", path)
    media = MediaReader(tmp_path / "media.log", max_duration_s=60.0)
    yield media
    await media.aclose()


def video(folder: Path, probed: str, decoded: str = "") -> Path:
    """A video that has its child answer so."""
    path = folder / "video.mp4"
    path.write_text(json.dumps({"probed": probed, "decoded": decoded}))
    return path


@pytest.mark.parametrize("said", INVALID.values(), ids=INVALID.keys())
async def test_no_valid_answer_is_the_death_of_the_child(
    reader: MediaReader, tmp_path: Path, said: str
) -> None:
    outcome = await reader.probe(video(tmp_path, said))
    assert isinstance(outcome, Fault)
    assert (outcome.blame, outcome.code, outcome.died) == (Blame.PERMANENT, "decoder_died", False)
    assert outcome.message.isprintable()
    assert isinstance(await reader.probe(SAMPLE), Probe)


@pytest.mark.parametrize("said", INVALID_DECODED.values(), ids=INVALID_DECODED.keys())
async def test_no_valid_answer_to_a_decoding_is_the_death_of_the_child(
    reader: MediaReader, tmp_path: Path, said: str
) -> None:
    outcome = await reader.decode(video(tmp_path, json.dumps(PROBED), said), tmp_path / "a.pcm")
    assert isinstance(outcome, Fault)
    assert (outcome.blame, outcome.code, outcome.died) == (Blame.PERMANENT, "decoder_died", False)
    assert not list(tmp_path.glob("*.pcm*"))
    assert isinstance(await reader.decode(SAMPLE, tmp_path / "a.pcm"), Decoded)


@pytest.mark.parametrize(
    ("said", "blame", "code"),
    [
        (fault(), Blame.PERMANENT, "damaged"),
        (fault(blame="task", code="unreadable"), Blame.TASK, "unreadable"),
        (fault(blame="engine", code="no_room"), Blame.ENGINE, "no_room"),
    ],
)
async def test_a_valid_fault_is_handed_on(
    reader: MediaReader, tmp_path: Path, said: str, blame: Blame, code: str
) -> None:
    outcome = await reader.decode(video(tmp_path, json.dumps(PROBED), said), tmp_path / "a.pcm")
    assert isinstance(outcome, Fault)
    assert (outcome.blame, outcome.code) == (blame, code)
