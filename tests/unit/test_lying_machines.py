"""A machine that has joined and lies: what it tells is looked at, and harms no task and no other machine."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any, cast

import pytest
from pydantic import ValidationError

from daemon.cluster.link import RayLink
from daemon.cluster.packing import (
    MachineGone,
    packed,
    packed_answer,
    packed_snapshot,
    told_error,
    unpacked,
)
from daemon.cluster.ray_node import RayNode
from daemon.cluster.values import MachineFacts, NodeAnswer, NodeSnapshot
from daemon.config.cluster import ClusterSettings
from daemon.contracts.values import (
    Extracted,
    ExtractWork,
    Failed,
    NodeState,
    Rated,
    StageOutcome,
    Ticket,
)
from daemon.core.content.document import Transcript
from daemon.core.errors import Blame, ConfigError, EngineError, Fault
from daemon.core.tasks.task import Stage

pytestmark = pytest.mark.anyio

FACTS = MachineFacts("lab1", "3.11", "2", "1", dict.fromkeys(Stage, "digest"), {}, {}, {})
IDLE = NodeSnapshot(FACTS, NodeState(None, frozenset()), (), {stage: {} for stage in Stage})
ASKED = Ticket(1, 1, 1)
WORDS = Transcript(text="Hello", language="en", language_probability=1.0)


def named(name: Any) -> NodeSnapshot:
    return replace(IDLE, facts=replace(FACTS, name=name))


def of_another_version() -> NodeSnapshot:
    """As an older program's value comes out of its pickle: without the fields that it does not know."""
    old = object.__new__(NodeSnapshot)
    for name in ("facts", "state"):
        object.__setattr__(old, name, getattr(IDLE, name))
    return old


def test_what_an_honest_machine_tells_comes_through() -> None:
    answer = NodeAnswer(Extracted(ASKED, None), replace(IDLE, progress={ASKED: 0.5}))
    assert unpacked(packed_answer(answer)) == answer
    assert unpacked(packed_snapshot(IDLE)) == IDLE
    assert unpacked(packed(None)) is None


@pytest.mark.parametrize(
    "told",
    [
        None,
        "hello",
        of_another_version(),
        replace(IDLE, facts=cast(Any, None)),
        replace(IDLE, state=cast(Any, "loaded")),
        replace(IDLE, reports=cast(Any, ("ready",))),
        replace(IDLE, progress=cast(Any, {"1": "half"})),
        replace(IDLE, identity={}),
        replace(IDLE, facts=replace(FACTS, models={})),
    ],
)
def test_another_version_of_the_program_is_told_as_that(told: Any) -> None:
    with pytest.raises(MachineGone, match="install the same one"):
        packed_snapshot(told)
    with pytest.raises(MachineGone, match="install the same one"):
        packed_answer(NodeAnswer(None, told))


@pytest.mark.parametrize(
    "name",
    ["", "../../etc", "a/b", "\x1b[2Jlab", "lab\n1", "lab 1", "-rf", "x" * 100_000, "läb", "l\u202eab"],
)
def test_a_name_that_would_harm_a_screen_or_a_path_is_refused(name: str) -> None:
    with pytest.raises(MachineGone, match=r"set cluster\.name") as caught:
        packed_snapshot(named(name))
    assert len(str(caught.value)) < 200
    if name:
        with pytest.raises(ValidationError):
            ClusterSettings(name=name)


@pytest.mark.parametrize("name", ["lab1", "gpu-3.lab.example", "LAB_2", ""])
def test_usual_names_are_taken(name: str) -> None:
    assert ClusterSettings(name=name).name == name


def test_an_answer_of_any_size_does_not_end_the_link_to_the_others() -> None:
    huge = Extracted(ASKED, None, provenance={"log": "x" * 17_000_000})
    with pytest.raises(MachineGone, match="more than 16 MB"):
        packed_answer(NodeAnswer(huge, IDLE))


def test_an_error_of_a_machine_is_one_line_and_quotes_no_student() -> None:
    kind, told = told_error(ConfigError("\x1b[2Jthe file\n is \x9bwrong" + "!" * 100_000))
    assert kind == "ConfigError"
    assert told.startswith("[2Jthe file is wrong!")
    assert len(told) <= 500
    kind, told = told_error(ValueError("not valid: 'Hello, I am Mira Pillai'"))
    assert kind == "broken"
    assert "Mira" not in told
    assert "ValueError" in told


class Scripted:
    """A link to a machine that gives these outcomes, whatever it is asked."""

    def __init__(self, given: Sequence[Any], told: NodeSnapshot = IDLE) -> None:
        self._given, self._told = given, told

    async def stream(self, machine: str, *arguments: Any) -> AsyncGenerator[NodeAnswer]:
        for each in self._given:
            yield NodeAnswer(each, self._told)


def node(link: Scripted, shown: list[tuple[Ticket, float]] | None = None) -> RayNode:
    def progress(ticket: Ticket, done: float) -> None:
        (shown if shown is not None else []).append((ticket, done))

    opened = NodeAnswer(None, IDLE)
    return RayNode(cast(RayLink, link), "1", opened, progress, dict, lambda made: ())


async def read(outcomes: AsyncIterator[StageOutcome]) -> list[StageOutcome]:
    return [outcome async for outcome in outcomes]


MINE = Extracted(ASKED, None)


@pytest.mark.parametrize(
    "given",
    [
        [MINE, MINE],
        [Extracted(Ticket(2, 1, 1), None), MINE],
        [Extracted(Ticket(1, 1, 7), None), MINE, Extracted(Ticket(1, 2, 1), None)],
        [Rated(ASKED, None), MINE],
        ["done", None, MINE],
    ],
    ids=["twice", "another task", "another attempt", "another stage", "nonsense"],
)
async def test_only_what_was_asked_for_comes_out_and_once(given: list[Any]) -> None:
    assert await read(node(Scripted(given)).extract([ExtractWork(ASKED, WORDS)])) == [MINE]


@pytest.mark.parametrize("given", [[], [Rated(ASKED, None)], [Extracted(Ticket(2, 1, 1), None)]])
async def test_work_without_its_outcome_is_an_engines_fault(given: list[Any]) -> None:
    with pytest.raises(EngineError, match="without an outcome"):
        await read(node(Scripted(given)).extract([ExtractWork(ASKED, WORDS)]))


async def test_a_fault_comes_through() -> None:
    failed = Failed(ASKED, Fault(Blame.ENGINE, "stalled", "no token", died=True))
    assert await read(node(Scripted([failed])).extract([ExtractWork(ASKED, WORDS)])) == [failed]


async def test_progress_is_that_of_the_work_in_hand() -> None:
    late, other = Ticket(1, 1, 0), Ticket(2, 1, 1)
    told = replace(IDLE, progress={ASKED: 0.5, late: 0.9, other: 0.1})
    shown: list[tuple[Ticket, float]] = []
    lying = node(Scripted([MINE], told), shown)
    lying.heard(told)
    assert shown == []
    async with aclosing(cast(Any, lying.extract([ExtractWork(ASKED, WORDS)]))) as outcomes:
        await anext(outcomes)
        lying.heard(replace(IDLE, progress={ASKED: float("nan")}))
        lying.heard(replace(IDLE, progress={ASKED: 1e9}))
    lying.heard(told)
    assert shown == [(ASKED, 0.5)]


def test_a_machine_keeps_the_name_with_which_it_joined() -> None:
    lying = node(Scripted([]))
    lying.heard(named("lab2"))
    assert lying.snapshot.facts.name == "lab1"
