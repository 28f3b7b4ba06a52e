"""Consistency of a class: an alarm when models or prompts change while one is open, also across a restart.

A class lasts for as long as there are open tasks.
"""

from typing import Any

from daemon.contracts.values import Extracted, Rated, StageOutcome, Transcribed
from daemon.core.content.provenance_identity import changed, identity
from daemon.core.tasks.task import Stage
from daemon.monitoring.alarms import Alarms
from daemon.store import settings
from daemon.store.session import Session

_SETTING = "class_identity"
_ALARM = "class_changed"


class ConsistencyCheck:
    """Remembers the provenance with which the open class is transcribed, extracted and rated."""

    def __init__(self, session: Session, alarms: Alarms) -> None:
        self._session, self._alarms = session, alarms
        self._identities: dict[str, dict[str, Any]] = {}

    async def recall(self) -> None:
        """Load the provenance of the class that was open at the last stop."""
        self._identities = await self._session.until_durable(settings.get, _SETTING, {})

    async def check(self, stage: Stage, outcome: StageOutcome) -> None:
        """Compare the provenance of an outcome with that of the class; raise or clear the alarm."""
        if not isinstance(outcome, Transcribed | Extracted | Rated) or not outcome.provenance:
            return
        if not self._identities:
            self._alarms.clear(_ALARM)
        now = identity(outcome.provenance)
        before = self._identities.get(stage.value)
        if before == now:
            return
        if before is not None:
            what = ", ".join(changed(before, now))
            message = f"{stage} changed within this class ({what}): rate the earlier tasks again"
            self._alarms.set(_ALARM, message)
        self._identities[stage.value] = now
        await self._session.until_durable(settings.put, _SETTING, self._identities)

    async def end_class(self) -> None:
        """Forget the class: no task is open. The alarm stays until the next class has its first outcome."""
        if self._identities:
            self._identities = {}
            await self._session.until_durable(settings.put, _SETTING, {})
