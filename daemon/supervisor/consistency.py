"""Consistency of a class: an alarm when models or prompts change while one is open, also across a restart.

A class lasts for as long as there are open tasks. A rubric that changed between two classes is an event.
"""

from typing import Any

from daemon.contracts.values import Extracted, Rated, StageOutcome, Transcribed
from daemon.core.alarms import trouble
from daemon.core.content.provenance_identity import changed, identity
from daemon.core.tasks.task import Stage
from daemon.monitoring.alarms import Alarms
from daemon.monitoring.events import Events
from daemon.store import calibration, reports, settings
from daemon.store.session import Session

_SETTING, _LAST = "class_identity", "last_identity"
_ALARM = "class_changed"
_OTHER = "calibration_other"
_RUBRIC = "prompt_sha256"


class ConsistencyCheck:
    """Remembers the provenance with which the open class, and the last one, is transcribed and rated."""

    def __init__(self, session: Session, alarms: Alarms, events: Events) -> None:
        self._session, self._alarms, self._events = session, alarms, events
        self._identities: dict[str, dict[str, Any]] = {}
        self._last: dict[str, dict[str, Any]] = {}
        self._mixed: tuple[Stage, dict[str, Any], dict[str, Any]] | None = None  # rubrics within the class

    async def recall(self) -> None:
        """Load the provenance of the class that was open at the last stop, and of the last outcomes."""
        self._identities = await self._session.until_durable(settings.get, _SETTING, {})
        self._last = await self._session.until_durable(settings.get, _LAST, {})

    async def check(self, stage: Stage, outcome: StageOutcome) -> None:
        """Compare the provenance of an outcome with that of the class; raise or clear the alarm."""
        if not isinstance(outcome, Transcribed | Extracted | Rated) or not outcome.provenance:
            return
        if isinstance(outcome, Rated):
            await self._calibrated(outcome)
        if not self._identities:
            self._mixed = None
            self._alarms.clear(_ALARM)
        await self._recount()
        now = identity(outcome.provenance)
        before, last = self._identities.get(stage.value), self._last.get(stage.value)
        if before == now:
            return
        earlier = before or last
        if earlier is not None and earlier != now:
            await self._changed(stage, earlier, now, in_class=before is not None)
        self._identities[stage.value] = self._last[stage.value] = now
        await self._session.until_durable(settings.put, _SETTING, self._identities)
        await self._session.until_durable(settings.put, _LAST, self._last)

    async def _calibrated(self, rated: Rated) -> None:
        """Raise or clear the alarm of a calibration that does not hold for what rates now."""
        use = await self._session.until_durable(calibration.in_use)
        differs = [] if use is None else use.differs(rated.provenance)
        if use is None or not differs:
            self._alarms.clear(_OTHER)
        else:
            told = f"calibration {use.calibration.number} is of another rater ({', '.join(differs)})"
            self._alarms.set(trouble(_OTHER, told))

    async def end_class(self) -> None:
        """Forget the class: no task is open. The alarm stays until the next class has its first outcome."""
        if self._identities:
            self._identities = {}
            await self._session.until_durable(settings.put, _SETTING, {})

    async def _changed(
        self, stage: Stage, before: dict[str, Any], now: dict[str, Any], *, in_class: bool
    ) -> None:
        what = changed(before, now)
        if _RUBRIC in before and _RUBRIC in what:
            cause, fix = await self._told_of_rubric(stage, before, now)
            if in_class and fix:
                self._mixed = (stage, before, now)
                self._alarms.set(trouble(_ALARM, cause, fix=fix))
            else:
                self._events.add("rubric", "; ".join(filter(None, (cause, fix))))
        elif in_class:
            told = f"{stage} changed within this class ({', '.join(what)})"
            self._mixed = None
            self._alarms.set(trouble(_ALARM, told))

    async def _recount(self) -> None:
        """Clear the alarm once no result rests on the rubric before, since all were rated again."""
        if self._mixed is not None and not (await self._told_of_rubric(*self._mixed))[1]:
            self._mixed = None
            self._alarms.clear(_ALARM)

    async def _told_of_rubric(
        self, stage: Stage, before: dict[str, Any], now: dict[str, Any]
    ) -> tuple[str, str]:
        """The line about a changed rubric, and what to do: nothing when no result rests on the one before.

        An answer to the text before may come after the first to the new one, so the line calls none newer.
        """
        count = await self._session.until_durable(reports.asked_with, stage, before[_RUBRIC])
        if not count:
            return f"the rubric changed: the last result rests on {_named(now)}", ""
        tasks = "1 result rests" if count == 1 else f"{count} results rest"
        form = " --extract" if stage is Stage.EXTRACT else ""
        return (
            f"the rubric changed: {tasks} on {_named(before)}, the last one on {_named(now)}",
            f"for all by the present one, run: introeval rate --all{form}",
        )


def _named(rubric: dict[str, Any]) -> str:
    return f"{rubric.get('prompt')} ({str(rubric.get(_RUBRIC))[:8]})"
