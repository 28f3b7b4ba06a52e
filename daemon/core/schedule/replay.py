"""Replay: recorded decisions are made again, and must be the same.

A record holds all that changed since the one before: events of the phase state, open tasks, orders, the
policy. From these the view is rebuilt by the very functions that the daemon uses; so a record shows on any
machine whether a decision followed the rules. It names nobody: a task has its number, and a student or
an account an alias that means the same person in one file alone.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import TypeAdapter, ValidationError

from daemon.core.errors import RecordUnreadable
from daemon.core.schedule.cluster import decide_all
from daemon.core.schedule.decision import LOCAL, Decision, Policy, View, Why
from daemon.core.schedule.phase_state import PhaseEvent, PhaseState, after
from daemon.core.schedule.recorded import Decided, Elsewhere, Others
from daemon.core.tasks.task import FINAL, Task

_EVENTS: Mapping[str, type] = {event.__name__: event for event in PhaseEvent.__args__}


@dataclass(frozen=True, slots=True)
class Turn:
    """One decision of the daemon, and the changes since the one before. Times are epoch seconds.

    `phase` is the whole state where a file begins; otherwise `events` are its changes. `tasks` are the open
    ones that are new or changed, `ended` the ids of those that are no longer open. `phase`, `events`,
    `policy` and `decided` are of this machine's node.
    """

    now: float
    last_claim_at: float
    decided: Decided
    phase: PhaseState | None = None
    events: tuple[PhaseEvent, ...] = ()
    tasks: tuple[Task, ...] = ()
    ended: tuple[int, ...] = ()
    orders: tuple[bool, bool, float] | None = None
    """Whether it was paused, whether it drained, and up to when claims do not wait for others (go)."""
    policy: Policy | None = None
    elsewhere: Elsewhere = field(default_factory=Elsewhere)


@dataclass(slots=True)
class Recorder:
    """Makes turns from the daemon's views, with changes only. `alias` replaces names."""

    alias: Callable[[str], str]
    _policy: Policy | None = None
    _orders: tuple[bool, bool, float] | None = None
    _tasks: dict[int, Task] = field(default_factory=dict)
    _others: Others = field(default_factory=Others)

    def turn(
        self,
        view: View,
        policies: Mapping[str, Policy],
        decisions: Mapping[str, Decision],
        events: Sequence[PhaseEvent],
    ) -> Turn | None:
        """The turn, or None when nothing has changed and nothing is to be done. Both are by node."""
        policy, decision = policies[LOCAL], decisions[LOCAL]
        elsewhere = self._others.changed(view, policies, decisions)
        begins, orders = self._policy is None, (view.paused, view.draining, view.go_at)
        now_open = {task.id: task for task in view.tasks}
        changed = [task for task in view.tasks if self._tasks.get(task.id) is not task]
        ended = self._tasks.keys() - now_open.keys()
        news = changed or ended or events or decision.actions or orders != self._orders
        if not news and elsewhere == Elsewhere():
            return None
        turn = Turn(
            now=view.now,
            last_claim_at=view.last_claim_at,
            decided=Decided.of(decision),
            phase=view.phase if begins else None,
            events=() if begins else tuple(events),
            tasks=tuple(map(self._nameless, changed)),
            ended=tuple(sorted(ended)),
            orders=None if orders == self._orders else orders,
            policy=None if policy == self._policy else policy,
            elsewhere=elsewhere,
        )
        self._policy, self._orders, self._tasks = policy, orders, now_open
        return turn

    def _nameless(self, task: Task) -> Task:
        account = None if task.account is None else self.alias(task.account)
        return replace(
            task, student=self.alias(task.student), account=account, filename="", path="", sha256=""
        )


@dataclass(frozen=True, slots=True)
class Difference:
    """A decision that does not follow: its line number, its node, what was decided, and what follows."""

    line: int
    node: str
    decided: Decided
    again: Decided


def replay(lines: Iterable[str]) -> Iterator[Difference | None]:
    """Decide each line again: None where the decision is the same. Raises RecordUnreadable."""
    phase, policy, others = PhaseState(), None, Others()
    paused, draining, go_at = False, False, 0.0
    tasks: dict[int, Task] = {}
    for number, turn in _turns(lines):
        if turn.phase is not None:
            phase, tasks, others = turn.phase, {}, Others()
        for event in turn.events:
            phase = after(phase, event)
        tasks |= {task.id: task for task in turn.tasks}
        for task_id in turn.ended:
            tasks.pop(task_id, None)
        paused, draining, go_at = turn.orders or (paused, draining, go_at)
        policy = turn.policy or policy
        others.take(turn.elsewhere)
        if policy is None:
            raise RecordUnreadable(f"line {number}: no record begins here; give the file from its start")
        view = View(
            now=turn.now,
            tasks=[task for task in tasks.values() if task.status not in FINAL],
            phase=phase,
            paused=paused,
            draining=draining,
            go_at=go_at,
            last_claim_at=turn.last_claim_at,
            others=others.phases,
            at=others.at,
            leaving=frozenset(others.leaving),
        )
        told = {LOCAL: turn.decided, **turn.elsewhere.decided}
        decisions = decide_all(view, {LOCAL: policy, **others.policies})
        again = {name: Decided.of(d) for name, d in decisions.items() if d.actions or name in told}
        differs = [name for name in again.keys() | told.keys() if again.get(name) != told.get(name)]
        nothing = Decided((), Why.IDLE, None)
        if not differs:
            yield None
        else:
            name = min(differs)
            yield Difference(number, name, told.get(name, nothing), again.get(name, nothing))


def _turns(lines: Iterable[str]) -> Iterator[tuple[int, Turn]]:
    """The turns with the numbers of their lines, without what a kill cut short: the next daemon began anew.

    Raises RecordUnreadable for any other line that holds no turn.
    """
    cut_short: RecordUnreadable | None = None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            turn = decode(line, number)
        except RecordUnreadable as exc:
            if cut_short is not None or line.rstrip().endswith("}"):
                raise
            cut_short = exc
            continue
        if cut_short is not None and turn.phase is None:
            raise cut_short
        cut_short = None
        yield number, turn


def encode(turn: Turn) -> str:
    """The turn as one line of JSON, without empty fields."""
    told = {
        "now": turn.now,
        "last_claim_at": turn.last_claim_at,
        "decided": _dumped(turn.decided),
        "phase": None if turn.phase is None else _dumped(turn.phase),
        "events": [[type(event).__name__, _dumped(event)] for event in turn.events],
        "tasks": [_dumped(task) for task in turn.tasks],
        "ended": turn.ended,
        "orders": turn.orders,
        "policy": None if turn.policy is None else _dumped(turn.policy),
        "elsewhere": {k: v for k, v in _dumped(turn.elsewhere).items() if v not in (None, {})},
    }
    return json.dumps({name: value for name, value in told.items() if value not in (None, [], (), {})})


def decode(line: str, number: int = 1) -> Turn:
    """Parse the turn of a line. Raises RecordUnreadable."""
    try:
        told = json.loads(line)
        events = [_read(_EVENTS[name], fields) for name, fields in told.pop("events", ())]
        turn: Turn = replace(_read(Turn, told), events=tuple(events))
    except (ValueError, TypeError, LookupError, AttributeError) as exc:
        cause = f"{exc.error_count()} fields are wrong" if isinstance(exc, ValidationError) else exc
        raise RecordUnreadable(f"line {number} is no recorded decision: {cause}") from exc
    return turn


def _dumped(value: Any) -> Any:
    return _ADAPTERS[type(value)].dump_python(value, mode="json")


def _read(kind: type, fields: Any) -> Any:
    return _ADAPTERS[kind].validate_python(fields)


_ADAPTERS: Mapping[type, TypeAdapter[Any]] = {
    kind: TypeAdapter(kind)
    for kind in (Turn, Decided, Elsewhere, PhaseState, Task, Policy, *_EVENTS.values())
}
