"""Opens and closes classes, keeps their rosters, and records decisions."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import date
from pathlib import Path

from daemon.classes import review, shown
from daemon.config.records import ReviewSettings
from daemon.contracts.signal import Signal
from daemon.contracts.wire.classes import ClassList, ClassShown, ClassWanted, DecisionWanted
from daemon.contracts.wire.review import ReviewPage
from daemon.core.classes.roster import RosterEntry
from daemon.core.classes.standing import Standing
from daemon.core.errors import IllegalTransition
from daemon.core.intake.naming import printable
from daemon.core.tasks.task import OPEN
from daemon.core.timestamps import from_text
from daemon.llm.rubric import Rubric
from daemon.monitoring.events import Events
from daemon.store import classes, deciding, reports
from daemon.store.membership import CURRENT
from daemon.store.session import Session

_TAKEN = frozenset({CURRENT, "today", "yesterday", "close", "list", "open", "show"})
_NAME = re.compile(r"\w[^/\\\s]*( [^/\\\s]+)*")  # it also names files


class Classes:
    """The classes of a running daemon. `set_deadline` gives the class clock its deadline, and `check` raises
    ConfigError for a rubric that cannot be used. `decided` is sent when a result was decided on.
    """

    def __init__(
        self,
        session: Session,
        events: Events,
        rules: ReviewSettings,
        rubric: Rubric,
        check: Callable[[Path], object],
        set_deadline: Callable[[float | None, str | None], Awaitable[None]],
        clock: Callable[[], float],
    ) -> None:
        self._session, self._events, self._rules = session, events, rules
        self._rubric, self._check = rubric, check
        self._set_deadline, self._clock = set_deadline, clock
        self.decided = Signal[[]]()

    async def every(self) -> ClassList:
        """All classes. Raises StoreError."""
        return await self._session.read(shown.class_list)

    async def show(self, name: str) -> ClassShown:
        """A class with its students. Raises UnknownClass, StoreError."""
        return await self._session.read(shown.class_shown, name, self._rules, self._clock())

    async def review(self, name: str, *, every: bool, offset: int, limit: int) -> ReviewPage:
        """Results to decide on, or with `every` all of a class, most doubtful first. Raises UnknownClass."""
        span = slice(offset, offset + limit)
        return await self._session.read(
            review.review_page, name, self._rules, self._clock(), span, every=every
        )

    async def open(self, wanted: ClassWanted, actor: str | None) -> ClassShown:
        """Open a class. Raises IllegalTransition for a name that cannot be one, and while another is open, or
        tasks are that its rubric is not for; ConfigError for a rubric that cannot be used.
        """
        rubric = None if wanted.rubric is None else Path(wanted.rubric)
        if rubric is not None:
            await asyncio.to_thread(self._check, rubric)
            if not await self._is_idle():
                told = "tasks are still open, and all of a class are rated by one rubric"
                raise IllegalTransition(f"{told}; wait for them: introeval wait, then open it again")
        deadline = None if wanted.deadline is None else from_text(wanted.deadline)
        opened = await self._session(
            classes.open_class,
            _checked(wanted.name),
            deadline=deadline,
            rubric=wanted.rubric,
            archive_days=wanted.archive_days,
            entries=wanted.roster,
            now=self._clock(),
            actor=actor,
        )
        if deadline is not None:
            await self._set_deadline(deadline, actor)
        await self._choose(opened.rubric)
        self._events.add("order", f"the class {opened.name} is open", actor=actor)
        return await self.show(opened.name)

    async def close(self, actor: str | None) -> ClassShown:
        """Close the open class, and end its deadline. Raises IllegalTransition."""
        closed = await self._session(classes.close_class, self._clock(), actor)
        if closed.deadline is not None:
            await self._set_deadline(None, actor)
        await self._choose(None)
        self._events.add("order", f"the class {closed.name} is closed", actor=actor)
        return await self.show(closed.name)

    async def deadline(self, at: float | None, actor: str | None) -> None:
        """Set the deadline of the class clock, and of the open class. Raises StoreError."""
        await self._session(classes.set_deadline, at, self._clock(), actor)
        await self._set_deadline(at, actor)

    async def resume(self) -> None:
        """Take up the rubric of the class that a stop left open. Raises ConfigError, StoreError."""
        opened = await self._session(classes.opened)
        if opened is not None and opened.rubric is not None:
            self._rubric.choose(Path(opened.rubric))
            self._rubric.end_class()

    async def _choose(self, rubric: str | None) -> None:
        """Use a class's rubric; while tasks are open once they are done: they are of the class before."""
        self._rubric.choose(None if rubric is None else Path(rubric))
        if await self._is_idle():
            self._rubric.end_class()

    async def _is_idle(self) -> bool:
        counted = await self._session(reports.counts)
        return not any(counted[status] for status in OPEN)

    async def set_roster(self, name: str, entries: list[RosterEntry], actor: str | None) -> ClassShown:
        """Replace the roster of a class; `current` is the open one. Raises as `close`, and UnknownClass."""
        if name == CURRENT:
            opened = await self._session(classes.opened)
            if opened is None:
                raise IllegalTransition("no class is open; to open one, run: introeval class open NAME")
            name = opened.name
        one = await self._session(classes.set_roster, name, entries, self._clock(), actor)
        self._events.add("order", f"the roster of {one.name} has {one.students} students", actor=actor)
        return await self.show(one.name)

    async def release(self, name: str, actor: str | None) -> ClassShown:
        """Accept every result of a class that only the rule of release holds back. Raises UnknownClass."""
        shown_now = await self.show(name)
        held = [line.counts for line in shown_now.lines if line.standing == Standing.HELD]
        for task_id in held:
            if task_id is not None:
                await self._session(deciding.decide, task_id, DecisionWanted(), self._clock(), actor)
        self._events.add("order", f"{len(held)} results of {shown_now.name} are released", actor=actor)
        self.decided()
        return await self.show(shown_now.name)

    async def decide(self, task_id: int, wanted: DecisionWanted, actor: str | None) -> None:
        """Record a decision. Raises UnknownTask, IllegalTransition."""
        result = await self._session(deciding.decide, task_id, wanted, self._clock(), actor)
        kind = "" if result.decision is None else result.decision.kind
        told = f"the result of {result.student_id} is {kind}"
        self._events.add("order", told, task_id=task_id, student=result.student_id, actor=actor)
        self.decided()

    async def take_back(self, task_id: int, actor: str | None) -> None:
        """Undo the decisions on a result. Raises UnknownTask, IllegalTransition."""
        result = await self._session(deciding.take_back, task_id, self._clock(), actor)
        told = f"the decision on the result of {result.student_id} is taken back"
        self._events.add("order", told, task_id=task_id, student=result.student_id, actor=actor)
        self.decided()


def _checked(name: str) -> str:
    """A name that cannot be taken for a day or a word of ours. Raises IllegalTransition."""
    try:
        date.fromisoformat(name)
    except ValueError:
        if name.casefold() not in _TAKEN and _NAME.fullmatch(name) and name.isprintable():
            return name
    raise IllegalTransition(
        f"{printable(name)} cannot name a class; begin with a letter, and use no slash, day or command"
    )
