"""What one would write without IntroEval, for the same six clips and the same two containers.

`python -m tests.bench.class_peers one_by_one|batch ENGINE WHISPER CLIP...` prints a JSON object a student.
`one_by_one` is the lab's plan as it was drawn: for each student Whisper is loaded, then both containers are
started, each is asked one question, and both are stopped. `batch` hears the whole class first, starts the
containers once, and asks one question after the other.

The questions are plain ones: the form, and the rating with its words in one answer.
"""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

import httpx

from daemon.core.content.answers import FormAnswer

CONTAINERS = {"mistral": "mistral-container", "llama3": "llama3-container"}
URLS = {"mistral": "http://127.0.0.1:11434", "llama3": "http://127.0.0.1:11435"}

_FORM = """Extract the facts that a student says in a self-introduction as JSON with the keys name, age,
hobbies, career_goals, strengths and experience. What is not said is null or an empty list.

The student says: {}
"""
_RATING = """Rate a student's self-introduction as JSON with the keys confidence_level, clarity_of_speech,
content_quality and overall_rating, each from 1 to 10, then feedback of two or three sentences and a list of
two or three suggestions.

The student says: {}
"""
_LEVEL = {"type": "integer", "minimum": 1, "maximum": 10}
_SENTENCES = {
    "type": "array",
    "items": {"type": "string", "minLength": 15, "maxLength": 160},
    "minItems": 2,
    "maxItems": 3,
}
_RATING_KEYS = {
    **dict.fromkeys(("confidence_level", "clarity_of_speech", "content_quality", "overall_rating"), _LEVEL),
    **dict.fromkeys(("feedback", "suggestions"), _SENTENCES),
}
_RATING_SCHEMA = {"type": "object", "properties": _RATING_KEYS, "required": list(_RATING_KEYS)}
_HEAR = """
import json, sys
from faster_whisper import WhisperModel
model, *paths = sys.argv[1:]
whisper = WhisperModel(model, device="cpu", compute_type="int8")
for path in paths:
    segments, _ = whisper.transcribe(path, language="en")
    print(json.dumps("".join(segment.text for segment in segments)), flush=True)
"""


def one_by_one(engine: str, whisper: str, clips: Sequence[str]) -> None:
    """Each student from the beginning to the end, then the next."""
    for clip in clips:
        (said,) = _heard(whisper, [clip])
        _docker(engine, "start")
        _print(clip, _form(said), _rating(said))
        _docker(engine, "stop")


def batch(engine: str, whisper: str, clips: Sequence[str]) -> None:
    """The class through Whisper, then through Mistral and LLaMA 3, one question after the other."""
    said = _heard(whisper, clips)
    _docker(engine, "start")
    forms = [_form(each) for each in said]
    ratings = [_rating(each) for each in said]
    for each in zip(clips, forms, ratings, strict=True):
        _print(*each)
    _docker(engine, "stop")


def _heard(whisper: str, clips: Sequence[str]) -> list[str]:
    command = [sys.executable, "-c", _HEAR, whisper, *clips]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [json.loads(line) for line in out.splitlines()]


def _docker(engine: str, verb: str) -> None:
    command = ["docker", "-H", engine, verb, *CONTAINERS.values()]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _form(said: str) -> str:
    return _asked("mistral", _FORM.format(said), FormAnswer.json_schema(), 0.1)


def _rating(said: str) -> str:
    return _asked("llama3", _RATING.format(said), _RATING_SCHEMA, 0.2)


def _asked(model: str, prompt: str, schema: dict[str, Any], temperature: float) -> str:
    options = {"temperature": temperature, "top_p": 0.9, "seed": 1, "num_ctx": 4096, "num_predict": 600}
    body = {"model": model, "prompt": prompt, "format": schema, "stream": False, "options": options}
    while True:
        try:
            reply = httpx.post(f"{URLS[model]}/api/generate", json=body, timeout=120.0, trust_env=False)
        except httpx.TransportError:  # it is not up yet
            time.sleep(0.02)
        else:
            return str(reply.raise_for_status().json()["response"])


def _print(clip: str, form: str, rating: str) -> None:
    print(json.dumps({"clip": clip, "form": form, "rating": rating}), flush=True)


if __name__ == "__main__":
    {"one_by_one": one_by_one, "batch": batch}[sys.argv[1]](sys.argv[2], sys.argv[3], sys.argv[4:])
