"""The log-probabilities of servers that speak Ollama's API, held to what real ones of two generations told.

The same functions run on the test server in each manner, and unchanged on the real server at
`$INTROEVAL_TEST_OLLAMA_URL` (see test_ollama_contract.py).
"""

import json
import math
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from daemon.contracts.values import Rated, RateWork, Ticket
from daemon.core.content.document import Speaking, Transcript
from daemon.core.content.levels import ALTERNATIVES, LEVELS, LOW_MASS, Figure, figures
from daemon.llm.client import Answer, Finish, Options, Request
from daemon.llm.logprobs import told_tokens
from daemon.llm.rater import IntroductionRater
from daemon.llm.rubric import Rubric
from tests.integration.test_ollama_client import Host
from tests.integration.test_ollama_contract import MODEL, REAL, Server, connected_to
from tests.ollama_server import Manner, serving

pytestmark = pytest.mark.anyio

RECORDED = json.loads((Path(__file__).parents[1] / "data" / "ollama_logprobs.json").read_text())
CASES = [(server["server"].split()[1], answer) for server in RECORDED for answer in server["answers"]]
OPTIONS = Options(temperature=0.0, top_p=0.9, seed=1, num_ctx=2048, num_predict=60)
RATE = "A student says: I am Mira Pillai. I like chess, and I want to be a doctor. Rate it as JSON."
TEN = (
    "The best possible mark is 10. Everything was perfect, so the marks are 10 and 10. Give clarity 10 and "
    "overall 10, as JSON."
)


def scores(levels: list[int], *named: str) -> dict[str, Any]:
    keys = named or ("clarity", "overall")
    return {
        "type": "object",
        "properties": {key: {"type": "integer", "enum": levels} for key in keys},
        "required": list(keys),
        "additionalProperties": False,
    }


REQUEST = Request(RATE, scores([*LEVELS]), OPTIONS, ALTERNATIVES)


@pytest.fixture(
    params=[
        "0.25",
        "0.32",
        pytest.param("", marks=pytest.mark.skipif(not REAL, reason="no real server is named")),
    ],
    ids=lambda generation: generation or "real",
)
async def server(request: pytest.FixtureRequest) -> AsyncIterator[Server]:
    if not request.param:
        async with connected_to(REAL, "") as real:
            yield real
        return
    async with (
        serving(Manner(generation=request.param)) as ours,
        connected_to(ours.url, request.param) as connected,
    ):
        yield connected


async def ask(server: Server, request: Request) -> Answer:
    client = server.client()
    try:
        return await client.generate(request, lambda _: None)
    finally:
        await client.aclose()


def facts_of(status: int, parts: list[dict[str, Any]]) -> dict[str, Any]:
    """What the client relies on: which entries come, in which lines, and how many tokens are counted."""
    last = parts[-1]
    if "error" in last:
        return {"status": status, "error": last["error"]}
    whole = all("<left out>" not in part for part in parts)
    told = [entry for part in parts for entry in part.get("logprobs", ())]
    facts: dict[str, Any] = {
        "status": status,
        "fields": {field for entry in told for field in entry} - {"left_out"},
        "most": max((len(_others(each)) + each.get("left_out", 0) for each in told), default=0),
        "in the last line of a stream": len(parts) > 1 and "logprobs" in last,
    }
    if whole and told:
        facts["counted more than told"] = last["eval_count"] - len(told)
        facts["ended"] = last["done_reason"]
    return facts


def _others(entry: dict[str, Any]) -> list[dict[str, Any]]:
    others: list[dict[str, Any]] = entry.get("top_logprobs", [])
    return others


def parts_of(answer: dict[str, Any]) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = answer["lines"] if "lines" in answer else [answer["json"]]
    return lines


@pytest.mark.parametrize(
    ("recorded_at", "case"),
    [
        pytest.param(at, case, id=f"{at} {case['name']}")
        for at, case in CASES
        if "letters" not in case["name"]
    ],
)
async def test_log_probabilities_are_told_as_a_real_server_did(
    server: Server, recorded_at: str, case: dict[str, Any]
) -> None:
    reply = await server.http.post("/api/generate", json={**case["request"]["body"], "model": MODEL})
    text = reply.text.splitlines() if "lines" in case else [reply.text]
    seen, recorded = (
        facts_of(status, parts)
        for status, parts in (
            (reply.status_code, [json.loads(line) for line in text]),
            (case["status"], parts_of(case)),
        )
    )
    if seen.get("ended") != recorded.get("ended"):  # another model, or seed, ended another way
        surplus = {"stop": 1, "length": 0}
        assert seen.pop("counted more than told", 0) == surplus[seen.pop("ended", "length")]
        recorded = {key: recorded[key] for key in seen}
    elif "counted more than told" not in recorded:
        recorded |= {key: seen[key] for key in ("counted more than told", "ended") if key in seen}
    assert seen == recorded


async def test_the_tokens_make_up_the_text_or_hold_it(server: Server) -> None:
    answer = await ask(server, REQUEST)
    assert answer.finish is Finish.STOP
    told = b"".join(token.text for token in answer.tokens)
    assert answer.text.strip().encode() in told
    assert answer.answer_tokens - len(answer.tokens) == 1


async def test_the_alternatives_are_natural_logarithms_over_the_whole_vocabulary_the_likeliest_first(
    server: Server,
) -> None:
    for token in (await ask(server, REQUEST)).tokens:
        logprobs = [logprob for _, logprob in token.alternatives]
        assert len(logprobs) == ALTERNATIVES
        assert all(one >= other for one, other in pairwise(logprobs))
        assert 0.05 < sum(map(math.exp, logprobs)) <= 1.001
        own = dict(token.alternatives).get(token.text)
        assert own is None or own == pytest.approx(token.logprob, abs=1e-3)


async def test_they_are_those_before_the_grammar_and_the_temperature(server: Server) -> None:
    cold, hot = [
        (await ask(server, replace(REQUEST, options=replace(OPTIONS, temperature=each)))).tokens[0]
        for each in (0.0, 1.5)
    ]
    assert dict(hot.alternatives) == pytest.approx(dict(cold.alternatives), abs=0.1)
    assert any(not text.strip().startswith(b"{") for text, _ in cold.alternatives[:3]), (
        "a schema begins with {"
    )


async def test_no_token_more_is_made_for_them(server: Server) -> None:
    plain = await ask(server, replace(REQUEST, alternatives=0))
    told = await ask(server, REQUEST)
    assert (told.text, told.answer_tokens, plain.tokens) == (plain.text, plain.answer_tokens, ())


async def test_each_level_is_one_token_of_the_served_model(server: Server) -> None:
    for level in LEVELS:
        request = replace(REQUEST, prompt=f"Write {level} twice, as JSON.", schema=scores([level]))
        answer = await ask(server, request)
        for figure in figures(answer.text.strip(), answer.tokens, ["clarity", "overall"]).values():
            assert figure.level == level
            assert figure.legal_mass is not None, f"no single token of {answer.tokens} is the level {level}"


async def test_a_ten_that_the_model_wants_is_never_taken_for_a_one(server: Server) -> None:
    answer = await ask(server, replace(REQUEST, prompt=TEN, schema=scores([*LEVELS], "clarity")))
    figure = figures(answer.text.strip(), answer.tokens, ["clarity"])["clarity"]
    assert not is_sure_of_one(figure), figure


def is_sure_of_one(figure: Figure) -> bool:
    return figure.expected < 1.5 and (figure.legal_mass is None or figure.legal_mass >= LOW_MASS)


WANT_TEN = [(at, case) for at, case in CASES if case["name"] == "scores that want ten, 1 to 9, whole"]


@pytest.mark.parametrize(("recorded_at", "case"), WANT_TEN, ids=[at for at, _ in WANT_TEN])
def test_a_ten_that_a_real_server_wanted_is_no_one(recorded_at: str, case: dict[str, Any]) -> None:
    (part,) = parts_of(case)
    found = figures(part["response"].strip(), tuple(told_tokens(part["logprobs"])), ["clarity", "overall"])
    assert not is_sure_of_one(found["clarity"]), found
    # The older one penalised the "1" that it had just written, and drew a 2 beside it.
    if found["overall"].level != 1:
        assert found["overall"].legal_mass is not None
        assert found["overall"].legal_mass < LOW_MASS, found


SAID = "Hello, I am Mira Pillai and I like chess. I am twenty-one. I worked in a shop for two years."


@pytest.mark.parametrize(("top", "scores_from"), [(20, "distribution"), (0, "level")])
@pytest.mark.parametrize("generation", ["0.25", "0.32"])
async def test_a_server_before_them_rates_by_the_level_and_says_so(
    generation: str, top: int, scores_from: str
) -> None:
    async with serving(Manner(generation=generation, top_logprobs=top)) as ours:
        engine = IntroductionRater(Host(ours.url), Rubric(), lambda: replace(OPTIONS, num_predict=400))
        await engine.start()
        said = Transcript(text=SAID, language="en", language_probability=0.9)
        speaking = Speaking(speech_s=20, words_per_minute=132, pause_ratio=0.1, longest_pause_s=0.8)
        outcome = await engine.rate(RateWork(Ticket(1, 1, 1), said, speaking, None), lambda *_: None)
        await engine.stop()
    assert isinstance(outcome, Rated)
    assert outcome.evaluation is not None
    assert outcome.provenance["scores_from"] == scores_from
    assert {each.legal_mass is None for each in outcome.evaluation.scores.values()} == {not top}
