"""The node of another machine."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import structlog

from daemon.cluster.link import RayLink
from daemon.cluster.values import NodeAnswer, NodeSnapshot
from daemon.contracts.ledger import Ledger
from daemon.contracts.values import (
    OUTCOMES,
    ExtractWork,
    Fitness,
    NodePlan,
    NodeState,
    OnProgress,
    Provenance,
    Rated,
    RateWork,
    StageOutcome,
    SttWork,
    Ticket,
)
from daemon.contracts.wire.status import EngineReport
from daemon.core.errors import EngineError, NodeGone
from daemon.core.schedule.phase_state import Group
from daemon.core.tasks.task import Stage

log = structlog.get_logger()


class RayNode:
    """Implements `ports.Lender` on a machine that lends its GPU.

    What it holds is told by the machine with each answer, and once a second besides; so nobody waits for a
    machine that does not answer. Once `gone` says why, all that is asked of it raises NodeGone. `longest`
    gives the most tokens of the next prompts, by stage; `fitness` is the rater's, whose cards are here.
    """

    def __init__(
        self,
        link: RayLink,
        machine: str,
        opened: NodeAnswer,
        progress: OnProgress,
        longest: Callable[[], Mapping[Stage, int]],
        fitness: Fitness,
    ) -> None:
        self._link, self.machine = link, machine
        self._progress, self._longest, self._fitness = progress, longest, fitness
        self.snapshot = opened.snapshot
        self._in_hand: set[Ticket] = set()
        self.gone = ""

    @classmethod
    async def open(
        cls,
        link: RayLink,
        machine: str,
        progress: OnProgress,
        longest: Callable[[], Mapping[Stage, int]],
        fitness: Fitness,
    ) -> "RayNode":
        """Take a machine. Raises NodeGone, and what says why the machine can't work."""
        return cls(link, machine, await link.ask(machine, "open"), progress, longest, fitness)

    def heard(self, snapshot: NodeSnapshot) -> None:
        """Take what the machine told. It keeps the name with which it joined, which no other has."""
        self.snapshot = replace(snapshot, facts=replace(snapshot.facts, name=self.snapshot.facts.name))
        for ticket, done in snapshot.progress.items():
            if ticket in self._in_hand and 0 <= done <= 1:
                self._progress(ticket, done)

    async def observe(self) -> NodeState:
        """What the node held a moment ago, and after each answer at that time. Raises NodeGone."""
        if self.gone:
            raise NodeGone(self.gone)
        return self.snapshot.state

    @property
    def plan(self) -> NodePlan | None:
        """The plan by its own card."""
        return self.snapshot.plan

    def reports(self) -> list[EngineReport]:
        """Each engine as the operator sees it, in the order of the stages."""
        return list(self.snapshot.reports)

    def identity(self, stage: Stage) -> Provenance:
        """The identity of a stage's engine, as in `Engine`."""
        return self.snapshot.identity[stage]

    async def ensure(self, group: Group | None, *, fresh: bool = False) -> Ledger:
        """See `Node`. Raises EngineError, NodeGone."""
        answer = await self._link.ask(self.machine, "ensure", group, fresh, dict(self._longest()))
        ledger: Ledger = self._took(answer)
        return ledger

    def transcribe(self, tasks: Sequence[SttWork]) -> AsyncIterator[StageOutcome]:
        """Transcribe: one outcome for each task, as they end. Raises NodeGone."""
        return self._stream(Stage.STT, tasks)

    def extract(self, tasks: Sequence[ExtractWork]) -> AsyncIterator[StageOutcome]:
        """Read the forms: one outcome for each task, as they end. Raises NodeGone."""
        return self._stream(Stage.EXTRACT, tasks)

    def rate(self, tasks: Sequence[RateWork]) -> AsyncIterator[StageOutcome]:
        """Rate: one outcome for each task, as they end. Raises NodeGone."""
        return self._stream(Stage.RATE, tasks)

    async def aclose(self) -> None:
        """Give the machine back, its engines stopped; one that is gone has nothing to give."""
        if self.gone:
            return
        try:
            await self._link.ask(self.machine, "close")
            self.gone = "it was given back"
        except NodeGone as exc:
            self.gone = str(exc)

    async def _stream(self, stage: Stage, works: Sequence[Any]) -> AsyncIterator[StageOutcome]:
        """One outcome for each work, of its stage; what the machine gives beside that is nobody's.

        A machine may give too few as well. Raises EngineError then.
        """
        wanted = {work.ticket for work in works}
        self._in_hand |= wanted
        left = set(wanted)
        try:
            async for answer in self._link.stream(self.machine, stage, list(works)):
                outcome = self._took(answer)
                if not isinstance(outcome, OUTCOMES[stage]) or outcome.ticket not in left:
                    log.warning("a machine gave what it was not asked for", machine=self.machine)
                    continue
                left.remove(outcome.ticket)
                if isinstance(outcome, Rated):
                    outcome = replace(outcome, flags=(*self._fitness(outcome.provenance), *outcome.flags))
                yield outcome
        finally:
            self._in_hand -= wanted
        if left:
            raise EngineError("the machine ended its work without an outcome; see the log of its node")

    def _took(self, answer: NodeAnswer) -> Any:
        self.heard(answer.snapshot)
        return answer.value
