"""What servers tell of probabilities is read where it makes sense; nothing of it breaks an answer."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.content.levels import Token, figures, in_points
from daemon.core.errors import Blame, Fault
from daemon.llm.client import Answer, AnswerFailed, Finish, Options, Request
from daemon.llm.logprobs import Telling, told_tokens

TEXT = '{"feedback": ["Caf\u00e9 \U0001f600"], "score": 7}'
OPTIONS = Options(temperature=0.2, top_p=0.9, seed=1, num_ctx=2048, num_predict=60)
REQUEST = Request("Rate.", {"type": "object"}, OPTIONS, alternatives=20)
PLAIN = Answer(TEXT, Finish.STOP)

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["token", "logprob", "bytes", "top_logprobs", "x"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


def entry(text: str, others: dict[str, float] | None = None, **change: Any) -> dict[str, Any]:
    """A token with its alternatives, as both APIs tell it."""
    told = [
        {"token": each, "logprob": math.log(p), "bytes": list(each.encode())}
        for each, p in (others or {text: 1.0}).items()
    ]
    return {
        "token": text,
        "logprob": told[0]["logprob"],
        "bytes": list(text.encode()),
        "top_logprobs": told,
        **change,
    }


def spelled(score: dict[str, Any], ends: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """TEXT as one token a character up to its score, whose entry is this one."""
    before = TEXT[: TEXT.index("7")]
    return [*(entry(char) for char in before), score, ends or entry("}")]


def expected(entries: list[Any]) -> float:
    return figures(TEXT, tuple(told_tokens(entries)), ["score"])["score"].expected


SCORE = entry("7", {"7": 0.5, "5": 0.5})
DRAWN = in_points(7)


def test_a_token_has_its_bytes_its_logprob_and_the_others_at_its_place() -> None:
    others = [{"token": "7", "logprob": -0.5}, {"token": "\ufffd", "logprob": -2, "bytes": [195]}]
    told = {"token": "7", "logprob": -0.5, "bytes": [55], "top_logprobs": others}
    assert list(told_tokens([told])) == [Token(b"7", -0.5, ((b"7", -0.5), (b"\xc3", -2.0)))]
    assert expected(spelled(SCORE)) == in_points(6)


@given(anything)
def test_nothing_that_a_server_tells_is_an_error(told: Any) -> None:
    assert all(isinstance(each, Token) for each in told_tokens(told))


@given(anything, st.integers(0, len(TEXT) - 1))
def test_a_whole_answer_keeps_its_score_whatever_stands_at_a_place(broken: Any, place: int) -> None:
    entries: list[Any] = spelled(SCORE)
    entries[place] = broken
    assert expected(entries) in (in_points(6), DRAWN)


@pytest.mark.parametrize("key", ["token", "logprob", "bytes", "top_logprobs"])
@pytest.mark.parametrize("value", [None, "x", -1, True, math.nan, math.inf, [], [None], [{}], [300], {}])
def test_one_field_that_makes_no_sense_costs_at_most_the_probabilities(key: str, value: Any) -> None:
    assert expected(spelled({**SCORE, key: value})) in (in_points(6), DRAWN)


@pytest.mark.parametrize(
    "entries",
    [
        None,
        [],
        {},
        "none",
        [None] * 40,
        spelled(SCORE)[:-1],  # fewer than there are tokens, at the end
        spelled(SCORE)[-1:],
        [*spelled(SCORE)[:-2], spelled(SCORE)[-1]],  # the score's own is missing
        spelled({**SCORE, "top_logprobs": []}),
        spelled({**SCORE, "top_logprobs": None}),
        spelled({**SCORE, "logprob": math.nan}),
        spelled({**SCORE, "logprob": 3.0}),
        spelled(SCORE, entry("}", top_logprobs=[])),  # whether the number goes on is not told
    ],
)
def test_without_a_scores_probabilities_it_is_the_level_that_was_drawn(entries: Any) -> None:
    assert expected(entries) == DRAWN


@pytest.mark.parametrize("told", [["\ufffd", "\ufffd"], ["\ufffd"], []])
def test_how_a_part_of_a_character_is_told_costs_no_score_its_probabilities(told: list[str]) -> None:
    at = TEXT.index("\U0001f600")
    entries = spelled(SCORE)
    assert expected([*entries[:at], *map(entry, told), *entries[at + 1 :]]) == in_points(6)


def test_a_level_that_two_tokens_spell_counts_with_both() -> None:
    twice = {**SCORE, "top_logprobs": [*SCORE["top_logprobs"], {"token": "7", "logprob": math.log(0.25)}]}
    assert expected(spelled(twice)) == pytest.approx(in_points((7 * 0.75 + 5 * 0.5) / 1.25), abs=1e-3)


class Server:
    """Answers, or refuses with the fault where alternatives are asked for."""

    def __init__(self, fault: Fault, plain_too: bool = False) -> None:
        self.asked: list[int] = []
        self._fault, self._plain_too = fault, plain_too

    async def send(self, request: Request) -> Answer:
        self.asked.append(request.alternatives)
        if request.alternatives or self._plain_too:
            raise AnswerFailed(self._fault)
        return PLAIN


REFUSALS = [
    Fault(Blame.ENGINE, "request_refused", 'the server answered 400: {"error": "logprobs not supported"}'),
    Fault(Blame.ENGINE, "request_refused", "the server answered 422: (nothing said)"),
    Fault(Blame.ENGINE, "server_error", "the server answered an error (500): unknown field top_logprobs"),
]


@pytest.mark.anyio
@pytest.mark.parametrize("fault", REFUSALS)
async def test_a_server_that_refuses_them_is_asked_without_from_then_on(fault: Fault) -> None:
    server, telling = Server(fault), Telling()
    for _ in range(3):
        assert await telling.ask(REQUEST, server.send) == PLAIN
    assert server.asked == [20, 0, 0, 0]


@pytest.mark.anyio
@pytest.mark.parametrize("fault", REFUSALS)
async def test_what_is_refused_also_without_them_is_no_refusal_of_them(fault: Fault) -> None:
    server, telling = Server(fault, plain_too=True), Telling()
    for _ in range(2):
        with pytest.raises(AnswerFailed):
            await telling.ask(REQUEST, server.send)
    assert server.asked == [20, 0, 20, 0]


@pytest.mark.anyio
@pytest.mark.parametrize(
    "code", ["stalled", "server_busy", "transcript_too_long", "server_error", "answer_cut"]
)
async def test_another_failure_is_not_asked_again(code: str) -> None:
    server = Server(Fault(Blame.ENGINE, code, "the server answered an error (500): out of memory"))
    with pytest.raises(AnswerFailed):
        await Telling().ask(REQUEST, server.send)
    assert server.asked == [20]


def test_a_text_that_a_stream_cut_inside_a_character_is_no_error() -> None:
    text = json.loads('"{\\"said\\": \\"\\ud83d\\", \\"score\\": 7}"')
    assert figures(text, tuple(told_tokens(spelled(SCORE))), ["score"])["score"].expected == in_points(6)
