"""The scheduler of several nodes: the open tasks are dealt to them, and `decide` is asked for each.

`decide_all(view, policies)` gives each node's decision. With one node it is that of `decide`. With more:

N1  The order is made once, over all nodes (R7, R8), and each node sees its tasks in this order.
N2  What runs stays with its node. What a node transcribed waits for it, whose models come to that next, but
    while its engine rests.
N3  What no node had in hand is not stored up by any. A node is dealt only what it has a slot for, the first
    of the queue to whoever can start it soonest: the stage is loaded, is being loaded, or the node has
    nothing else. Among these the one with the fewest gets it, so that a class is spread.
N4  A node that has nothing else takes over what another would start only later: without a switch any such
    task, and with one where more waits than the other starts at once.
N5  What is put first goes to whoever can start it soonest, wherever it was. Where none has a slot, one node
    yields, and no more.
N6  A node that leaves finishes what it runs. What it or a node that is gone had before is dealt anew.

R5 and R6 hold for each node; a class's last tasks go along with the batches where each gets its share.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from daemon.core.schedule.decision import Decision, Policy, Release, Start, Switch, View
from daemon.core.schedule.phase_state import NOTHING, PhaseState
from daemon.core.schedule.queue import in_order, is_new_rating
from daemon.core.schedule.scheduler import NEW_RATINGS, batch_limit, believed, decide
from daemon.core.tasks.task import PENDING, RUNNING, Stage, Task

_MOST_ROUNDS = 6
_LOADED, _LOADING, _EMPTY = 0, 1, 2  # how soon a node can start a task


def decide_all(view: View, policies: Mapping[str, Policy]) -> dict[str, Decision]:
    """Decide for each node what to do now, by the rules of this module and of `scheduler`."""
    nodes = view.nodes
    if len(nodes) == 1:
        return {name: decide(view, policies[name]) for name in nodes}
    decisions = {}
    for node in _deal(view, policies):
        mine = replace(
            view, tasks=node.tasks, phase=node.phase, others={}, at={}, leaving=frozenset(), dealt=True
        )
        decision = decide(mine, node.policy)
        if node.lost and not view.paused:
            decision = replace(decision, actions=(*map(Release, node.lost), *decision.actions))
        decisions[node.name] = decision
    return decisions


def settled(decision: Decision) -> bool:
    """Whether the next event decides again: after nothing, or an action that takes time."""
    return not decision.actions or isinstance(decision.actions[-1], Start | Switch)


UNSETTLED = "the scheduler does not settle, an error of its rules; to see where, run: introeval decisions"


def most_rounds(nodes: int) -> int:
    """How often it is decided at one moment, at most: one or two rounds with actions are usual, then one
    without, and one more for each node that is found gone meanwhile. After them NotSettled is raised.
    """
    return _MOST_ROUNDS + nodes


@dataclass
class _Hand:
    """What a node is dealt. `busy` counts, by stage, what runs and what is to start with it."""

    name: str
    phase: PhaseState
    policy: Policy
    leaving: bool
    now: float
    view: View
    tasks: list[Task] = field(default_factory=list)
    lost: list[Task] = field(default_factory=list)
    busy: Counter[Stage] = field(default_factory=Counter)
    owns: bool = False
    closed: bool = False
    new: int = 0
    rerated: int = 0

    def rests_until(self, stage: Stage) -> float:
        """Until when the stage's engine has no work; 0 when it does not rest."""
        if not self.phase.rests:  # asked for every task at every event, so the usual case must be cheap
            return 0.0
        until = believed(self.phase.rests.get(self.policy.group_of(stage), 0.0), self.view)
        return until if until > self.now else 0.0

    def has_loaded(self, stage: Stage) -> bool:
        """Whether it can start the stage without a switch."""
        return stage in (self.phase.group or NOTHING) and not self.phase.switching

    def has_slot(self, stage: Stage) -> bool:
        """Whether one more may begin the stage with what runs there."""
        return not (self.leaving or self.closed) and self.busy[stage] < self.policy.parallel[stage]

    def soon(self, task: Task, share: int) -> int | None:
        """How soon it can start the task: _LOADED, _LOADING, _EMPTY; None when it has no slot for it."""
        stage = task.stage
        if not self.has_slot(stage):
            return None
        if self.rests_until(stage) or not self.may_rate(task, share > 0):
            return None
        if self.has_loaded(stage) and self._has_room(task, share):
            return _LOADED
        group = self.policy.group_of(stage)
        if self.phase.switching and self.phase.last_group == group:
            return _LOADING
        empty = not self.owns and self.busy.keys() <= group
        return _EMPTY if empty else None

    def may_rate(self, task: Task, stt_waits: bool) -> bool:
        """R6: whether a new rating is one of those that an eval phase takes."""
        if not (stt_waits and is_new_rating(task)) or task.is_first or len(self.policy.residency) == 1:
            return True
        known = self.phase.rerated
        return task.id in known or len(known) + self.rerated < NEW_RATINGS

    def take(self, task: Task) -> None:
        """Deal the task to this node."""
        self.tasks.append(task)
        if task.status not in RUNNING:
            self.new += task.stage is Stage.STT and task.id not in self._taken
            self.rerated += is_new_rating(task) and task.id not in self.phase.rerated

    @property
    def _taken(self) -> frozenset[int]:
        return self.phase.batch.taken if self.phase.batch else frozenset()

    def _has_room(self, task: Task, share: int) -> bool:
        """R5: whether the batch takes the task. A share of what waits goes along as a remainder does."""
        if task.stage is not Stage.STT or not self.policy.has_batches(self.phase.group):
            return True
        taken = len(self._taken)
        return task.id in self._taken or taken + self.new < batch_limit(self.policy, taken, share)


def _deal(view: View, policies: Mapping[str, Policy]) -> list[_Hand]:
    """The nodes with their tasks, each in the order of the queue."""
    hands = {
        name: _Hand(name, phase, policies[name], name in view.leaving, view.now, view)
        for name, phase in view.nodes.items()
    }
    order = next(iter(policies.values())).order
    queue = in_order((t for t in view.tasks if not t.held), order)  # N1
    for task in view.tasks:
        if task.status in RUNNING:  # N2
            hand = hands[view.node_of(task) or next(iter(hands))]
            hand.take(task)
            hand.busy[task.stage] += 1
            hand.owns = True
            # A suspect runs alone, and starts beside nothing.
            hand.closed |= task.suspicion > 0
    homes = _homes(view, hands)
    ready = [t for t in queue if _is_ready(t, view)]
    waits = sum(t.stage is Stage.STT and view.node_of(t) is None for t in ready)
    share = -(-waits // len(hands))
    _deal_first([t for t in ready if t.is_first], homes, hands)
    others = [t for t in ready if not t.is_first]
    homeless = _deal_to_homes(others, homes, share)
    left = _deal_free(homeless, hands, share)
    if not left:
        _take_over(others, homes, hands)
    known = {t.id for t in ready}
    _deal_waiting([t for t in queue if t.id not in known and t.status not in RUNNING], homes, hands)
    _settle(view, hands, {t.id: place for place, t in enumerate(queue)})
    return list(hands.values())


def _is_ready(task: Task, view: View) -> bool:
    idle = task.status not in RUNNING and not task.cancel_requested
    return idle and believed(task.not_before, view) <= view.now


def _homes(view: View, hands: Mapping[str, _Hand]) -> dict[int, _Hand]:
    """The node that each task waits for, by the task's id; none for a task that waits for no node."""
    named = ((task.id, view.node_of(task)) for task in view.tasks)
    return {id_: hands[name] for id_, name in named if name is not None and not hands[name].leaving}


def _deal_first(tasks: list[Task], homes: Mapping[int, _Hand], hands: Mapping[str, _Hand]) -> None:
    """N5: what a person put first."""
    for task in tasks:
        hand = _soonest(task, hands, 0)
        if hand is None:
            home = homes.get(task.id)
            able = [h for h in hands.values() if not h.leaving and not h.rests_until(task.stage)]
            serving = [h for h in able if task.stage in h.phase.serving]
            hand = next(iter(serving), home or min(able, key=lambda h: h.busy.total(), default=None))
        if hand is None:
            continue
        hand.take(task)
        hand.busy[task.stage] += 1
        hand.closed |= task.stage not in hand.phase.serving
        hand.owns = True


def _deal_to_homes(tasks: list[Task], homes: Mapping[int, _Hand], share: int) -> list[Task]:
    """N2: what waits for the node that had it. Gives the others."""
    homeless = []
    for task in tasks:
        home = homes.get(task.id)
        if home is None or home.rests_until(task.stage) or (task.stage is Stage.STT and not task.suspicion):
            homeless.append(task)
        elif home.may_rate(task, share > 0):
            home.take(task)
            home.busy[task.stage] += 1
            home.owns = True
    return homeless


def _deal_free(tasks: list[Task], hands: Mapping[str, _Hand], share: int) -> bool:
    """N3: what no node had. Whether some is left for which there is no slot now."""
    full: set[Stage] = set()
    for task in tasks:
        if task.stage in full:
            continue
        hand = _soonest(task, hands, share)
        if hand is not None:
            hand.take(task)
            hand.busy[task.stage] += 1
        elif resting := [h for h in hands.values() if not h.leaving and h.rests_until(task.stage)]:
            min(resting, key=lambda h: h.rests_until(task.stage)).take(task)
        elif not is_new_rating(task):
            full.add(task.stage)
    return bool(full)


def _soonest(task: Task, hands: Mapping[str, _Hand], share: int) -> _Hand | None:
    """The node that can start the task soonest; of several, one with the fewest at its stage."""
    able = [
        (soon, h.busy[task.stage], place, h)
        for place, h in enumerate(hands.values())
        if (soon := h.soon(task, share)) is not None
    ]
    return min(able)[-1] if able else None


def _take_over(tasks: list[Task], homes: Mapping[int, _Hand], hands: Mapping[str, _Hand]) -> None:
    """N4: a node that has nothing else takes over what another would start only later."""
    spare: dict[tuple[str, Stage], list[Task]] = {}
    for hand in hands.values():
        running = Counter(t.stage for t in hand.tasks if t.status in RUNNING)
        waiting = [t for t in hand.tasks if t.status not in RUNNING and not t.is_first]
        for stage in Stage:
            slots = max(0, hand.policy.parallel[stage] - running[stage]) if hand.has_loaded(stage) else 0
            mine = [t for t in waiting if t.stage is stage][slots:]
            spare[hand.name, stage] = [t for t in mine if not t.suspicion and homes.get(t.id) is hand]
    later = {t.id: key for key, found in spare.items() for t in found}
    free = _free_stages(hands)
    for task in tasks:
        if task.stage not in free or task.id not in later:
            continue
        home, left = homes[task.id], spare[later[task.id]]
        worth = len(left) > home.policy.parallel[task.stage]
        able = [
            (soon, h.busy[task.stage], place, h)
            for place, h in enumerate(hands.values())
            if h is not home and (soon := h.soon(task, 0)) is not None and (worth or soon != _EMPTY)
        ]
        if able:
            taker = min(able)[-1]
            home.tasks.remove(task)
            left.remove(task)
            taker.take(task)
            taker.busy[task.stage] += 1
            free = _free_stages(hands)


def _free_stages(hands: Mapping[str, _Hand]) -> set[Stage]:
    """The stages for which some node has a slot."""
    return {stage for stage in Stage if any(h.has_slot(stage) for h in hands.values())}


def _deal_waiting(tasks: list[Task], homes: Mapping[int, _Hand], hands: Mapping[str, _Hand]) -> None:
    """What waits for its backoff: a node keeps loaded what it will need, and wakes in time."""
    for task in tasks:
        able = [h for h in hands.values() if not h.leaving]
        awake = [h for h in able if not h.phase.switching] or able
        serving = [h for h in awake if task.stage in h.phase.serving]
        hand = homes.get(task.id) or next(iter(serving or awake), None)
        if hand is not None:
            hand.take(task)


def _settle(view: View, hands: Mapping[str, _Hand], places: Mapping[int, int]) -> None:
    """R0: what is pending at a node that it is not dealt is released there before another has it."""
    pending = {t.id: t for t in view.tasks if t.status in PENDING}
    at: dict[str | None, set[int]] = {}
    for task in pending.values():
        at.setdefault(view.node_of(task), set()).add(task.id)
    for hand in hands.values():
        mine = at.get(hand.name, set())
        dealt = {t.id for t in hand.tasks}
        hand.lost = [pending[id_] for id_ in sorted(mine - dealt)]
        theirs = pending.keys() - mine
        hand.tasks = sorted((t for t in hand.tasks if t.id not in theirs), key=lambda t: places.get(t.id, -1))
