"""The canary: known words through a stage's engine before the first task of a day, and after each change.

It is part of loading a group: a group whose canary was not asked on this day and of these models counts as
not loaded, and one whose canary drifted as one that failed to start. So nothing else runs meanwhile, tasks
wait without an attempt, and the group is loaded and asked again after its rest.
"""

import asyncio
from collections.abc import Callable, Mapping, Set
from datetime import datetime
from typing import Any

from daemon.contracts.ports import Node
from daemon.contracts.signal import Signal
from daemon.contracts.wire.canary import CanaryLine
from daemon.core.alarms import trouble
from daemon.core.canary.record import CanaryRecord, CanaryRun, foreseen, judged
from daemon.core.errors import CanaryDrifted
from daemon.core.forecast.explain import seconds
from daemon.core.schedule.phase_state import Group
from daemon.core.tasks.task import Stage
from daemon.monitoring.alarms import Alarms
from daemon.monitoring.events import Events
from daemon.store import canaries
from daemon.store.session import Session
from daemon.supervisor.known_words import KnownWords

_ALARM = "canary"


def day_of(at: float) -> str:
    """The local day of a time in epoch seconds."""
    return datetime.fromtimestamp(at).astimezone().date().isoformat()


class Canary:
    """Owns the records of the configured stages, which `keys` names."""

    def __init__(
        self,
        node: Node,
        words: KnownWords,
        session: Session,
        alarms: Alarms,
        events: Events,
        clock: Callable[[], float],
        keys: Mapping[Stage, str],
    ) -> None:
        self._node, self._words, self._session = node, words, session
        self._alarms, self._events, self._clock = alarms, events, clock
        self._keys = keys
        self._records = dict.fromkeys(keys, CanaryRecord())
        self._changing = asyncio.Lock()  # an acceptance that comes while a run is judged must not be lost
        self.drifted: Set[Stage] = frozenset()
        """The stages whose canary drifted in this run, and was neither accepted nor put back since."""
        self.orders = 0
        """How often a person has ordered to ask it again."""
        self.prompt_drifted = Signal[[Stage]]()
        """A stage's prompt is not the recorded one: it waits for an edit of its file, or for a person."""

    async def recall(self) -> None:
        """Load the records."""
        self._take(await self._session.until_durable(canaries.read, list(self._keys.values())))

    async def lines(self) -> list[CanaryLine]:
        """The records as they are shown. Raises StoreError."""
        return await self._session.read(canaries.lines, self._keys)

    def due(self, group: Group | None) -> bool:
        """Whether a stage of the loaded group must be asked before a task is."""
        return any(self._due(stage) for stage in group or ())

    async def prove(self, group: Group | None) -> None:
        """Ask the stages of the loaded group that are due. Raises CanaryDrifted, and EngineError."""
        for stage in Stage:
            if stage in (group or ()) and self._due(stage):
                await self._prove(stage)
        told = self._tell()
        if self.drifted & (group or frozenset()):
            raise CanaryDrifted(told)

    async def again(self) -> None:
        """Ask every stage once more before its next task, at every node."""
        self.orders += 1
        async with self._changing:
            await self.recall()  # an order may come before the start has done it
            for stage, record in self._records.items():
                if record.last is not None:
                    forgotten = record.last.model_copy(update={"day": ""})
                    await self._keep({stage: record.model_copy(update={"last": forgotten})})

    async def accept(self, actor: str) -> bool:
        """Make what drifted the reference. Whether anything had. Raises StoreError."""
        keys = list(self._keys.values())
        async with self._changing:
            changed = await self._session(canaries.accept, keys, at=self._clock(), actor=actor)
            self._take(changed)
            self.drifted = frozenset()
        self._tell()
        for stage, key in self._keys.items():
            if key in changed:
                self._events.add("order", f"the canary of {stage} is accepted as it is now", actor=actor)
        return bool(changed)

    def reference(self, stage: Stage) -> CanaryRun | None:
        """What the answers of a stage are held against, at every node; None before the first."""
        return self._records[stage].reference

    async def held_against(self, stage: Stage, run: CanaryRun) -> CanaryRun:
        """The run of another machine's node with what differs. The first answer of all is the record."""
        async with self._changing:
            record = self._records[stage]
            after = judged(record, run)
            if after.reference != record.reference:
                await self._keep({stage: record.model_copy(update={"reference": after.reference})})
            assert after.last is not None, "it was judged"
            return after.last

    def _due(self, stage: Stage) -> bool:
        identity = self._identity(stage)
        return bool(identity) and not self._records[stage].passed(self._day(), identity)

    def _identity(self, stage: Stage) -> dict[str, Any]:
        return self._words.identity(self._node, stage)

    def _day(self) -> str:
        return day_of(self._clock())

    async def _prove(self, stage: Stage) -> None:
        began = self._clock()
        answer, complaint = await self._words.ask(self._node, stage)
        async with self._changing:
            before = self._records[stage]
            run = CanaryRun(identity=self._identity(stage), answer=answer, at=self._clock(), day=self._day())
            record = judged(before, run)
            await self._keep({stage: record})
            if record.drift:
                self.drifted |= {stage}
                others = self._keys.keys() - {stage}
                await self._keep(
                    {each: foreseen(self._records[each], self._identity(each)) for each in others}
                )
                if any(line.startswith("prompt_sha256") for line in record.drift):
                    self.prompt_drifted(stage)
            else:
                self.drifted -= {stage}
                first = before.reference is None or before.reference.answer is None
                told = "recorded" if first else "as recorded"
                took = seconds(self._clock() - began)
                self._events.add("phase", f"the canary of {stage} is {told}, after {took}")
        told = f"no valid answer came to the canary, so what drifts is not noticed: {complaint}"
        unheard = trouble(f"canary_unheard_{stage}", told)
        self._alarms.on(unheard.code, unheard if answer is None and not record.drift else None)

    def _tell(self) -> str:
        """Raise the alarm for all that drifted, or clear it. Gives its cause; empty where nothing did."""
        lines = [f"{stage} {line}" for stage, record in self._records.items() for line in record.drift]
        if not self.drifted:
            self._alarms.clear(_ALARM)
            return ""
        told = f"the canary is not as recorded: {'; '.join(lines)}"
        waits = " and ".join(stage for stage in Stage if stage in self.drifted)
        affects = f"every task that waits for {waits}: none starts, and none fails"
        self._alarms.set(trouble(_ALARM, told, affects=affects))
        return told

    async def _keep(self, found: Mapping[Stage, CanaryRecord]) -> None:
        records = {self._keys[stage]: record for stage, record in found.items()}
        await self._session.until_durable(canaries.keep, records)
        self._take(records)

    def _take(self, records: Mapping[str, CanaryRecord]) -> None:
        for stage, key in self._keys.items():
            self._records[stage] = records.get(key, self._records[stage])
