"""A model is pulled: what our client makes of it, and the test server held to what real servers said.

`tests/data/ollama_pull.json` has the lines of two generations, each with how often it came in a row: of a
pull that stood still for four seconds at the half, and of the same one again.
"""

import asyncio
import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from daemon.core.errors import ModelError
from daemon.llm import ollama_api
from daemon.llm.ollama import StreamLine
from daemon.llm.ollama_api import OllamaApi
from tests.ollama_server import Manner, serving
from tests.support.scripted_http import chunk, says, scripted

pytestmark = pytest.mark.anyio
both = pytest.mark.parametrize("generation", ["0.25", "0.32"])

Line = dict[str, Any]
RECORDED: dict[str, dict[str, list[tuple[int, Line]]]] = json.loads(
    (Path(__file__).parents[1] / "data" / "ollama_pull.json").read_text()
)


def course(lines: list[Line]) -> list[tuple[str, int, float]]:
    """Each line's step, size, and share that is here; how far it is in between depends on the moment."""
    told: list[tuple[str, int, float]] = []
    for line in lines:
        assert "completed" not in line or 0 < line["completed"] <= line["total"]
        assert "digest" not in line or line["status"] == f"pulling {line['digest'][7:19]}"
        assert set(line) - {"completed"} in ({"status"}, {"status", "digest", "total"})
        share = line.get("completed", 0) / line.get("total", 1)
        step = (line["status"], line.get("total", 0), share if share in (0, 1) else 0.5)
        if not told or told[-1] != step:
            told.append(step)
    return told


async def said(api: OllamaApi, monkeypatch: pytest.MonkeyPatch) -> list[Line]:
    """The lines of a pull, by way of our client."""
    lines: list[Line] = []

    def heard(line: str) -> StreamLine:
        lines.append(json.loads(line))
        return StreamLine.model_validate(lines[-1])

    with monkeypatch.context() as patched:
        patched.setattr(ollama_api, "parse_line", heard)
        await api.pull("mistral", lambda *_: None)
    return lines


@both
async def test_the_test_server_pulls_as_a_real_one_does(
    generation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    manner = Manner(generation=generation, models="", registry="mistral", pull_s=0.3)
    async with serving(manner) as server, OllamaApi(server.url) as api:
        assert await api.tags() == []
        new = await said(api, monkeypatch)
        assert [each.name for each in await api.tags()] == ["mistral:latest"]
        again = await said(api, monkeypatch)
    for lines, kind in ((new, "new"), (again, "again")):
        assert course(lines) == course([line for _, line in RECORDED[generation][kind]])
    assert sum(before == after for before, after in itertools.pairwise(new)) == 5  # a beat of 60 ms


@both
@pytest.mark.parametrize("kind", ["new", "again"])
async def test_the_lines_of_a_real_pull_are_told_as_they_come(generation: str, kind: str) -> None:
    rows = RECORDED[generation][kind]
    sent = [line for times, line in rows for _ in range(times)]
    script = says(*(chunk(json.dumps(line).encode() + b"\n") for line in sent), chunk(b""))
    told: list[tuple[str, int, int]] = []
    async with scripted(script) as server, OllamaApi(server.url) as api:
        await api.pull("mistral", lambda *step: told.append(step))
    assert told == [(line["status"], line.get("completed", 0), line.get("total", 0)) for line in sent]


async def test_a_registry_that_breaks_off_is_said_in_one_line() -> None:
    lines = [{"status": "pulling manifest"}, {"error": "max retries exceeded: EOF"}]  # after 63 s of retries
    script = says(*(chunk(json.dumps(line).encode() + b"\n") for line in lines), chunk(b""))
    async with scripted(script) as server, OllamaApi(server.url) as api:
        with pytest.raises(
            ModelError, match=r"^mistral was not pulled: .*max retries exceeded: EOF"
        ) as caught:
            await api.pull("mistral", lambda *_: None)
    assert "\n" not in str(caught.value)


async def test_a_server_that_says_the_same_again_and_again_has_nothing_new_to_tell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ollama_api, "_PULL_STALL_S", 0.3)
    manner = Manner(models="", registry="mistral", pull_s=600)
    async with serving(manner) as server, OllamaApi(server.url) as api, asyncio.timeout(20):
        with pytest.raises(ModelError, match="mistral was not pulled: no progress for"):
            await api.pull("mistral", lambda *_: None)
        assert await api.tags() == []
