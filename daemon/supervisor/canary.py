"""The canary: known words through a stage's engine before the first task of a day, and after each change.

It is part of loading a group: a group whose canary was not asked on this day and of these models counts as
not loaded, and one whose canary drifted as one that failed to start. So nothing else runs meanwhile, tasks
wait without an attempt, and the group is loaded and asked again after its rest.
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Set
from datetime import datetime
from pathlib import Path
from typing import Any

from daemon.contracts.ports import Media, Node
from daemon.contracts.signal import Signal
from daemon.contracts.values import (
    Extracted,
    ExtractWork,
    Failed,
    Rated,
    RateWork,
    StageOutcome,
    SttWork,
    Ticket,
    Transcribed,
    Unscorable,
)
from daemon.contracts.wire.canary import CanaryLine
from daemon.core.alarms import trouble
from daemon.core.canary.question import PROFILE, SPEAKING, TRANSCRIPT
from daemon.core.canary.record import CanaryRecord, CanaryRun, foreseen, judged
from daemon.core.content.shown_form import delivery_in_words
from daemon.core.errors import Blame, CanaryDrifted, EngineError, Fault
from daemon.core.forecast.explain import seconds
from daemon.core.schedule.phase_state import Group
from daemon.core.tasks.task import Stage
from daemon.monitoring.alarms import Alarms
from daemon.monitoring.events import Events
from daemon.store import canaries
from daemon.store.session import Session

CLIP = Path(__file__).with_name("canary.ogg")

_ALARM = "canary"
_TICKET = Ticket(0, 1, 1)  # no task has this id


class Canary:
    """Owns the records of the configured stages. `keys` names them; `pcm` is where the clip is decoded to."""

    def __init__(
        self,
        node: Node,
        media: Media,
        session: Session,
        alarms: Alarms,
        events: Events,
        clock: Callable[[], float],
        keys: Mapping[Stage, str],
        pcm: Path,
    ) -> None:
        self._node, self._media, self._session = node, media, session
        self._alarms, self._events, self._clock = alarms, events, clock
        self._keys, self._pcm = keys, pcm
        self._records = dict.fromkeys(keys, CanaryRecord())
        self._changing = asyncio.Lock()  # an acceptance that comes while a run is judged must not be lost
        self.drifted: Set[Stage] = frozenset()
        """The stages whose canary drifted in this run, and was neither accepted nor put back since."""
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
        """Ask every stage once more before its next task."""
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

    def _due(self, stage: Stage) -> bool:
        identity = self._identity(stage)
        return bool(identity) and not self._records[stage].passed(self._day(), identity)

    def _identity(self, stage: Stage) -> dict[str, Any]:
        """What an answer of the stage depends on, as JSON keeps it."""
        known: dict[str, Any] = json.loads(json.dumps(self._node.identity(stage)))
        return known

    def _day(self) -> str:
        return datetime.fromtimestamp(self._clock()).astimezone().date().isoformat()

    async def _prove(self, stage: Stage) -> None:
        began = self._clock()
        answer, complaint = await self._ask(stage)
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

    async def _ask(self, stage: Stage) -> tuple[dict[str, Any] | None, str]:
        """The answer, or None and why there is none. Raises EngineError where the engine is to blame."""
        match await self._outcome(stage):
            case Transcribed() as heard:
                delivery = delivery_in_words(heard.speaking)
                return {"transcript": heard.transcript.text, "delivery": delivery}, ""
            case Extracted(profile=profile) if profile is not None:
                return {"form": profile.model_dump(mode="json")}, ""
            case Rated(evaluation=evaluation) if evaluation is not None:
                scores = {name: scored.expected for name, scored in evaluation.scores.items()}
                return {"scores": scores}, ""
            case Extracted(flags=flags) | Rated(flags=flags):
                return None, flags[0].detail if flags else ""
            case Unscorable(message=message):
                return None, message
            case Failed(fault=fault):
                if fault.blame is Blame.ENGINE:
                    raise EngineError(fault.message)
                return None, fault.message

    async def _outcome(self, stage: Stage) -> StageOutcome:
        """The outcome of the canary. The stream is read to its end: the node counts it until then."""
        if stage is Stage.STT:
            decoded = await self._media.decode(CLIP, self._pcm)
            if isinstance(decoded, Fault):
                return Failed(_TICKET, decoded)
            stream = self._node.transcribe([SttWork(_TICKET, decoded.pcm, decoded.takes)])
        elif stage is Stage.EXTRACT:
            stream = self._node.extract([ExtractWork(_TICKET, TRANSCRIPT)])
        else:
            stream = self._node.rate([RateWork(_TICKET, TRANSCRIPT, SPEAKING, PROFILE, scores_only=True)])
        (outcome,) = [outcome async for outcome in stream]
        return outcome
