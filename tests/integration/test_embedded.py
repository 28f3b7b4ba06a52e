"""The embedded server as it is: a real child, llama.cpp and the small model."""

import asyncio
import json
import math
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from daemon.contracts.values import Extracted, ExtractWork, Failed, Rated, RateWork, Ticket
from daemon.core.content.answers import FORM_TOKENS, RATING_TOKENS, AnswerModel, FormAnswer
from daemon.core.content.document import Speaking, Transcript
from daemon.core.content.levels import ALTERNATIVES, LEVELS, LOW_MASS, figures
from daemon.core.content.scoring import ConfidenceAnswer, RatingAnswer
from daemon.core.errors import EngineError
from daemon.core.tasks.task import Stage
from daemon.llm.client import Answer, AnswerFailed, ModelClient, Options, Request
from daemon.llm.embedded import EmbeddedServer
from daemon.llm.extractor import FormExtractor
from daemon.llm.limits import AnswerLimits
from daemon.llm.openai import OpenAIClient
from daemon.llm.rater import IntroductionRater
from daemon.llm.rubric import Rubric
from daemon.system.lock import holder
from daemon.system.weights import Weights
from tests.support.checkout import model_folder
from tests.support.waiting import until

MODEL = model_folder("smollm2") / "SmolLM2-135M-Instruct.Q4_1.gguf"
WORDS = json.loads((Path(__file__).parents[2] / "samples" / "words.json").read_text())
SAID = next(iter(WORDS.values()))["words"]
TICKET = Ticket(task_id=1, revision=1, attempt=1)
FORM_OPTIONS = Options(temperature=0.1, top_p=0.9, seed=1, num_ctx=2048, num_predict=FORM_TOKENS)
RATING_OPTIONS = Options(temperature=0.2, top_p=0.9, seed=1, num_ctx=2048, num_predict=RATING_TOKENS)
PROSE = Request("Tell me a long story about the sea.", FormAnswer.json_schema(), FORM_OPTIONS)
FIRST = Request("Are you ready?", PROSE.schema, replace(FORM_OPTIONS, num_predict=1))

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not MODEL.is_file(), reason=f"no {MODEL}; say: introeval models pull smollm2"),
]


def host(
    folder: Path, stage: Stage = Stage.EXTRACT, parallel: int = 1, model: Path = MODEL
) -> EmbeddedServer:
    return EmbeddedServer(
        stage,
        Weights.unpinned(model),
        engines=folder / "engines",
        log=folder / "log" / f"{stage}.log",
        parallel=lambda: parallel,
    )


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One loop for all tests here, so that those that end no server can share one."""
    return "asyncio"


@pytest.fixture(scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ModelClient]:
    """A server that is asked and never ended, with two slots."""
    running = host(tmp_path_factory.mktemp("shared"), parallel=2)
    yield (await running.start(FIRST)).client
    await running.stop()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedServer]:
    running = host(tmp_path, parallel=2)
    yield running
    await running.stop()


def work(text: str = SAID) -> ExtractWork:
    return ExtractWork(TICKET, Transcript(text=text, language="en", language_probability=1.0))


def ignore(*_: object) -> None:
    pass


async def test_a_form_is_read_and_stopping_leaves_nothing(server: EmbeddedServer) -> None:
    engine = FormExtractor(server, Rubric(), lambda: FORM_OPTIONS)
    await engine.start()
    pid = server.pid
    assert holder(server.lock) == pid
    outcome = await engine.extract(work(), ignore)
    await engine.stop()
    assert isinstance(outcome, Extracted)
    assert outcome.profile is not None
    assert outcome.profile.name == next(iter(WORDS.values()))["name"]
    assert "demo_model" in [flag.code for flag in outcome.flags]
    assert outcome.provenance["runtime"] == "embedded"
    assert outcome.provenance["digest"].startswith("sha256:b179c952")
    assert outcome.provenance["server_version"].startswith("xllamacpp ")
    assert engine.tokens_per_s
    assert not engine.alive
    assert holder(server.lock) is None
    assert pid is not None
    assert not psutil.pid_exists(pid)


async def test_an_introduction_is_rated_with_evidence_that_was_said(tmp_path: Path) -> None:
    rating = host(tmp_path, Stage.RATE)
    engine = IntroductionRater(rating, Rubric(), lambda: RATING_OPTIONS)
    await engine.start()
    try:
        speaking = Speaking(speech_s=24, words_per_minute=132, pause_ratio=0.08, longest_pause_s=0.8)
        outcome = await engine.rate(RateWork(TICKET, work().transcript, speaking, None), ignore)
    finally:
        await engine.stop()
    assert isinstance(outcome, Rated)
    assert outcome.evaluation is not None
    assert outcome.evaluation.evidence
    assert {flag.code for flag in outcome.flags} - {"repeats_itself"} == {"demo_model"}  # as small models do


async def test_the_server_tells_how_many_requests_at_a_time_it_takes(client: ModelClient) -> None:
    assert isinstance(client, OpenAIClient)
    assert await client.slots() == 2


@pytest.mark.parametrize("model", [FormAnswer, ConfidenceAnswer, RatingAnswer])
async def test_the_schema_is_enforced_on_a_prompt_that_asks_for_prose(
    client: ModelClient, model: type[AnswerModel]
) -> None:
    request = Request(PROSE.prompt, model.json_schema(), RATING_OPTIONS)
    answer = await client.generate(request, ignore)
    assert set(json.loads(answer.text)) == set(model.model_fields)


async def test_two_requests_are_served_at_once(client: ModelClient) -> None:
    both = asyncio.Barrier(2)

    async def ask() -> str:
        arrived = asyncio.Event()
        asking = asyncio.create_task(client.generate(PROSE, lambda _: arrived.set()))
        await arrived.wait()
        assert not asking.done()
        await both.wait()
        return (await asking).text

    first, second = await asyncio.gather(ask(), ask())
    assert first
    assert second


async def test_a_server_killed_in_mid_answer_is_a_death_and_its_lock_is_free(server: EmbeddedServer) -> None:
    engine = FormExtractor(server, Rubric(), lambda: FORM_OPTIONS)
    await engine.start()
    first = asyncio.Event()
    asking = asyncio.create_task(engine.extract(work(), lambda ticket, share: first.set()))
    await first.wait()
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    outcome = await asking
    assert isinstance(outcome, Failed)
    assert outcome.fault.died
    await until(lambda: not server.alive)
    unbegun = await engine.extract(work(), ignore)
    assert isinstance(unbegun, Failed)
    assert (unbegun.fault.code, unbegun.fault.died) == ("not_running", False)
    await engine.stop()
    assert holder(server.lock) is None
    await engine.start()
    assert isinstance(await engine.extract(work(), ignore), Extracted)


async def test_a_cancelled_answer_frees_its_slot(client: ModelClient) -> None:
    for _ in range(3):
        first = asyncio.Event()
        asking = asyncio.create_task(client.generate(PROSE, lambda _, first=first: first.set()))  # type: ignore[misc]
        await first.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    assert (await client.generate(PROSE, ignore)).text


async def test_a_transcript_that_does_not_fit_the_context_is_permanent(client: ModelClient) -> None:
    with pytest.raises(AnswerFailed) as caught:
        await client.generate(Request(SAID * 60, PROSE.schema, FORM_OPTIONS), ignore)
    assert caught.value.fault.code == "transcript_too_long"


async def test_a_start_ends_what_an_earlier_daemon_left(tmp_path: Path, server: EmbeddedServer) -> None:
    await server.start(FIRST)
    later = host(tmp_path)
    await later.start(FIRST)
    try:
        assert holder(server.lock) == later.pid
    finally:
        await later.stop()


async def test_a_first_answer_may_take_longer_than_a_pause_of_the_work(tmp_path: Path) -> None:
    slow = EmbeddedServer(
        Stage.EXTRACT,
        Weights.unpinned(MODEL),
        engines=tmp_path / "engines",
        log=tmp_path / "extract.log",
        limits=AnswerLimits(stall_s=0.001),
    )
    try:
        assert (await slow.start(replace(FIRST, start=True))).answer.answer_tokens
    finally:
        await slow.stop()


async def test_a_damaged_model_does_not_start_and_leaves_nothing(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(MODEL.read_bytes()[:5_000_000])
    broken = host(tmp_path, model=damaged)
    with pytest.raises(EngineError, match="ended"):
        await broken.start(FIRST)
    assert not broken.alive
    assert holder(broken.lock) is None


async def test_a_missing_model_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="models pull"):
        await host(tmp_path, model=tmp_path / "none.gguf").start(FIRST)


async def answer_of(client: ModelClient, **change: Any) -> Answer:
    schema = {
        "type": "object",
        "properties": {"clarity": {"type": "integer", "enum": [*LEVELS]}},
        "required": ["clarity"],
        "additionalProperties": False,
    }
    options = replace(RATING_OPTIONS, temperature=0.0, num_predict=40)
    request = Request("Rate this introduction as JSON: I am Mira.", schema, options, ALTERNATIVES)
    return await client.generate(replace(request, **change), ignore)


async def test_the_tokens_of_an_answer_are_told_with_what_else_was_likely(client: ModelClient) -> None:
    answer = await answer_of(client)
    assert answer.text.strip().encode() in b"".join(token.text for token in answer.tokens)
    for token in answer.tokens:
        logprobs = [logprob for _, logprob in token.alternatives]
        assert len(logprobs) == ALTERNATIVES
        assert logprobs == sorted(logprobs, reverse=True)
        assert 0.05 < sum(map(math.exp, logprobs)) <= 1.001
    assert any(not text.strip().startswith(b"{") for text, _ in answer.tokens[0].alternatives)


async def test_no_token_more_is_made_for_what_else_was_likely(client: ModelClient) -> None:
    await answer_of(client)
    told, plain = await answer_of(client), await answer_of(client, alternatives=0)
    assert (told.text, told.answer_tokens, plain.tokens) == (plain.text, plain.answer_tokens, ())
    assert 1 <= told.answer_tokens - len(told.tokens) <= 8  # its end, and white space around the object


async def test_each_level_is_one_token_of_the_demonstration_model_and_ten_is_no_one(
    client: ModelClient,
) -> None:
    for level in LEVELS:
        schema = {
            "type": "object",
            "properties": {"clarity": {"type": "integer", "enum": [level]}},
            "required": ["clarity"],
            "additionalProperties": False,
        }
        answer = await answer_of(client, schema=schema)
        figure = figures(answer.text.strip(), answer.tokens, ["clarity"])["clarity"]
        assert (figure.level, figure.legal_mass is None) == (level, False)
    ten = await answer_of(client, prompt="The best mark is 10. It was perfect. Write clarity: 10 as JSON.")
    figure = figures(ten.text.strip(), ten.tokens, ["clarity"])["clarity"]
    assert figure.legal_mass is not None
    assert figure.expected > 2 or figure.legal_mass < LOW_MASS


@pytest.mark.timeout(900)
async def test_the_same_words_get_the_same_scores_first_or_last_and_after_a_restart(tmp_path: Path) -> None:
    rating = host(tmp_path, Stage.RATE)
    engine = IntroductionRater(rating, Rubric(), lambda: replace(RATING_OPTIONS, num_ctx=4096))
    others = iter([each["words"] for each in WORDS.values()][1:])
    speaking = Speaking(speech_s=24, words_per_minute=132, pause_ratio=0.08, longest_pause_s=0.8)
    found: list[object] = []
    for order in ("same other same", "same"):
        await engine.start()
        for each in order.split():
            said = work(SAID if each == "same" else next(others)).transcript
            outcome = await engine.rate(RateWork(TICKET, said, speaking, None), ignore)
            assert isinstance(outcome, Rated)
            if each == "same":
                assert outcome.evaluation is not None
                found.append(outcome.evaluation.scores)
        await engine.stop()
    assert found == found[:1] * 3


async def test_a_whole_prompt_of_an_earlier_student_is_not_restored(tmp_path: Path) -> None:
    server = host(tmp_path)
    try:
        client = (await server.start(FIRST)).client
        one = await told_of_cache(client, f"One student says: {SAID}")
        other = await told_of_cache(client, f"Tell a story. {SAID}")
        again = await told_of_cache(client, f"One student says: {SAID}")
    finally:
        await server.stop()
    assert max(one, other, again) < 40, "the template's own beginning at most"


async def told_of_cache(client: ModelClient, prompt: str) -> int:
    """The tokens of a prompt that the server had kept."""
    assert isinstance(client, OpenAIClient)
    body = client._body(Request(prompt, PROSE.schema, replace(FORM_OPTIONS, num_predict=1)))
    reply = await client._http.post(
        "/v1/chat/completions", json={**body, "stream": False, "stream_options": None}
    )
    return int(reply.json()["usage"]["prompt_tokens_details"]["cached_tokens"])
