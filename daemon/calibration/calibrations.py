"""Calibrations in a running daemon: making one of people's scores, using it, and removing it."""

import asyncio
import hashlib
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from daemon.contracts.signal import Signal
from daemon.contracts.wire.calibration import (
    AnchorSheet,
    AnchorTask,
    CalibrationLine,
    CalibrationMade,
    CalibrationsKept,
    CalibrationUsed,
    CalibrationWanted,
    RaterScores,
)
from daemon.core.agreement.anchors import pick
from daemon.core.agreement.calibration import Anchor, Calibration, corrections, rater_identity
from daemon.core.content.provenance_identity import changed
from daemon.core.errors import IllegalTransition, StoreError, UnknownTask
from daemon.core.timestamps import to_iso
from daemon.monitoring.alarms import Alarms
from daemon.monitoring.events import Events
from daemon.publishing.calibration_report import calibration_report
from daemon.store import reports, revising
from daemon.store.calibration import InUse, in_use
from daemon.store.database import Database, reads
from daemon.store.membership import Membership, membership
from daemon.store.revising import Rating, Revised
from daemon.store.session import Session
from daemon.system.durable import make_folder, whole_file

ALARM = "calibration_other"
FOLDER = "calibrations"
_RESAMPLES = 1000
_MODE = 0o640


class Calibrations:
    """Makes, uses and removes calibrations. `revised` is sent when results were revised."""

    def __init__(
        self, session: Session, alarms: Alarms, events: Events, state: Path, clock: Callable[[], float]
    ) -> None:
        self._session, self._alarms, self._events, self._clock = session, alarms, events, clock
        self._folder = state / FOLDER
        self._making = asyncio.Lock()
        self.revised = Signal[[]]()

    async def tasks(self, name: str) -> AnchorSheet:
        """The tasks of a class to score. Raises UnknownClass, StoreError."""
        return await self._session.read(_sheet, name, self._clock())

    async def make(self, wanted: CalibrationWanted, actor: str | None) -> CalibrationMade:
        """Make a calibration of people's scores, and write its file and its report.

        Raises UnknownClass, UnknownTask, and IllegalTransition for scores that no calibration can be made of.
        """
        of = await self._session(membership, wanted.name, self._clock())
        ratings = {rating.task_id: rating for rating in await self._session(revising.ratings_of, of)}
        async with self._making:
            now = self._clock()
            made = await asyncio.to_thread(self._make, of, wanted.raters, ratings, actor, now)
            use = InUse(made.calibration, made.sha256)
            await self._session(revising.calibration_made, use, now, actor)
        told = f"calibration {made.calibration.number} is made of {len(made.calibration.anchors)} tasks"
        self._events.add("order", told, actor=actor)
        return made

    async def kept(self) -> CalibrationsKept:
        """All that were made, oldest first, and the one in use. Raises StoreError, IllegalTransition."""
        use = await self._session.read(in_use)
        made = await asyncio.to_thread(lambda: [self._read(each) for each in sorted(self._numbers())])
        return CalibrationsKept(
            in_use=None if use is None else use.calibration.number,
            made=[
                CalibrationLine(
                    **{key: getattr(each.calibration, key) for key in CalibrationLine.model_fields}
                )
                for each in made
            ],
        )

    async def apply(self, number: int, actor: str | None) -> CalibrationUsed:
        """Correct the results of its class, and every rating from now on.

        Raises IllegalTransition when there is no calibration of this number.
        """
        use = await asyncio.to_thread(self._read, number)
        revised = await self._session(revising.calibrate, use, self._clock(), actor)
        return self._told("is in use", revised, actor)

    async def remove(self, actor: str | None) -> CalibrationUsed:
        """Use none from now on, and take back what the present one did. Raises IllegalTransition."""
        revised = await self._session(revising.remove_calibration, self._clock(), actor)
        return self._told("is removed", revised, actor)

    def _told(self, what: str, revised: Revised, actor: str | None) -> CalibrationUsed:
        count = len(revised.tasks)
        results = "1 result is" if count == 1 else f"{count} results are"
        self._events.add("order", f"calibration {revised.number} {what}: {results} revised", actor=actor)
        self._alarms.clear(ALARM)
        self.revised()
        return CalibrationUsed(
            number=revised.number, revised=count, left=revised.left, differs=revised.differs
        )

    def _make(
        self,
        of: Membership,
        scored: Sequence[RaterScores],
        ratings: Mapping[int, Rating],
        actor: str | None,
        now: float,
    ) -> CalibrationMade:
        anchors = list(_anchors(scored, ratings))
        raters = [each.rater for each in scored]
        if len(set(raters)) < len(raters):
            raise IllegalTransition("two raters have one name, so they cannot be told apart; rename one")
        try:
            make_folder(self._folder)
            number = max(self._numbers(), default=0) + 1
            calibration = Calibration(
                number=number,
                made_at=to_iso(now),
                made_by=actor,
                day=of.name,
                begins_at=to_iso(of.begin),
                ends_at=to_iso(of.end),
                class_id=of.class_id,
                raters=tuple(raters),
                identity=_one_identity([ratings[anchor.task_id] for anchor in anchors]),
                anchors=tuple(anchors),
                criteria=corrections(anchors, raters, _draws),
            )
            file, page = self._folder / f"{number}.json", self._folder / f"{number}.html"
            content = (calibration.model_dump_json(indent=2) + "\n").encode()
            with whole_file(page, _MODE) as written:
                written.write(calibration_report(calibration))
            with whole_file(file, _MODE) as written:
                written.write(content)
        except OSError as exc:
            raise StoreError(f"{self._folder} cannot be written: {exc.strerror}; free space there") from exc
        sha256 = hashlib.sha256(content).hexdigest()
        return CalibrationMade(calibration=calibration, sha256=sha256, file=str(file), report=str(page))

    def _numbers(self) -> list[int]:
        return [int(path.stem) for path in self._folder.glob("*.json") if path.stem.isdecimal()]

    def _read(self, number: int) -> InUse:
        """A calibration's file. Raises IllegalTransition."""
        path = self._folder / f"{number}.json"
        try:
            content = path.read_bytes()
            return InUse(Calibration.model_validate_json(content), hashlib.sha256(content).hexdigest())
        except (OSError, ValidationError) as exc:
            told = f"calibration {number} cannot be read from {path}"
            raise IllegalTransition(f"{told}; to make one, run: introeval calibrate NAME") from exc


def _draws(n: int) -> Iterator[list[int]]:
    """The resamples of a bootstrap: the same for the same number of anchors."""
    drawn = random.Random(n)
    return (drawn.choices(range(n), k=n) for _ in range(_RESAMPLES))


@reads
def _sheet(db: Database, name: str, now: float) -> AnchorSheet:
    found = revising.ratings_of(db, membership(db, name, now))
    usual = _usual(found)
    mine = {each.task_id: each for each in found if rater_identity(each.origin) == usual}
    overall = {id_: each.evaluation.scores["overall_rating"] for id_, each in mine.items()}
    chosen = pick({id_: scored.model_expected for id_, scored in overall.items()})
    tasks = [_shown(db, task_id) for task_id in chosen]
    return AnchorSheet(tasks=tasks, ids=sorted(mine), others=len(found) - len(mine))


def _shown(db: Database, task_id: int) -> AnchorTask:
    record = reports.task(db, task_id)
    transcript, speaking, profile = reports.payload(db, task_id)
    return AnchorTask(
        id=task_id,
        student=record.task.student,
        video=record.path if record.task.video_kept else None,
        transcript="" if transcript is None else transcript.text,
        speaking=speaking,
        profile=profile,
    )


def _usual(ratings: Sequence[Rating]) -> dict[str, object]:
    """The identity of most ratings, of the later ones where two have as many."""
    identities = [rater_identity(each.origin) for each in reversed(ratings)]
    counts = Counter(map(repr, identities))
    return max(identities, key=lambda each: counts[repr(each)], default={})


def _one_identity(ratings: Sequence[Rating]) -> dict[str, object]:
    """The model, prompt and parameters of all anchors. Raises IllegalTransition where they differ."""
    first, *others = [rater_identity(each.origin) for each in ratings]
    differs = sorted({key for each in others for key in changed(first, each)})
    if differs:
        told = f"the scored tasks were rated with different {', '.join(differs)}: no correction fits all"
        raise IllegalTransition(f"{told}; to rate all with the present one, run: introeval rate --all")
    return first


def _anchors(raters: Sequence[RaterScores], ratings: Mapping[int, Rating]) -> Iterator[Anchor]:
    """The scored tasks, by id. Raises UnknownTask for one of another class, IllegalTransition for none."""
    ids = sorted({task_id for each in raters for task_id, scores in each.scores.items() if scores})
    if not ids:
        raise IllegalTransition(
            "no task has a score, so nothing can be compared; give ten tasks or more a score"
        )
    if missing := [task_id for task_id in ids if task_id not in ratings]:
        told = ", ".join(map(str, missing))
        raise UnknownTask(f"no rated task of this class has the id {told}; run: introeval tasks")
    for task_id in ids:
        scores = ratings[task_id].evaluation.scores
        yield Anchor(
            task_id=task_id,
            expected={criterion: scored.model_expected for criterion, scored in scores.items()},
            people={each.rater: each.scores[task_id] for each in raters if each.scores.get(task_id)},
        )
