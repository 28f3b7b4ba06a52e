"""What we rely on of a server that speaks Ollama's API, held to what real ones of two generations answered.

The same functions run on the test server, once in each generation's manner, and unchanged on the real server
at `$INTROEVAL_TEST_OLLAMA_URL` (model `$INTROEVAL_TEST_OLLAMA_MODEL`, by default `mistral`).
"""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from daemon.core.content.answers import FormAnswer
from daemon.core.errors import Blame
from daemon.llm.client import AnswerFailed, Finish, Options, Request
from daemon.llm.limits import AnswerLimits
from daemon.llm.ollama import OllamaClient
from daemon.llm.ollama_api import OllamaApi, full_name
from daemon.llm.streaming import refusal
from tests.ollama_server import Manner, serving

pytestmark = pytest.mark.anyio

RECORDED = json.loads((Path(__file__).parents[1] / "data" / "ollama_contract.json").read_text())
GENERATIONS = ("0.25", "0.32")
REAL = os.environ.get("INTROEVAL_TEST_OLLAMA_URL", "")
MODEL = os.environ.get("INTROEVAL_TEST_OLLAMA_MODEL", "mistral")
BUSY_S = 280.0
"""The longest wait of one answer: a machine that others use takes minutes for what takes seconds alone."""
STD = {"num_ctx": 2048, "temperature": 0, "seed": 1}
OPTIONS = Options(temperature=0.0, top_p=0.9, seed=1, num_ctx=2048, num_predict=400)
FIRST = Request("Are you ready?", FormAnswer.json_schema(), replace(OPTIONS, num_predict=1))
LEFT_OUT = {
    "modelfile",
    "parameters",
    "template",
    "tensors",
    "license",
    "system",
    "modified_at",
    "expires_at",
}
LEFT_OUT |= {"details", "remote_model"}
INTEGER = {
    "type": "object",
    "properties": {"a": {"type": "integer", "minimum": 1, "maximum": 10}},
    "required": ["a"],
    "additionalProperties": False,
}


@dataclass
class Server:
    """A server under contract. `generation` is empty for a real one, which may be of either."""

    url: str
    generation: str
    http: httpx.AsyncClient
    api: OllamaApi

    async def ask(self, request: dict[str, Any]) -> httpx.Response:
        body = json.loads(json.dumps(request.get("body")).replace("<model>", MODEL))
        if "times" in request:
            body["prompt"] *= request["times"]
        if "raw" in request:
            return await self.http.request(request["method"], request["path"], content=request["raw"])
        return await self.http.request(request["method"], request["path"], json=body)

    async def generate(self, **body: Any) -> dict[str, Any]:
        reply = await self.http.post("/api/generate", json={"model": MODEL, "stream": False, **body})
        assert reply.status_code == 200, reply.text
        return dict(reply.json())

    def client(self) -> OllamaClient:
        return OllamaClient(self.url, MODEL, limits=AnswerLimits(stall_s=BUSY_S, timeout_s=BUSY_S))


@pytest.fixture(
    params=[
        *GENERATIONS,
        pytest.param(
            "", marks=pytest.mark.skipif(not REAL, reason="INTROEVAL_TEST_OLLAMA_URL names no real server")
        ),
    ],
    ids=lambda generation: generation or "real",
)
async def server(request: pytest.FixtureRequest) -> AsyncIterator[Server]:
    generation: str = request.param
    if not generation:
        async with connected_to(REAL, "") as real:
            yield real
        return
    async with (
        serving(Manner(generation=generation)) as ours,
        connected_to(ours.url, generation) as connected,
    ):
        yield connected


@asynccontextmanager
async def connected_to(url: str, generation: str) -> AsyncIterator[Server]:
    async with (
        httpx.AsyncClient(base_url=url, trust_env=False, timeout=BUSY_S) as http,
        OllamaApi(url) as api,
    ):
        yield Server(url, generation, http, api)


def facts_of(reply: httpx.Response) -> dict[str, Any]:
    """What the client relies on in a reply, as the recordings have it."""
    facts: dict[str, Any] = {"status": reply.status_code}
    if not reply.is_success:
        facts["fault"] = refusal(reply.status_code, reply.content).code
    lines = [json.loads(line) for line in reply.text.splitlines()] if _is_stream(reply) else []
    last = lines[-1] if lines else reply.json() if "json" in reply.headers["content-type"] else reply.text
    if not isinstance(last, dict):
        return {**facts, "text": last}
    if "error" in last:
        facts["error"] = True
    if "done" in last:
        facts["done"] = last["done"]
    if "done_reason" in last:
        facts["reason"] = last["done_reason"]
    shown = last["models"][0] if last.get("models") else last
    return {**facts, "fields": sorted(set(shown) - LEFT_OUT), **({"lines": True} if lines else {})}


def _is_stream(reply: httpx.Response) -> bool:
    return "ndjson" in reply.headers["content-type"]


def agrees(seen: dict[str, Any], recorded: dict[str, Any]) -> bool:
    """Whether what was seen is what was recorded; a newer server may say more."""
    if not set(recorded.get("fields", [])) <= set(seen.get("fields", [])):
        return False
    return {**seen, "fields": 0} == {**recorded, "fields": 0}


def recorded(case: dict[str, Any], generation: str) -> list[dict[str, Any]]:
    """The facts of one generation, or of both for a server that may be of either."""
    facts = case["facts"]
    if "status" in facts:
        return [facts]
    return [facts[generation]] if generation else list(facts.values())


@pytest.mark.parametrize("case", RECORDED["cases"], ids=lambda case: str(case["name"]))
async def test_a_request_is_answered_as_a_real_server_did(server: Server, case: dict[str, Any]) -> None:
    seen = facts_of(await server.ask(case["request"]))
    wanted = recorded(case, server.generation)
    assert any(agrees(seen, each) for each in wanted), (seen, wanted)


async def test_counts_tell_how_long_prompt_and_answer_were(server: Server) -> None:
    answer = await server.generate(prompt="Say hello.", options={**STD, "num_predict": 6})
    assert (answer["done_reason"], answer["eval_count"]) == ("length", 6)
    more = await server.generate(prompt="Say hello. Say it again.", options={**STD, "num_predict": 1})
    again = await server.generate(prompt="Say hello. Say it again.", options={**STD, "num_predict": 1})
    assert more["prompt_eval_count"] > answer["prompt_eval_count"] > 0
    assert again["prompt_eval_count"] == more["prompt_eval_count"], "also what was kept of it is counted"


async def test_a_prompt_is_shortened_unless_that_is_forbidden(server: Server) -> None:
    prompt = "The quick brown fox jumps over the lazy dog near the river bank. " * 300
    answer = await server.generate(prompt=prompt, options={**STD, "num_ctx": 512, "num_predict": 4})
    assert answer["prompt_eval_count"] <= 512
    body = {"model": MODEL, "prompt": prompt, "truncate": False, "shift": False, "stream": True}
    reply = await server.http.post("/api/generate", json={**body, "options": {**STD, "num_ctx": 512}})
    assert refusal(reply.status_code, reply.content).blame is Blame.PERMANENT


async def test_only_another_context_reloads_the_model(server: Server) -> None:
    async def load_s(**options: Any) -> float:
        answer = await server.generate(prompt="Hi", shift=False, options={**STD, "num_predict": 2, **options})
        return float(answer["load_duration"]) / 1e9

    async def quickest_s(**options: Any) -> float:
        return min([await load_s(**options) for _ in range(3)])  # what else the machine does only adds

    await load_s()
    warm = [
        await quickest_s(**options) for options in ({"temperature": 0.7}, {"seed": 5}, {"num_predict": 3})
    ]
    reload_s = await load_s(num_ctx=1024)
    assert reload_s > 2 * max(warm), (reload_s, warm)
    assert [each.num_ctx for each in await server.api.ps()] == [1024]


async def test_a_schema_reloads_nothing(server: Server) -> None:
    options = {**STD, "num_predict": 60}
    await server.api.unload(MODEL)
    loaded = await server.generate(prompt="Hi", options=options)
    formed = [await server.generate(prompt="Hi", options=options, format=INTEGER) for _ in range(3)]
    assert min(each["load_duration"] for each in formed) < loaded["load_duration"] / 2
    assert 1 <= json.loads(formed[0]["response"])["a"] <= 10


async def test_unloading_is_said_at_once_and_true_a_little_later(server: Server) -> None:
    await server.api.load(MODEL, FIRST, AnswerLimits(load_s=BUSY_S))
    assert await server.api.ps()
    reply = await server.generate(keep_alive=0)
    assert reply["done_reason"] == "unload"
    await server.api.unload(MODEL)
    assert await server.api.ps() == []


async def test_a_model_that_answers_stays_until_its_answer_is_whole(server: Server) -> None:
    async with server.http.stream(
        "POST",
        "/api/generate",
        json={"model": MODEL, "prompt": "Write a long story.", "options": {**STD, "num_predict": 60}},
    ) as reply:
        lines = reply.aiter_lines()
        await anext(lines)
        assert (await server.generate(keep_alive=0))["done_reason"] == "unload"
        rest = [json.loads(line) async for line in lines]
    assert rest[-1]["done"] is True
    await server.api.unload(MODEL)


async def test_two_names_of_the_same_weights_share_a_runner(server: Server) -> None:
    stored = {each.name: each.digest for each in await server.api.tags()}
    other = next(
        (name for name in stored if name != full_name(MODEL) and stored[name] == stored[full_name(MODEL)]), ""
    )
    if not other:
        pytest.skip(f"{REAL} has no second name for {MODEL}")
    await server.api.unload(MODEL)
    await server.generate(prompt="Hi", options={**STD, "num_predict": 1})
    await server.generate(model=other, prompt="Hi", options={**STD, "num_predict": 1})
    assert [each.digest for each in await server.api.ps()] == [stored[other]]


async def test_a_context_beyond_the_trained_one_is_clamped_without_a_word(server: Server) -> None:
    trained = (await server.api.show(MODEL)).max_ctx
    if trained > 8192:
        pytest.skip(f"{MODEL} would take the memory of {trained} tokens")
    await server.generate(prompt="Hi", options={**STD, "num_ctx": trained + 1000, "num_predict": 1})
    assert [each.num_ctx for each in await server.api.ps()] == [trained]


async def test_several_at_once_are_all_answered(server: Server) -> None:
    asked = [server.generate(prompt=f"Write about {i}.", options={**STD, "num_predict": 4}) for i in range(4)]
    assert [answer["eval_count"] for answer in await asyncio.gather(*asked)] == [4] * 4


async def test_who_hangs_up_leaves_the_server_free(server: Server) -> None:
    body = {"model": MODEL, "prompt": "Write a very long story.", "options": {**STD, "num_predict": 1500}}
    async with server.http.stream("POST", "/api/generate", json=body) as reply:
        lines = reply.aiter_lines()
        await anext(lines)
        began = time.monotonic()
        for _ in range(30):
            await anext(lines)
        story_s = (time.monotonic() - began) / 30 * 1500
    began = time.monotonic()
    await server.generate(prompt="Hi", options={**STD, "num_predict": 1})
    assert time.monotonic() - began < max(1.0, story_s / 2)


async def test_our_form_comes_whole_from_the_client(server: Server) -> None:
    loaded, _ = await server.api.load(MODEL, FIRST, AnswerLimits(load_s=BUSY_S))
    assert loaded.num_ctx == OPTIONS.num_ctx
    client = server.client()
    heard: list[int] = []
    prompt = "Hello, my name is Priya Raman. I like chess. I am twenty one.\nFill the form as JSON."
    answer = await client.generate(Request(prompt, FormAnswer.json_schema(), OPTIONS), heard.append)
    await client.aclose()
    assert answer.finish is Finish.STOP
    FormAnswer.read(answer.text)
    assert answer.prompt_tokens > 0
    assert heard == list(range(1, len(heard) + 1))
    assert answer.load_s is not None


async def test_our_client_is_refused_a_prompt_that_does_not_fit(server: Server) -> None:
    client = server.client()
    with pytest.raises(AnswerFailed) as caught:
        await client.generate(Request("word " * 4096, FormAnswer.json_schema(), OPTIONS), lambda _: None)
    await client.aclose()
    assert (caught.value.fault.blame, caught.value.fault.code) == (Blame.PERMANENT, "transcript_too_long")


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize("case", RECORDED["faults"], ids=lambda case: str(case["fault"]))
async def test_a_scripted_fault_looks_as_the_real_one_did(generation: str, case: dict[str, Any]) -> None:
    async with (
        serving(Manner(generation=generation)) as ours,
        connected_to(ours.url, generation) as connected,
    ):
        ours.faults.add(case["fault"])
        seen = facts_of(await connected.ask(case["request"]))
    assert any(agrees(seen, each) for each in recorded(case, generation)), (seen, case["facts"])
