"""The results of a review: fetched, drawn, and what is decided sent to the daemon.

What is sent stays with the screen until the daemon has answered: a daemon that is away gets it when it is
back. The revision that goes with it keeps a decision from being made twice, or on a result that nobody has
seen.
"""

import asyncio
import json
from collections import deque
from typing import TYPE_CHECKING
from urllib.parse import quote

from textual import work
from textual.app import ComposeResult

from introeval_tui.link.client import DaemonSilent, RequestRefused
from introeval_tui.rows import header, review_rows
from introeval_tui.rows.cells import Row, fit, row
from introeval_tui.rows.reviewing import UNDO, Review
from introeval_tui.rows.target import Target, of_task
from introeval_tui.screens.keyed import KeyedScreen
from introeval_tui.widgets.panel import Panel

if TYPE_CHECKING:
    from daemon.contracts.wire.review import ReviewLine

_PAGE = 30
_AHEAD = 5  # results before the last one that is loaded, at which more are asked for


class ReviewSheet(KeyedScreen):
    """Shows one of the results of a class. `task_id`: begins with that one; `every`: also those that are
    decided.
    """

    def __init__(self, name: str, task_id: int | None = None, *, every: bool = False) -> None:
        super().__init__()
        self.review = Review()
        self._class, self._wanted, self._every = name, task_id, every
        self._trouble = ""
        self._posts: deque[tuple[int, str, bytes]] = deque()
        self._first = 0
        self._shown = review_rows.Page([], 0, 1)
        self._seq: int | None = None

    @property
    def targets(self) -> list[Target]:
        """The task whose result is shown."""
        line = self.review.current
        return [of_task(line.task)] if line is not None else []

    def compose(self) -> ComposeResult:
        """Yield one panel."""
        yield Panel(self._rows, "whole", ascii_only=self.dashboard.setup.ascii_only)

    def on_mount(self) -> None:
        """Fetch the first results."""
        self.load()

    @work(exclusive=True, group="review")
    async def load(self) -> None:
        """Fetch more results; while the daemon does not answer, again and again."""
        from daemon.contracts.wire.review import ReviewPage

        path, page = f"/classes/{quote(self._class, safe='')}/review", None
        while page is None:
            offset = len(self.review.lines) if self._every else len(self.review.open_places)
            params = [("every", str(self._every).lower()), ("offset", str(offset)), ("limit", str(_PAGE))]
            try:
                page = ReviewPage.model_validate_json(await self.dashboard.asks.get(path, params))
            except (DaemonSilent, RequestRefused, ValueError) as exc:
                self._trouble = str(exc)
                self.draw()
                await asyncio.sleep(self.dashboard.refresh_s)
            else:
                self._trouble = ""
                self.review.take(page, offset)
        if self._wanted is not None:
            self.show(self._wanted)
        self.draw()

    async def _line(self, task_id: int) -> "ReviewLine | None":
        """A result as it is now. Raises DaemonSilent, RequestRefused, ValueError."""
        from daemon.contracts.wire.tasks import TaskLine

        place = self.review.find(task_id)
        if place is None:
            return None
        shown = self.review.lines[place]  # before the answers: meanwhile the list may be loaded anew
        asks, path = self.dashboard.asks, f"/tasks/{task_id}"
        task = TaskLine.model_validate_json(await asks.get(path))
        result = json.loads(await asks.get(f"{path}/results"))[-1]
        return shown.model_copy(update={"task": task, "result": result})

    def show(self, task_id: int) -> None:
        """Show the result of a task, and none before it is loaded."""
        review, self._wanted = self.review, None
        place, loaded = review.find(task_id), len(review.lines)
        if place is not None:
            review.at, self._first = place, 0
        elif review.at < loaded < review.total:  # the last page has brought some
            review.at, self._wanted = loaded, task_id
            self.load()
        else:
            review.at = 0
            self.dashboard.say(f"{task_id:04d} is not among the results of this class that count")

    def post(self, task_id: int, verb: str) -> None:
        """Send what is chosen for a task, or an undo."""
        path = f"/tasks/{task_id}/decide" + ("/undo" if verb == UNDO else "")
        self._posts.append((task_id, path, self.review.send(task_id, verb)))
        if len(self._posts) == 1:
            self.send()

    @work(group="decisions")
    async def send(self) -> None:
        """Send what was decided, in its order; what the daemon does not answer, again until it does."""
        again = False
        while self._posts:
            task_id, path, body = self._posts[0]
            try:
                await self._send(task_id, path, body, again=again)
            except RequestRefused as exc:  # it is gone
                self.review.refused(task_id, None)
                self.dashboard.say(f"{task_id:04d} is not saved: {exc}", "bold red")
            except (DaemonSilent, ValueError) as exc:
                again = True
                self._trouble = f"{len(self._posts)} not saved yet, sent again when the daemon is back: {exc}"
                self.draw()
                await asyncio.sleep(self.dashboard.refresh_s)
                continue
            again, self._trouble = False, ""
            self._posts.popleft()
            self.draw()

    async def _send(self, task_id: int, path: str, body: bytes, *, again: bool) -> None:
        review = self.review
        try:
            await self.dashboard.asks.post(path, body)
        except RequestRefused as exc:
            line = await self._line(task_id)
            if again and line is not None and review.came_through(line):
                review.saved(line)
                return
            review.refused(task_id, line)
            self.dashboard.say(f"{task_id:04d} is not saved: {exc}", "bold red")
            return
        line = await self._line(task_id)
        if line is not None:
            review.saved(line)
        else:
            review.sent.pop(task_id, None)  # the list is loaded anew, with what was saved

    def draw(self) -> None:
        """Draw; where nothing is left, look for more when a task has changed."""
        status = self.dashboard.known.status
        if status is not None and status.seq != self._seq:
            self._seq = status.seq
            if not self.review.open_places and not self._posts and not self._trouble:
                self.load()
        for panel in self.query(Panel):  # none yet, when an answer comes before the screen is composed
            panel.redraw()

    def _rows(self, width: int, height: int) -> list[Row]:
        scene, line = self.dashboard.scene, self.review.current
        above = [header.title(scene, width)] if scene.stale else []
        room = height - len(above) - 1
        if line is None:
            rows = review_rows.empty_rows(self.review, self._trouble, width)
            rows += [row(width)] * (room - len(rows))
        else:
            self._shown = review_rows.page(self.review, line, width, room, self._first)
            self._first = min(self._first, self._shown.most)
            rows = self._shown.rows
        return header.dimmed(scene, [*above, *rows[:room], self._foot(width)])

    def _foot(self, width: int) -> Row:
        if (said := self.dashboard.said) is not None:
            return row(width, (fit(f" {said[0]}", width), said[1]))
        if self._trouble and self.review.lines:
            return row(width, (fit(f" {self._trouble}", width), "bold red"))
        return row(width, *self.foot(width))

    def moved(self) -> None:
        """Draw another result from its beginning, and fetch more before the last one."""
        self._first = 0
        if len(self.review.lines) - self.review.at <= _AHEAD and len(self.review.lines) < self.review.total:
            self.load()
        self.draw()
