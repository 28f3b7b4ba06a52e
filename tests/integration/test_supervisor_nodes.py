"""The daemon with nodes of other machines: a class on three, and one that goes, joins, or drains."""

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from daemon.app.parts import Daemon
from daemon.contracts.values import NodePlan, OnProgress, Rated, RateWork, StageOutcome, Ticket
from daemon.contracts.wire.status import NodeLine
from daemon.core.errors import Blame, Fault, NotSettled
from daemon.core.schedule.decision import LOCAL, Decision, OpenBatch, Policy, View, Why
from daemon.core.schedule.replay import decode, replay
from daemon.core.schedule.residency import MODELS
from daemon.core.tasks.task import Stage
from daemon.monitoring.metrics import Metrics
from daemon.monitoring.node_lines import NodeLines
from tests.support.distant import Distant
from tests.support.inprocess import PASSES, PHASES, TOGETHER, Lab, worked_off
from tests.support.scripted import EVALUATION, ScriptedEngine
from tests.support.waiting import until

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("quick_backoff")]

CLASS = 24
ONCE = {"transcribed": 1, "extracted": 1, "rated": 1}


@pytest.fixture(params=[PHASES, PASSES, TOGETHER], ids=["phases", "passes", "together"])
def residency(request: pytest.FixtureRequest) -> list[list[str]]:
    groups: list[list[str]] = request.param
    return groups


def a_class(tmp_path: Path, residency: list[list[str]] = PHASES, size: int = CLASS) -> Lab:
    settings = {"gpu.residency": residency, "batch.size": 10}
    lab = Lab(tmp_path, seconds=dict.fromkeys(Stage, 0.02), settings=settings)
    for number in range(size):
        lab.hand_in(f"s{number:03d}_me.mp4")
    return lab


def rows(lab: Lab, query: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(lab.folder / "var" / "introeval.db") as database:
        return database.execute(query).fetchall()


def assert_whole(lab: Lab, size: int = CLASS) -> None:
    """Each task has its one result, each stage was committed once, and nobody was charged anything."""
    results = lab.results()
    assert sorted(r["student_id"] for r in results.values()) == [f"s{n:03d}" for n in range(size)]
    assert {r["outcome"] for r in results.values()} == {"evaluated"}
    ended = Counter(rows(lab, "SELECT task_id, event FROM task_events WHERE event IN ('transcribed', "
                              "'extracted', 'rated')"))  # fmt: skip
    assert ended == {(task, event): 1 for task in range(1, size + 1) for event in ONCE}
    charged = rows(lab, "SELECT DISTINCT retry_count, suspicion, deaths_alone FROM processing_tasks")
    assert charged == [(0, 0, 0)]
    assert rows(lab, "SELECT count(*) FROM batches WHERE ended_at IS NULL") == [(0,)]


def tried(*nodes: Distant, lab: Lab) -> Counter[tuple[Stage, int | None]]:
    """How often each stage of each task was tried, on all nodes."""
    entries = [entry for log in (lab.log, *(node.log for node in nodes)) for entry in log.entries]
    return Counter((stage, task) for what, stage, task in entries if what == "begin")


async def test_a_class_on_three_nodes_ends_with_each_task_once(
    tmp_path: Path, residency: list[list[str]]
) -> None:
    lab = a_class(tmp_path, residency)
    one, two = Distant(0.02), Distant(0.02)
    async with lab.daemon() as daemon:
        daemon.supervisor.join("one", one)
        daemon.supervisor.join("two", two)
        await worked_off(daemon)
        await until(lambda: not (one.log.alive or two.log.alive))
        assert daemon.alarms.all == []
    assert_whole(lab)
    assert set(tried(one, two, lab=lab).values()) == {1}
    shares = [len(lab.log.tried(Stage.STT)), len(one.log.tried(Stage.STT)), len(two.log.tried(Stage.STT))]
    assert sum(shares) == CLASS
    assert min(shares) >= 4, shares


def _loads(node: Distant, daemon: Daemon) -> bool:
    return node.starting == 1 and not node.log.alive


def _transcribes(node: Distant, daemon: Daemon) -> bool:
    return len(node.log.tried(Stage.STT)) == 3 and node.in_hand > 0


def _changes(node: Distant, daemon: Daemon) -> bool:
    return node.starting == 2 and not node.log.tried(Stage.EXTRACT)


def _rates(node: Distant, daemon: Daemon) -> bool:
    return len(node.log.tried(Stage.RATE)) == 2 and node.in_hand > 0


POINTS: dict[str, Callable[[Distant, Daemon], bool]] = {
    "loads": _loads,
    "transcribes": _transcribes,
    "changes": _changes,
    "rates": _rates,
}


@pytest.mark.parametrize("told", [False, True], ids=["found", "told"])
@pytest.mark.parametrize("point", POINTS)
async def test_a_node_that_goes_costs_at_most_what_it_had_in_hand(
    tmp_path: Path, point: str, told: bool
) -> None:
    lab = a_class(tmp_path)
    goes, stays = Distant(0.02, start_seconds=0.05), Distant(0.02)
    async with lab.daemon() as daemon:
        daemon.supervisor.join("goes", goes)
        daemon.supervisor.join("stays", stays)
        await until(lambda: POINTS[point](goes, daemon))
        in_hand, tries = goes.in_hand, goes.tries
        if told:
            daemon.supervisor.left("goes")
        goes.go()
        await worked_off(daemon)
        assert "goes" not in daemon.supervisor.view.others
        assert goes.tries == tries
        assert daemon.alarms.all == []
    assert_whole(lab)
    again = sum(count - 1 for count in tried(goes, stays, lab=lab).values())
    assert again <= in_hand, "only what was in hand is tried again"


async def test_results_and_histories_name_the_machine_that_an_attempt_was_made_on(tmp_path: Path) -> None:
    lab = a_class(tmp_path, size=8)
    goes, stays = Distant(60.0), Distant(0.02)
    async with lab.daemon() as daemon:
        daemon.supervisor.join("goes", goes)
        daemon.supervisor.join("stays", stays)
        await until(lambda: goes.in_hand)
        goes.go()
        await worked_off(daemon)
    told = {
        (task, stage, event): node
        for task, stage, event, node in rows(
            lab,
            "SELECT task_id, stage, event, detail ->> '$.node' FROM task_events ORDER BY id",
        )
    }
    assert "goes" in {node for (_, _, event), node in told.items() if event == "released"}
    seen = Counter[object]()
    for result in lab.results().values():
        for stage, event in (("stt", "transcribed"), ("extract", "extracted"), ("rate", "rated")):
            node = result["provenance"][stage].get("node")
            seen[node] += 1
            task = result["task_id"]
            assert node == told[task, stage, event] == told[task, stage, "started"]
    assert set(seen) <= {None, "stays"}
    assert seen[None]
    assert seen["stays"]


async def test_a_load_that_ends_with_its_machine_is_no_fault_of_an_engine(tmp_path: Path) -> None:
    lab = a_class(tmp_path, size=4)
    lab.seconds = {Stage.STT: 1.0}  # so that the end of the load is what is heard first
    node = Distant(start_seconds=10.0)
    seen: set[str] = set()
    async with lab.daemon() as daemon:
        daemon.alarms.changed.connect(lambda alarm, lasts: seen.add(alarm.code))
        daemon.supervisor.join("one", node)
        await until(lambda: node.starting and lab.log.tried(Stage.STT))
        node.go()
        await until(lambda: not daemon.supervisor.view.others)
        await worked_off(daemon)
    assert seen == set()
    assert_whole(lab, 4)


async def test_an_idle_node_that_goes_costs_nothing_and_comes_back(tmp_path: Path) -> None:
    lab = a_class(tmp_path, size=6)
    node = Distant(0.02)
    async with lab.daemon() as daemon:
        daemon.supervisor.join("one", node)
        await worked_off(daemon)
        await until(lambda: not node.log.alive)
        node.go()
        daemon.supervisor.left("one")
        again = Distant(0.02)
        daemon.supervisor.join("one", again)
        for number in range(6, 12):
            lab.hand_in(f"s{number:03d}_me.mp4")
        await worked_off(daemon)
        await until(lambda: again.tries)
        assert daemon.alarms.all == []
    assert_whole(lab, 12)
    assert set(tried(node, again, lab=lab).values()) == {1}


async def test_a_node_that_joins_in_mid_class_gets_work(tmp_path: Path) -> None:
    lab = a_class(tmp_path)
    node = Distant(0.02)
    async with lab.daemon() as daemon:
        await until(lambda: len(lab.log.tried(Stage.STT)) == 5)
        daemon.supervisor.join("late", node)
        await worked_off(daemon)
    assert_whole(lab)
    assert node.log.tried(Stage.STT)
    assert set(tried(node, lab=lab).values()) == {1}


async def test_a_node_that_drains_ends_what_it_has_and_gets_no_more_until_it_may(tmp_path: Path) -> None:
    lab = a_class(tmp_path)
    node = Distant(0.05)
    async with lab.daemon() as daemon:
        daemon.supervisor.join("one", node)
        await until(lambda: len(node.log.tried(Stage.STT)) == 2 and node.in_hand)
        await daemon.supervisor.drain("one", on=True)
        assert daemon.supervisor.view.leaving == {"one"}
        before = node.tries
        await worked_off(daemon)
        assert node.tries == before < CLASS // 2, "it gets no more"
        assert not node.log.alive, "its engines are stopped"
        await daemon.supervisor.drain("one", on=False)
        for number in range(CLASS, CLASS + 6):
            lab.hand_in(f"s{number:03d}_me.mp4")
        await worked_off(daemon)
        assert node.tries > before
    assert_whole(lab, CLASS + 6)
    assert set(tried(node, lab=lab).values()) == {1}, "what it had was not thrown away"


async def test_a_drain_is_an_order_that_is_audited_and_holds_through_a_restart(tmp_path: Path) -> None:
    lab = a_class(tmp_path, size=4)
    async with lab.daemon() as daemon:
        await daemon.supervisor.drain("one", on=True, actor="op")
        await daemon.supervisor.drain("one", on=True, actor="op")
        assert ("order", "drain one", "op") in {
            (each.kind, each.message, each.actor) for each in daemon.events.newer(0)
        }
    node = Distant()
    async with lab.daemon() as daemon:
        daemon.supervisor.join("one", node)
        await worked_off(daemon)
        assert daemon.supervisor.orders.drained == ("one",)
        assert node.tries == 0
        await daemon.supervisor.drain("one", on=False, actor="op")
    async with lab.daemon() as daemon:
        assert not daemon.supervisor.orders.drained
    told = rows(lab, "SELECT actor, what FROM audit WHERE what LIKE 'drain%' ORDER BY number")
    assert told == [("op", "drain one"), ("op", "drain one off")]


async def test_each_node_is_shown_with_what_it_does(tmp_path: Path) -> None:
    lab = a_class(tmp_path, size=12)
    one = Distant(0.05)

    def lender() -> list[NodeLine]:
        away = NodeLine(name="two", address="", standing="away", why="it has left")
        return [NodeLine(name="one", address="", standing="works"), away]

    async with lab.daemon() as daemon:
        lines = NodeLines(
            daemon.supervisor, lambda: NodeLine(name=LOCAL, address="", standing="works"), lender
        )
        daemon.events.tallies.append(lines)
        daemon.supervisor.join("one", one)
        seen: list[NodeLine] = []

        def both_transcribe() -> bool:
            seen[:] = lines()
            return all(line.in_hand and line.group == ["stt"] for line in seen[:2])

        await until(both_transcribe)
        assert [(line.name, line.in_hand) for line in seen] == [(LOCAL, 1), ("one", 1), ("two", 0)]
        assert seen[2].group == []
        await worked_off(daemon)
        assert (await daemon.observer.status()).model_dump().get("nodes") is None, "no cluster is configured"
        ended = Counter(node for (node,) in rows(
            lab, "SELECT detail ->> '$.node' FROM task_events WHERE event = 'rated'"))  # fmt: skip
        assert {line.name: line.done for line in lines()} == {
            LOCAL: ended[None],
            "one": ended["one"],
            "two": 0,
        }
        assert ended["one"]
        status = await daemon.observer.status()
        text, _ = Metrics().exposition(status.model_copy(update={"nodes": lines()}))
        assert f'introeval_node_tasks_ended_total{{node="one"}} {float(ended["one"])}' in text.decode()
        assert 'introeval_node_works{node="two"} 0.0' in text.decode()
        assert b"introeval_node" not in Metrics().exposition(status)[0]
        told = [each.message for each in daemon.events.newer(0) if each.message.endswith(" at one")]
        assert len([message for message in told if "is done" in message]) == ended["one"]


async def test_while_only_another_machine_works_the_daemon_does_not_say_that_it_is_idle(
    tmp_path: Path,
) -> None:
    lab = a_class(tmp_path, size=2)
    lab.settings["run.stop_grace_s"] = 0.05
    node = Distant(60.0)
    async with lab.daemon() as daemon:
        daemon.supervisor.join("one", node)
        await until(lambda: node.in_hand and not lab.log.alive and len(lab.log.tried(Stage.RATE)) == 1)
        assert daemon.supervisor.decision.why is Why.WORKING
        assert (await daemon.observer.status()).why == "working"


async def test_a_sick_engine_of_another_machine_is_an_alarm_of_that_machine_alone(tmp_path: Path) -> None:
    sick = [Fault(Blame.ENGINE, "server_error", "the server answers 500")]

    def script(stage: Stage, ticket: Ticket) -> Fault | None:
        return sick.pop() if stage is Stage.STT and sick else None

    lab = a_class(tmp_path, size=8)
    node = Distant(0.02, script=script)
    seen: set[str] = set()
    async with lab.daemon() as daemon:
        daemon.alarms.changed.connect(lambda alarm, lasts: seen.add(alarm.code))
        daemon.supervisor.join("one", node)
        await worked_off(daemon)
        assert LOCAL in daemon.supervisor.view.nodes
        assert daemon.supervisor.view.phase.failures == {}
    assert seen == {"node one"}
    assert len(lab.results()) == 8


async def test_a_stop_in_mid_class_releases_what_every_node_had(tmp_path: Path) -> None:
    lab = a_class(tmp_path, size=8)
    lab.settings["run.stop_grace_s"] = 0.05
    node = Distant(60.0)
    async with lab.daemon() as daemon:
        daemon.supervisor.join("one", node)
        await until(lambda: node.in_hand)
    statuses = {status for (status,) in rows(lab, "SELECT status FROM processing_tasks")}
    assert not {status for status in statuses if str(status).endswith(("processing", "pending"))}
    async with lab.daemon() as daemon:
        await worked_off(daemon)
    assert_whole(lab, 8)


async def test_the_record_of_decisions_proves_what_was_decided_for_every_node(tmp_path: Path) -> None:
    lab = a_class(tmp_path, size=8)
    node, other = Distant(0.02), Distant(0.02)
    async with lab.daemon() as daemon:
        daemon.supervisor.join("one", node)
        await until(lambda: node.in_hand)
        daemon.supervisor.join("two", other)
        await daemon.supervisor.drain("two", on=True)
        await worked_off(daemon)
        daemon.supervisor.left("one")
        await until(lambda: "one" not in daemon.supervisor.view.others)
        await daemon.supervisor.drain("two", on=False)
        daemon.supervisor.join("one", Distant(0.02))
        for number in range(8, 16):
            lab.hand_in(f"s{number:03d}_me.mp4")
        await until(lambda: other.in_hand)
        daemon.supervisor.left("two")
        await worked_off(daemon)
    lines = (tmp_path / "var" / "log" / "decisions.jsonl").read_text().splitlines()
    assert [difference for difference in replay(lines) if difference is not None] == []
    turns = [decode(line) for line in lines if line]
    decided = Counter(name for turn in turns for name in turn.elsewhere.decided)
    assert decided.keys() == {"one", "two"}
    spoilt = next(at for at, line in enumerate(lines) if line and decode(line).elsewhere.decided)
    said = json.loads(lines[spoilt])
    name = next(iter(said["elsewhere"]["decided"]))
    said["elsewhere"]["decided"][name]["actions"] = []
    (found,) = [d for d in replay([*lines[:spoilt], json.dumps(said), *lines[spoilt + 1 :]]) if d is not None]
    assert (found.line, found.node) == (spoilt + 1, name)


async def test_rules_that_never_settle_end_the_daemon_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def contradicts(view: View, policies: Mapping[str, Policy]) -> dict[str, Decision]:
        return {LOCAL: Decision((OpenBatch(),), Why.NEXT_BATCH)}

    monkeypatch.setattr("daemon.supervisor.turns.decide_all", contradicts)
    with pytest.raises(NotSettled, match="run: introeval decisions"):
        async with a_class(tmp_path, size=1).daemon() as daemon:
            await until(lambda: daemon.supervisor.turns > 100)


async def test_each_machine_works_by_the_plan_of_its_own_card(tmp_path: Path) -> None:
    lab = a_class(tmp_path, residency=PASSES, size=18)
    whole = NodePlan((frozenset(Stage),), dict.fromkeys(Stage, 2))
    large, small = Distant(0.03, plan=whole), Distant(0.03)
    async with lab.daemon() as daemon:
        daemon.supervisor.join("large", large)
        daemon.supervisor.join("small", small)
        await until(lambda: large.in_hand == 2, 30)
        policies = daemon.supervisor.policies
        assert (policies["large"].residency, policies["large"].parallel) == (whole.groups, whole.parallel)
        assert policies["small"] == policies[LOCAL] == daemon.supervisor.policy
        await worked_off(daemon)
        assert large.starting == 1, "what holds everything never switches"
        assert small.starting > 0
        large.plan = NodePlan((frozenset({Stage.STT}), frozenset(MODELS)), dict.fromkeys(Stage, 1))
        lab.hand_in("s018_me.mp4")
        await worked_off(daemon)
        assert daemon.supervisor.policies["large"].residency == large.plan.groups, "a group did not fit there"
    assert_whole(lab, 19)
    assert set(tried(large, small, lab=lab).values()) == {1}
    lines = (tmp_path / "var" / "log" / "decisions.jsonl").read_text().splitlines()
    assert [difference for difference in replay(lines) if difference is not None] == []


class Known(ScriptedEngine):
    """An engine whose answers depend on something."""

    def identity(self) -> dict[str, str]:
        return {"digest": "sha256:" + "a" * 64}


class Kinder(Known):
    """Rates higher."""

    async def rate(self, work: RateWork, progress: OnProgress) -> StageOutcome:
        scores = {
            name: each.model_copy(update={"expected": each.expected + 1})
            for name, each in EVALUATION.scores.items()
        }
        return await self._try(
            work.ticket, Rated(work.ticket, EVALUATION.model_copy(update={"scores": scores}))
        )


async def test_known_words_are_asked_of_a_machine_before_it_has_work(tmp_path: Path) -> None:
    lab = a_class(tmp_path, size=12)
    lab.engine = Known
    node = Distant(0.02, engine=Known)
    async with lab.daemon() as daemon:
        daemon.supervisor.join("one", node)
        await worked_off(daemon)
        assert daemon.alarms.all == []
    assert_whole(lab, 12)
    begun = [(stage, task) for what, stage, task in node.log.entries if what == "begin"]
    assert len(begun) > 3
    for stage in Stage:
        assert next(task for where, task in begun if where is stage) == 0, "no task has this number"
    assert Counter(begun)[Stage.RATE, 0] == 1


class Another(Known):
    """Is of another model, under the same name."""

    def identity(self) -> dict[str, str]:
        return {"digest": "sha256:" + ("b" if self.stage is Stage.RATE else "a") * 64}


@pytest.mark.parametrize(
    ("engine", "told"), [(Kinder, "rate scores"), (Another, "rate digest")], ids=["answer", "model"]
)
async def test_a_machine_that_rates_otherwise_rates_nothing_and_an_alarm_says_so(
    tmp_path: Path, engine: type[ScriptedEngine], told: str
) -> None:
    lab = a_class(tmp_path, residency=PASSES, size=12)
    lab.engine = Known
    node = Distant(0.02, engine=engine)
    async with lab.daemon() as daemon:
        lab.hand_in("s012_me.mp4")
        await until(lambda: lab.log.tried(Stage.RATE), 60)
        daemon.supervisor.join("one", node)
        for number in range(13, 25):
            lab.hand_in(f"s{number:03d}_me.mp4")
        await worked_off(daemon)
        (alarm,) = [each for each in daemon.alarms.all if each.code == "node_canary one"]
        assert f"the canary at one is not as recorded: {told}" in alarm.trouble.cause
        daemon.supervisor.left("one")
        await until(lambda: daemon.alarms.all == [])
    assert_whole(lab, 25)
    assert node.log.tried(Stage.STT)
    assert set(node.log.tried(Stage.RATE)) == {0}
