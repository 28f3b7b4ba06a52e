import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
import structlog

from daemon.contracts.values import Extracted, ExtractWork, Failed, Rated, RateWork, Ticket
from daemon.contracts.wire.status import EngineReport
from daemon.core.content.answers import FormAnswer
from daemon.core.content.document import Speaking, Transcript
from daemon.core.content.scoring import RatingAnswer
from daemon.core.errors import Blame, EngineError, Fault, ModelError
from daemon.llm.client import Answer, AnswerFailed, Finish, ModelIdentity, Options, Request, Started
from daemon.llm.extractor import FormExtractor
from daemon.llm.limits import AnswerLimits
from daemon.llm.ollama import RELOAD_S, OllamaClient
from daemon.llm.ollama_api import LoadedModel, ModelShape, OllamaApi, StoredModel, full_name
from daemon.llm.rater import IntroductionRater
from daemon.llm.rubric import Rubric
from tests.ollama_server import Manner, OllamaServer, making, serving
from tests.ollama_server.manner import DIGEST, read
from tests.support.scripted_http import chunk, close, refuses, says, scripted
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

OPTIONS = Options(temperature=0.1, top_p=0.9, seed=7, num_ctx=2048, num_predict=400)
REQUEST = Request("Who are you?", FormAnswer.json_schema(), OPTIONS)
FIRST = replace(REQUEST, options=replace(OPTIONS, num_predict=1))
TICKET = Ticket(task_id=1, revision=1, attempt=1)
SAID = "Hello, I am Mira Pillai and I like chess. I am twenty-one. I worked in a shop for two years."
TRANSCRIPT = Transcript(text=SAID, language="en", language_probability=0.9)
SPEAKING = Speaking(
    speech_s=20, words_per_minute=131.6, pause_ratio=0.12, longest_pause_s=0.84, filler_words={"um": 2}
)
both = pytest.mark.parametrize("generation", ["0.25", "0.32"])


def ignore(_: int) -> None:
    pass


@asynccontextmanager
async def asked_at(
    url: str, *, stall_s: float = 20, timeout_s: float = 60, **more: Any
) -> AsyncIterator[OllamaClient]:
    limits = AnswerLimits(stall_s=stall_s, timeout_s=timeout_s)
    client = OllamaClient(url, "mistral", limits=limits, **more)
    try:
        yield client
    finally:
        await client.aclose()


async def ask(
    generation: str, *faults: str, request: Request = REQUEST, stall_s: float = 20, timeout_s: float = 60
) -> Answer:
    async with serving(Manner(generation=generation)) as server:
        for fault in faults:
            server.faults.add(fault)
        async with asked_at(server.url, stall_s=stall_s, timeout_s=timeout_s) as client:
            return await client.generate(request, ignore)


async def fault_of(generation: str, fault: str, *, stall_s: float = 20, timeout_s: float = 60) -> Fault:
    with pytest.raises(AnswerFailed) as caught:
        await ask(generation, fault, stall_s=stall_s, timeout_s=timeout_s)
    return caught.value.fault


@both
async def test_an_answer_carries_its_text_counts_and_times(generation: str) -> None:
    answer = await ask(generation)
    assert answer.finish is Finish.STOP
    assert FormAnswer.read(answer.text)
    assert answer.prompt_tokens == 13
    assert answer.answer_tokens > 10
    assert answer.prompt_s == pytest.approx(0.013)
    assert answer.answer_s == pytest.approx(0.002 * answer.answer_tokens)
    assert answer.load_s == pytest.approx(0.5)


async def test_the_request_forbids_shortening_and_holds_the_model() -> None:
    async with serving() as server, asked_at(server.url) as client:
        await client.generate(REQUEST, ignore)
    assert server.requests == [
        {
            "model": "mistral",
            "prompt": "Who are you?",
            "format": REQUEST.schema,
            "stream": True,
            "raw": False,
            "truncate": False,
            "shift": False,
            "keep_alive": -1,
            "options": {"num_ctx": 2048, "num_predict": 400, "temperature": 0.1, "top_p": 0.9, "seed": 7},
        }
    ]


@pytest.mark.parametrize(("asked", "sent"), [(0, 1), (-1, 1), (-2, 1), (9999, 2048)])
async def test_an_answer_always_has_a_limit(asked: int, sent: int) -> None:
    request = replace(REQUEST, options=replace(OPTIONS, num_predict=asked))
    async with serving() as server, asked_at(server.url) as client:
        await client.generate(request, ignore)
    assert server.requests[0]["options"]["num_predict"] == sent


async def test_every_token_is_told_as_it_comes() -> None:
    heard: list[int] = []
    async with serving() as server, asked_at(server.url) as client:
        answer = await client.generate(REQUEST, heard.append)
    assert heard == list(range(1, answer.answer_tokens)), "the token that ends it has no text"


async def test_a_proxy_of_the_environment_gets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert (await ask("0.32")).finish is Finish.STOP


@both
@pytest.mark.parametrize(
    ("fault", "finish"),
    [
        ("repeat", Finish.CUT),  # 200, and the stream just ends, without `done`
        ("length", Finish.LENGTH),
        ("whitespace", Finish.LENGTH),
        ("overflow", Finish.LENGTH),  # it says `stop`, but its beginning left the context
        ("truncated", Finish.STOP),  # told by our own reading of it
        ("prose", Finish.STOP),
        ("invalid", Finish.STOP),
    ],
)
async def test_how_an_answer_ended_is_told_by_its_last_line(
    generation: str, fault: str, finish: Finish
) -> None:
    assert (await ask(generation, fault)).finish is finish


@pytest.mark.parametrize(
    "last",
    [{"done": True, "done_reason": reason} for reason in ("load", "unload", "", "tea")]
    + [{"done": True}, {"done": False, "done_reason": "stop"}],
)
async def test_what_does_not_end_by_itself_is_not_whole(last: dict[str, Any]) -> None:
    line = json.dumps({"response": "{}", **last}).encode() + b"\n"
    async with scripted(says(chunk(line), chunk(b""))) as server, asked_at(server.url) as client:
        assert (await client.generate(REQUEST, ignore)).finish is Finish.CUT


@both
@pytest.mark.parametrize(
    ("fault", "code", "died"),
    [
        ("error", "server_error", False),
        ("empty_error", "server_error", False),
        ("damaged", "server_error", False),
        ("stream_error", "server_error", False),
        ("runner_dies", "server_error", False),
        ("busy", "server_busy", False),
        ("gone_weights", "request_refused", False),
        ("disconnect", "connection_lost", True),
        ("cut_connection", "connection_lost", True),
    ],
)
async def test_every_failure_is_a_fault_of_the_engine(
    generation: str, fault: str, code: str, died: bool
) -> None:
    seen = await fault_of(generation, fault)
    assert (seen.blame, seen.code, seen.died) == (Blame.ENGINE, code, died)
    assert seen.message.isprintable()


@both
@pytest.mark.parametrize("fault", ["silence", "freeze"])
async def test_no_token_for_the_stall_time_is_a_death(generation: str, fault: str) -> None:
    seen = await fault_of(generation, fault, stall_s=0.2)
    assert (seen.blame, seen.code, seen.died) == (Blame.ENGINE, "stalled", True)


async def test_tokens_are_signs_of_life_longer_than_the_stall_time() -> None:
    async with (
        serving(Manner(token_s=0.02)) as server,
        asked_at(server.url, stall_s=0.3) as client,
    ):
        answer = await client.generate(REQUEST, ignore)
    assert answer.answer_tokens * 0.02 > 0.3
    assert answer.finish is Finish.STOP


async def test_an_answer_that_takes_too_long_is_a_death() -> None:
    async with (
        serving(Manner(token_s=0.05)) as server,
        asked_at(server.url, timeout_s=0.3) as client,
    ):
        with pytest.raises(AnswerFailed) as caught:
            await client.generate(REQUEST, ignore)
    assert (caught.value.fault.code, caught.value.fault.died) == ("answer_timeout", True)


@both
async def test_a_prompt_that_does_not_fit_is_permanent(generation: str) -> None:
    with pytest.raises(AnswerFailed) as caught:
        await ask(generation, request=replace(REQUEST, prompt="word " * 3000))
    assert (caught.value.fault.blame, caught.value.fault.code) == (Blame.PERMANENT, "transcript_too_long")


@pytest.mark.parametrize(
    "body",
    [
        b'{"error":"the input length exceeds the context length"}',
        b'{"error":"the prompt is longer than the context length currently available to the model; shorten"}',
        b'{"error":"{\\"error\\":{\\"message\\":\\"request (9 tokens) exceeds the available context\\"}}"}',
    ],
)
async def test_each_wording_of_too_long_is_known(body: bytes) -> None:
    async with scripted(refuses(400, body)) as server, asked_at(server.url) as client:
        with pytest.raises(AnswerFailed) as caught:
            await client.generate(REQUEST, ignore)
    assert caught.value.fault.blame is Blame.PERMANENT


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        (b"", "answer_cut"),
        (b"\n\n", "answer_cut"),
        (b"no json\n", "server_error"),
        (b"[]\n", "server_error"),
        (b'{"response": "{"}\n{"error": "oops\x1b[31m"}\n', "server_error"),
    ],
)
async def test_a_stream_that_makes_no_sense_is_a_fault(lines: bytes, code: str) -> None:
    script = says(chunk(lines), chunk(b"")) if lines else says(chunk(b""))
    async with scripted(script) as server, asked_at(server.url) as client:
        with pytest.raises(AnswerFailed) as caught:
            await client.generate(REQUEST, ignore)
    assert (caught.value.fault.blame, caught.value.fault.code) == (Blame.ENGINE, code)
    assert caught.value.fault.message.isprintable()


async def test_nobody_listening_is_a_lost_connection() -> None:
    async with scripted(close) as server:
        url = server.url
    async with asked_at(url) as client:
        with pytest.raises(AnswerFailed) as caught:
            await client.generate(REQUEST, ignore)
    assert caught.value.fault.code == "connection_lost"


async def test_who_is_cancelled_hangs_up() -> None:
    async with serving(Manner(token_s=0.01)) as server, asked_at(server.url) as client:
        heard: list[int] = []
        asking = asyncio.ensure_future(
            client.generate(replace(REQUEST, schema={}), heard.append)  # prose, which is long
        )
        await until(lambda: heard)
        asking.cancel()
        await until(lambda: server.memory.loaded is not None and not server.memory.loaded.running, 2)
    with pytest.raises(asyncio.CancelledError):
        await asking


@both
async def test_a_model_that_had_to_be_loaded_again_is_told(generation: str) -> None:
    told: list[float] = []
    async with (
        serving(Manner(generation=generation)) as server,
        asked_at(server.url, on_reload=told.append) as client,
    ):
        await client.generate(REQUEST, ignore)
        await client.generate(REQUEST, ignore)
        assert told == []
        server.manner.load_s = RELOAD_S + 0.05
        server.faults.add("reload")
        await client.generate(REQUEST, ignore)
        await client.generate(REQUEST, ignore)
    assert told == [pytest.approx(RELOAD_S + 0.05)]


@both
async def test_work_is_done_on_the_model_that_was_loaded_for_it(generation: str) -> None:
    async with (
        serving(Manner(generation=generation)) as server,
        OllamaApi(server.url) as api,
        asked_at(server.url) as client,
    ):
        await api.load("mistral", FIRST, AnswerLimits(load_s=10))
        for options in (OPTIONS, replace(OPTIONS, num_predict=24), replace(OPTIONS, seed=9, temperature=1)):
            await client.generate(replace(REQUEST, options=options), ignore)
        await client.generate(replace(REQUEST, schema=RatingAnswer.json_schema()), ignore)
        assert server.memory.loads == 1
        assert all(each["keep_alive"] == -1 for each in server.requests)


class Host:
    """A ModelHost for a server that runs already."""

    def __init__(self, url: str) -> None:
        self.alive = True
        self.identity = ModelIdentity("mistral", "sha256:0", "0.32", "docker")
        self._url = url
        self._client: OllamaClient | None = None

    def report(self) -> EngineReport:
        raise NotImplementedError

    async def start(self, first: Request) -> Started:
        self._client = OllamaClient(self._url, "mistral", limits=AnswerLimits(stall_s=2))
        return Started(self._client, await self._client.generate(first, ignore))

    async def stop(self) -> None:
        if self._client is not None:
            await self._client.aclose()


@both
@pytest.mark.parametrize("fault", ["", "repeat", "length", "overflow", "truncated", "prose", "invalid"])
async def test_a_transcript_becomes_a_form_even_at_the_second_try(generation: str, fault: str) -> None:
    async with serving(Manner(generation=generation)) as server:
        extractor = FormExtractor(Host(server.url), Rubric(), lambda: OPTIONS)
        await extractor.start()
        if fault:
            server.faults.add(fault)
        outcome = await extractor.extract(ExtractWork(TICKET, TRANSCRIPT), lambda *_: None)
        await extractor.stop()
    assert isinstance(outcome, Extracted)
    assert outcome.profile is not None
    assert (outcome.profile.name, outcome.profile.age) == ("Mira Pillai", 21)
    assert outcome.profile.hobbies == ("chess",)
    assert outcome.flags == ()
    assert outcome.provenance["tries"] == (2 if fault else 1)


@both
async def test_a_transcript_becomes_a_rating_that_quotes_it(generation: str) -> None:
    async with serving(Manner(generation=generation)) as server:
        rater = IntroductionRater(Host(server.url), Rubric(), lambda: OPTIONS)
        await rater.start()
        work = RateWork(TICKET, TRANSCRIPT, SPEAKING, None)
        outcome = await rater.rate(work, lambda *_: None)
        await rater.stop()
    assert isinstance(outcome, Rated)
    assert outcome.evaluation is not None
    assert 1 <= outcome.evaluation.overall_rating <= 10
    assert all(each.quote in SAID for each in outcome.evaluation.evidence)
    assert server.requests[-2]["format"] == RatingAnswer.schema_for(SAID)


async def test_what_the_answers_of_a_phase_have_cost_is_logged_at_its_end() -> None:
    async with serving() as server:
        rater = IntroductionRater(Host(server.url), Rubric(), lambda: OPTIONS)
        with structlog.testing.capture_logs() as logged:
            await rater.start()
            await rater.rate(RateWork(TICKET, TRANSCRIPT, SPEAKING, None), lambda *_: None)
            await rater.stop()
            await rater.start()
            await rater.stop()
    costs = [line for line in logged if line["event"] == "cost of the answers"]
    assert [(cost["model"], cost["answers"]) for cost in costs] == [("mistral", 5), ("mistral", 2)]
    assert min(cost["answer_tokens"] for cost in costs) > 0
    assert sum(cost["answers"] for cost in costs) == len(server.requests)
    assert sum(cost["prompt_tokens"] for cost in costs) == sum(
        making.count(request["prompt"]) for request in server.requests
    )


async def test_what_is_never_whole_is_asked_three_times_and_left_to_a_person() -> None:
    async with serving() as server:
        extractor = FormExtractor(Host(server.url), Rubric(), lambda: OPTIONS)
        await extractor.start()
        server.faults.add("repeat", -1)
        outcome = await extractor.extract(ExtractWork(TICKET, TRANSCRIPT), lambda *_: None)
        await extractor.stop()
    assert isinstance(outcome, Extracted)
    assert outcome.profile is None
    assert [flag.code for flag in outcome.flags] == ["no_valid_form"]


@pytest.mark.parametrize(
    ("times", "blame"), [(1, None), (-1, Blame.ENGINE)], ids=["once", "also when it is asked its proof"]
)
async def test_an_error_counts_by_what_a_proof_then_says(times: int, blame: Blame | None) -> None:
    async with serving() as server:
        extractor = FormExtractor(Host(server.url), Rubric(), lambda: OPTIONS)
        await extractor.start()
        server.faults.add("empty_error", times)
        outcome = await extractor.extract(ExtractWork(TICKET, TRANSCRIPT), lambda *_: None)
        await extractor.stop()
    assert (outcome.fault.blame if isinstance(outcome, Failed) else None) is blame


@asynccontextmanager
async def api_of(manner: Manner | None = None) -> AsyncIterator[tuple[OllamaServer, OllamaApi]]:
    async with serving(manner) as server, OllamaApi(server.url) as api:
        yield server, api


@both
async def test_the_server_tells_its_version_models_and_their_shape(generation: str) -> None:
    async with api_of(Manner(generation=generation)) as (_, api):
        assert await api.version() == f"{generation}.0"
        assert await api.tags() == [
            StoredModel("mistral:latest", f"sha256:{DIGEST}", 98_363_007),
            StoredModel("llama3:latest", f"sha256:{DIGEST}", 98_363_007),
        ]
        shape = await api.show("mistral")
        assert shape == ModelShape(layers=30, kv_heads=90, key_length=64, value_length=64, max_ctx=8192)
        assert shape.kv_bytes_per_token == 23_040


async def test_the_cache_of_the_labs_models_is_128_kib_a_token() -> None:
    assert ModelShape(32, 32 * 8, 128, 128, 8192).kv_bytes_per_token == 128 * 1024


@pytest.mark.parametrize(
    ("info", "kv_heads"),
    [
        ({"x.attention.head_count_kv": [2, 0, 4], "x.attention.key_length": 64}, 6),
        ({"x.embedding_length": 128, "x.attention.head_count": 2}, 6),
    ],
    ids=["another number in each layer", "as many as heads"],
)
async def test_a_shape_is_read_whatever_of_it_is_said(info: dict[str, Any], kv_heads: int) -> None:
    told = {"general.architecture": "x", "x.block_count": 3, "x.context_length": 512, **info}
    async with scripted(_replies({"model_info": told})) as server, OllamaApi(server.url) as api:
        assert await api.show("mistral") == ModelShape(3, kv_heads, 64, 64, 512)


async def test_a_shape_that_is_not_said_is_an_error_that_says_what_to_set() -> None:
    async with scripted(_replies({"model_info": {}})) as server, OllamaApi(server.url) as api:
        with pytest.raises(EngineError, match="set num_ctx"):
            await api.show("mistral")


@both
async def test_loading_is_a_real_generation_and_says_what_was_loaded(generation: str) -> None:
    async with api_of(Manner(generation=generation, gpu_share=0.4)) as (server, api):
        loaded, answer = await api.load("mistral", FIRST, AnswerLimits(load_s=10))
        size = 98_363_007 + 23_040 * 2048
        assert loaded == LoadedModel("mistral:latest", f"sha256:{DIGEST}", size, int(size * 0.4), 2048)
        assert loaded.gpu_share == pytest.approx(0.4)
        assert answer.answer_tokens == 1
        assert server.requests[0]["prompt"] == FIRST.prompt
        assert server.requests[0]["options"] == {
            "num_ctx": 2048,
            "num_predict": 1,
            "temperature": 0.1,
            "top_p": 0.9,
            "seed": 7,
        }


async def test_the_other_name_of_the_same_weights_counts_as_loaded() -> None:
    async with api_of() as (_, api):
        await api.load("mistral", FIRST, AnswerLimits(load_s=10))
        assert (await api.load("llama3", FIRST, AnswerLimits(load_s=10)))[0].name == "mistral:latest"


async def test_loading_takes_its_own_time_and_no_more() -> None:
    async with api_of(Manner(load_s=0.3)) as (server, api):
        assert await api.load("mistral", FIRST, AnswerLimits(load_s=5))
        server.manner.load_s = 30
        server.memory.drop()
        with pytest.raises(AnswerFailed) as caught:
            await api.load("mistral", FIRST, AnswerLimits(load_s=0.2))
    assert caught.value.fault.died


@pytest.mark.parametrize("fault", ["error", "empty_error", "gone_weights", "busy", "freeze"])
async def test_a_server_that_cannot_answer_is_not_loaded(fault: str) -> None:
    async with api_of() as (server, api):
        server.faults.add(fault)
        with pytest.raises(EngineError):
            await api.load("mistral", FIRST, AnswerLimits(load_s=0.5))


async def test_a_context_that_is_clamped_is_an_error() -> None:
    async with api_of(Manner(max_ctx=1024)) as (_, api):
        with pytest.raises(EngineError, match="1024 tokens of context instead of 2048"):
            await api.load("mistral", FIRST, AnswerLimits(load_s=10))


async def test_a_server_that_cuts_prompts_in_silence_is_not_used() -> None:
    async with api_of() as (server, api):
        server.faults.add("shift", -1)
        with pytest.raises(EngineError, match="update Ollama"):
            await api.refuses_what_does_not_fit("mistral", OPTIONS, AnswerLimits(load_s=10))


async def test_a_model_that_is_not_there_names_the_setup() -> None:
    async with api_of(Manner(models="llama3")) as (_, api):
        with pytest.raises(EngineError, match="introeval setup"):
            await api.load("mistral", FIRST, AnswerLimits(load_s=10))


@both
async def test_unloading_waits_until_the_model_is_gone(generation: str) -> None:
    async with api_of(Manner(generation=generation, token_s=0.01)) as (server, api):
        await api.load("mistral", FIRST, AnswerLimits(load_s=10))
        async with asked_at(server.url) as client:
            answering = asyncio.ensure_future(client.generate(REQUEST, ignore))
            await until(lambda: server.memory.loaded is not None and server.memory.loaded.running)
            await api.unload("mistral")
            assert answering.done(), "it had to wait for the answer"
            assert (await answering).finish is Finish.STOP
        assert await api.ps() == []


async def test_a_model_that_does_not_go_is_an_error() -> None:
    async with api_of(Manner(token_s=30)) as (server, api), asked_at(server.url) as client:
        answering = asyncio.ensure_future(client.generate(REQUEST, ignore))
        await until(lambda: server.memory.loaded is not None and server.memory.loaded.running)
        with pytest.raises(EngineError, match="still in the memory"):
            await api.unload("mistral", timeout_s=0.2)
        answering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await answering


async def test_a_pull_tells_how_far_it_is() -> None:
    told: list[tuple[str, int, int]] = []
    async with api_of() as (_, api):
        await api.pull("mistral", lambda *step: told.append(step))
    assert told == [
        ("pulling manifest", 0, 0),
        ("pulling b179c9523d0e", 98_362_432, 98_362_432),
        ("pulling e3b2721cec51", 102, 102),
        ("pulling f02dd72bb242", 59, 59),
        ("pulling 220cbc249776", 414, 414),
        ("verifying sha256 digest", 0, 0),
        ("writing manifest", 0, 0),
        ("success", 0, 0),
    ]


async def test_a_registry_out_of_reach_is_said_though_the_status_is_200() -> None:
    async with api_of() as (_, api):
        with pytest.raises(ModelError, match=r"nosuch was not pulled: .*no such host.*reaches the registry"):
            await api.pull("nosuch", lambda *_: None)


async def test_a_pull_that_ends_before_it_is_whole_is_an_error() -> None:
    script = says(chunk(b'{"status": "pulling manifest"}\n'), chunk(b""))
    async with scripted(script) as server, OllamaApi(server.url) as api:
        with pytest.raises(ModelError, match="before it was whole"):
            await api.pull("mistral", lambda *_: None)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b""])
async def test_another_server_at_the_url_is_told(body: bytes) -> None:
    async with scripted(refuses(200, body)) as server, OllamaApi(server.url) as api:
        with pytest.raises(EngineError, match="check the url"):
            await api.show("mistral")


async def test_nobody_at_the_url_is_told() -> None:
    async with serving() as server:
        url = server.url
    async with OllamaApi(url) as api:
        with pytest.raises(EngineError, match="no server answers"):
            await api.version()


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("mistral", "mistral:latest"),
        ("mistral:7b", "mistral:7b"),
        ("host:5000/team/m", "host:5000/team/m:latest"),
    ],
)
async def test_a_name_without_a_tag_means_the_latest(name: str, full: str) -> None:
    assert full_name(name) == full


async def test_the_test_server_takes_its_manner_from_flags_and_the_environment() -> None:
    manner = read(["--generation", "0.25"], {"OLLAMA_TEST_TOKEN_S": "0.5", "OLLAMA_TEST_GENERATION": "0.32"})
    assert (manner.generation, manner.token_s) == ("0.25", 0.5)


def _replies(body: dict[str, Any]) -> Any:
    return refuses(200, json.dumps(body).encode())


@pytest.mark.parametrize(
    "line",
    [
        b"null",
        b"[" * 100_000,
        b'{"response": ["{"]}',
        b'{"done": "maybe"}',
        b'{"done": true, "prompt_eval_count": "many"}',
        b'{"done": true, "done_reason": ["stop"]}',
        b'{"done": true, "load_duration": [1]}',
        b'{"done": true, "load_duration": 1e999}',
    ],
)
async def test_a_line_of_another_kind_is_a_fault_of_the_engine(line: bytes) -> None:
    async with scripted(says(chunk(line + b"\n"), chunk(b""))) as server, asked_at(server.url) as client:
        with pytest.raises(AnswerFailed) as caught:
            await client.generate(REQUEST, ignore)
    assert (caught.value.fault.blame, caught.value.fault.code) == (Blame.ENGINE, "server_error")


async def test_a_line_with_nothing_for_its_figures_is_an_answer() -> None:
    keys = ("prompt_eval_count", "eval_count", "load_duration", "logprobs", "error")
    line = json.dumps({"response": "{}", "done": True, "done_reason": "stop", **dict.fromkeys(keys)})
    script = says(chunk(line.encode() + b"\n"), chunk(b""))
    async with scripted(script) as server, asked_at(server.url) as client:
        assert (await client.generate(REQUEST, ignore)).finish is Finish.STOP


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"models": [{}]}',
        b'{"models": {"name": "mistral"}}',
        b'{"models": [{"name": "mistral", "size": "large"}]}',
        b'{"models": "' + b"x" * 20_000_000,
    ],
    ids=["brackets", "nameless", "no list", "no number", "20 MB"],
)
async def test_a_route_that_answers_another_kind_is_an_error_of_the_engine(body: bytes) -> None:
    async with scripted(refuses(200, body)) as server, OllamaApi(server.url) as api:
        with pytest.raises(EngineError, match="as Ollama does"):
            await api.tags()


@pytest.mark.parametrize("info", [[], {"general.architecture": "llama", "llama.block_count": "many"}])
async def test_a_model_of_no_known_shape_is_an_error_of_the_engine(info: Any) -> None:
    script = refuses(200, json.dumps({"model_info": info}).encode())
    async with scripted(script) as server, OllamaApi(server.url) as api:
        with pytest.raises(EngineError, match="set num_ctx and parallel"):
            await api.show("mistral")
