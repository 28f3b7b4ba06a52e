"""A rehearsal as it runs: hands in the class, waits for the results, and gives what was seen."""

import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from daemon.contracts.wire.status import DaemonStatus
from daemon.core.errors import NotRunning
from daemon.core.forecast.durations import PLANNED, Durations, MeasuredAttempt, learn
from daemon.core.forecast.rehearsal import LoadedPhase, Sighting, with_canary
from daemon.core.forecast.simulated import Coming
from daemon.core.tasks.task import Stage
from daemon.rehearsal.lab import Lab
from daemon.rehearsal.looking import Lookout
from daemon.store import lists, measured, open_reader
from daemon.system.state_folder import DATABASE
from daemon.system.waits import happens

AskStatus = Callable[[], DaemonStatus]
"""Asks the rehearsal's daemon. Raises NotRunning."""
Tell = Callable[[int, str, Sequence[str]], None]
"""Takes the number of results so far, what the scheduler does or waits for, and new alarms."""

_LOOK_S = 0.2
_STATUS_S = 1.0


@dataclass
class Seen:
    """What was seen of a rehearsal. Times are in seconds from the first video's handing in."""

    handed_in: dict[str, float] = field(default_factory=dict)
    results: dict[str, float] = field(default_factory=dict)
    outcomes: Counter[str] = field(default_factory=Counter)
    alarms: dict[str, None] = field(default_factory=dict)
    looks: list[Sighting] = field(default_factory=list)
    blind: int = 0
    gpu_name: str = ""
    attempts: dict[Stage, list[MeasuredAttempt]] = field(default_factory=dict)
    durations: Durations = PLANNED
    phases: list[LoadedPhase] = field(default_factory=list)


async def rehearse(
    lab: Lab,
    lock: int,
    coming: Sequence[tuple[Coming, Callable[[], bytes]]],
    ask: AskStatus,
    tell: Tell,
    stop: asyncio.Event,
) -> Seen:
    """Run the class: each student with the content of the video. Ends early once `stop` is set.

    Raises EngineError when the daemon of the rehearsal ends by itself.
    """
    seen = Seen()
    lookout = Lookout(lab.config)
    await lab.start(lock)
    try:
        await _answers(lab, ask, stop)
        looking = asyncio.create_task(lookout.run())
        began, epoch = time.monotonic(), time.time()
        asked_at = 0.0
        left = list(coming)
        while len(seen.results) < len(coming) and not stop.is_set():
            lab.check()
            now = time.monotonic() - began
            while left and left[0][0].at <= now:
                one, content = left.pop(0)
                _hand_in(lab.config.paths.inbox, one.student, content())
                seen.handed_in[one.student] = time.monotonic() - began
            _look_for_results(lab.config.paths.outbox, seen, time.monotonic() - began)
            if now >= asked_at:
                asked_at = now + _STATUS_S
                with contextlib.suppress(NotRunning):  # if it has ended, the next check says why
                    _take(await asyncio.to_thread(ask), seen, tell)
            await happens(stop, _LOOK_S)
        looking.cancel()
        await asyncio.wait([looking])
    finally:
        await lab.stop()
    if stop.is_set():
        return seen
    seen.looks = [look.model_copy(update={"at": look.at - began}) for look in lookout.looks]
    seen.blind, seen.gpu_name = lookout.blind, lookout.gpu_name
    _read_record(lab.config.paths.state / DATABASE, seen, epoch)
    return seen


async def _answers(lab: Lab, ask: AskStatus, stop: asyncio.Event) -> None:
    while not stop.is_set():
        lab.check()
        try:
            await asyncio.to_thread(ask)
        except NotRunning:
            await happens(stop, _LOOK_S)
        else:
            return


def _take(status: DaemonStatus, seen: Seen, tell: Tell) -> None:
    said = [f"{alarm.message}; affects {alarm.affects}; {alarm.fix}" for alarm in status.alarms]
    tell(len(seen.results), status.why, [alarm for alarm in said if alarm not in seen.alarms])
    seen.alarms |= dict.fromkeys(said)


def _hand_in(inbox: Path, student: str, content: bytes) -> None:
    part = inbox / f"{student}_introduction.mp4.part"
    part.write_bytes(content)
    part.rename(part.with_suffix(""))


def _look_for_results(outbox: Path, seen: Seen, at: float) -> None:
    for path in outbox.glob("*/*.result.json"):
        student = path.parent.name
        if student not in seen.results:
            seen.results[student] = at
            seen.outcomes[json.loads(path.read_bytes())["outcome"]] += 1


def _read_record(database: Path, seen: Seen, epoch: float) -> None:
    """What only the daemon knows: the attempts, and the phases with their switches."""
    with open_reader(database) as db:
        seen.attempts = {stage: measured.tries(db, stage, 500) for stage in Stage}
        for phase in reversed(lists.last_phases(db, 500)):
            if phase.ready_at is None:
                continue
            last = max(seen.results.values(), default=0.0)
            left = last if phase.ended_at is None else phase.ended_at - epoch
            seen.phases.append(
                LoadedPhase(
                    group=tuple(map(Stage, phase.group)),
                    asked=phase.started_at - epoch,
                    ready=phase.ready_at - epoch,
                    left=max(min(left, last), phase.ready_at - epoch),
                    switch_s=phase.switch_s or 0.0,
                )
            )
    seen.durations = learn(seen.attempts, with_canary(seen.phases))
