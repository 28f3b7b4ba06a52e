import asyncio
import json
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from daemon.core.content.answers import FormAnswer
from daemon.llm.client import AnswerFailed, Finish, Options, Request
from daemon.llm.ollama import OllamaClient
from tests.ollama_server import Manner, serving
from tests.support.scripted_http import answers, refuses, scripted
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

REQUEST = Request(
    "Hi",
    FormAnswer.json_schema(),
    Options(temperature=0.1, top_p=0.9, seed=7, num_ctx=2048, num_predict=400),
)


@asynccontextmanager
async def process(*flags: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """The server as a process, and its address."""
    command = (sys.executable, "-m", "tests.ollama_server", *flags)
    child = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        assert child.stdout is not None
        async with asyncio.timeout(20):
            yield child, (await child.stdout.readline()).decode().split()[-1]
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


async def test_a_process_ends_at_once_on_sigterm_also_in_mid_answer() -> None:
    async with process("--token-s", "5") as (child, url):
        client = OllamaClient(url, "mistral")
        asking = asyncio.ensure_future(client.generate(REQUEST, lambda _: None))
        async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
            while not (await http.get("/control")).json()["requests"]:
                await asyncio.sleep(0.01)
        began = time.monotonic()
        child.send_signal(signal.SIGTERM)
        assert await child.wait() == 0
        assert time.monotonic() - began < 2
        with pytest.raises(AnswerFailed, match="connection was lost"):
            await asking
        await client.aclose()


async def test_a_slow_stop_takes_as_long_as_it_was_told() -> None:
    async with process("--stop-s", "0.5") as (child, _):
        began = time.monotonic()
        child.send_signal(signal.SIGTERM)
        assert await child.wait() == 0
        assert time.monotonic() - began >= 0.5


async def test_faults_and_figures_are_set_while_it_runs() -> None:
    async with serving() as server, httpx.AsyncClient(base_url=server.url, trust_env=False) as http:
        await http.post("/control", json={"fault": "busy", "times": 2, "set": {"gpu_share": 0.5}})
        body = {"model": "mistral", "prompt": "Hi", "stream": False, "options": {"num_predict": 1}}
        seen = [(await http.post("/api/generate", json=body)).status_code for _ in range(3)]
        assert seen == [503, 503, 200]
        model = (await http.get("/api/ps")).json()["models"][0]
        assert model["size_vram"] == model["size"] // 2
        told = (await http.get("/control")).json()
        assert (len(told["requests"]), told["loads"], told["faults"]) == (3, 1, [])
        assert (await http.post("/control", json={"fault": "tea"})).status_code == 400
        assert (await http.post("/control", json={"set": {"tea": 1}})).status_code == 400


async def test_a_fault_stays_until_it_is_cleared() -> None:
    async with serving(Manner(faults="error*-1")) as server:
        client = OllamaClient(server.url, "mistral")
        for _ in range(3):
            with pytest.raises(AnswerFailed):
                await client.generate(REQUEST, lambda _: None)
        server.faults.waiting.clear()
        assert await client.generate(REQUEST, lambda _: None)
        await client.aclose()


async def test_a_model_expires_after_its_time() -> None:
    async with serving() as server, httpx.AsyncClient(base_url=server.url, trust_env=False) as http:
        body = {"model": "mistral", "prompt": "Hi", "stream": False, "keep_alive": "50ms"}
        await http.post("/api/generate", json=body)
        await until(lambda: not server.memory.listed(), 2)


async def test_a_backend_makes_the_answers() -> None:
    form = json.dumps({"name": "Mira", "age": None})
    async with scripted(answers(form)) as backend, serving(Manner(backend=backend.url)) as server:
        client = OllamaClient(server.url, "mistral")
        answer = await client.generate(REQUEST, lambda _: None)
        await client.aclose()
    assert (json.loads(answer.text), answer.finish) == (json.loads(form), Finish.STOP)
    asked = backend.requests[0]
    assert asked["response_format"]["json_schema"]["schema"] == REQUEST.schema
    assert (asked["max_tokens"], asked["temperature"], asked["seed"]) == (401, 0.1, 7)


async def test_a_backend_that_fails_is_a_runner_that_fails() -> None:
    async with scripted(refuses(500)) as backend, serving(Manner(backend=backend.url)) as server:
        client = OllamaClient(server.url, "mistral")
        with pytest.raises(AnswerFailed) as caught:
            await client.generate(REQUEST, lambda _: None)
        await client.aclose()
    assert caught.value.fault.code == "server_error"
