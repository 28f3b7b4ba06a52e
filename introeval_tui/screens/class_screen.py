"""A class: its students with their standing. Enter opens the task, or its review."""

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import quote

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding

from introeval_tui.link.client import DaemonSilent, RequestRefused
from introeval_tui.rows import class_rows, header
from introeval_tui.rows.cells import Row, fit, row
from introeval_tui.rows.target import Target
from introeval_tui.screens.keyed import KeyedScreen
from introeval_tui.widgets.panel import Panel

if TYPE_CHECKING:
    from daemon.contracts.wire.classes import ClassShown, StudentLine

_REVIEWED = ("needs_review", "held")


class ClassScreen(KeyedScreen):
    """Shows a class by its name; `current` is the open one, or today's. Asks again after each change."""

    BINDINGS = [
        Binding("escape,backspace", "leave", "back to the list", id="leave"),
        Binding("enter", "open", "the task, or its review", id="open"),
        Binding("V", "review", "review the class", id="review"),
        Binding("f", "standing", "the next standing", id="standing"),
        Binding("m", "missing", "who is missing, or all", id="missing"),
        Binding("down,j", "move(1)", "down", id="class_down", show=False),
        Binding("up,k", "move(-1)", "up", id="class_up", show=False),
        Binding("pagedown,space", "page(1)", "a page down", id="class_page_down", show=False),
        Binding("pageup", "page(-1)", "a page up", id="class_page_up", show=False),
        Binding("g,home", "move(-1000000)", "the first", id="class_first", show=False),
        Binding("G,end", "move(1000000)", "the last", id="class_last", show=False),
    ]

    def __init__(self, name: str) -> None:
        super().__init__()
        self.shown: ClassShown | None = None
        self.standing: str | None = None
        self._class = name
        self._trouble = ""
        self._cursor = self._first = 0
        self._height = 1
        self._seq: int | None = None

    @property
    def targets(self) -> list[Target]:
        """None: a student is no task."""
        return []

    @property
    def students(self) -> "list[StudentLine]":
        """The students that pass the filter."""
        lines = self.shown.lines if self.shown is not None else []
        return [line for line in lines if self.standing in (None, line.standing)]

    @property
    def under_cursor(self) -> "StudentLine | None":
        """The student under the cursor."""
        lines = self.students
        return lines[self._cursor] if self._cursor < len(lines) else None

    def why_not(self, action: str) -> str:
        """Why an action cannot be done now, in one line; empty when it can."""
        if action == "open" and (self.under_cursor is None or self.under_cursor.counts is None):
            return "nothing was handed in"
        return super().why_not(action)

    def compose(self) -> ComposeResult:
        """Yield one panel."""
        yield Panel(self._rows, "whole", ascii_only=self.dashboard.setup.ascii_only)

    def on_mount(self) -> None:
        """Fetch the class."""
        self.draw()

    def draw(self) -> None:
        """Draw; after a change of a task the class is asked for again."""
        status = self.dashboard.known.status
        seq = None if status is None else status.seq
        if self.shown is None or seq != self._seq:
            self._seq = seq
            self.load()
        self._redraw()

    def _redraw(self) -> None:
        for panel in self.query(Panel):  # none yet, when an answer comes before the screen is composed
            panel.redraw()

    @work(exclusive=True, group="class")
    async def load(self) -> None:
        """Fetch the class; while the daemon does not answer, again and again."""
        from daemon.contracts.wire.classes import ClassShown

        while True:
            try:
                body = await self.dashboard.asks.get(f"/classes/{quote(self._class, safe='')}")
                self.shown, self._trouble = ClassShown.model_validate_json(body), ""
                break
            except (DaemonSilent, RequestRefused, ValueError) as exc:
                self._trouble = str(exc)
                self._redraw()
                await asyncio.sleep(self.dashboard.refresh_s)
        self._redraw()

    def _rows(self, width: int, height: int) -> list[Row]:
        scene = self.dashboard.scene
        above = [header.title(scene, width)] if scene.stale else []
        if self.shown is None:
            told = self._trouble or "…"
            return [*above, row(width, (" < esc  class", "bold")), row(width, (f" {told}", "dim"))]
        head = [*above, *class_rows.head_rows(self.shown, self.standing, width)]
        lines = self.students
        self._height = room = max(1, height - len(head) - 1)
        self._cursor = max(0, min(self._cursor, len(lines) - 1))
        self._first = max(self._cursor - room + 1, min(self._first, self._cursor))
        body = [
            class_rows.student_row(line, width, cursor=self._first + at == self._cursor)
            for at, line in enumerate(lines[self._first : self._first + room])
        ] or [row(width, (" nobody", "dim"))]
        body += [row(width)] * (room - len(body))
        return header.dimmed(scene, [*head, *body, self._foot(width)])

    def _foot(self, width: int) -> Row:
        if (said := self.dashboard.said) is not None:
            return row(width, (fit(f" {said[0]}", width), said[1]))
        return row(width, *self.foot(width))

    def action_leave(self) -> None:
        """Go back to the list."""
        _ = self.dismiss()

    def action_move(self, by: int) -> None:
        """Move the cursor."""
        self._cursor = max(0, min(self._cursor + by, len(self.students) - 1))
        self._redraw()

    def action_page(self, by: int) -> None:
        """Move by one screen of rows."""
        self.action_move(by * self._height)

    def _filter(self, standing: str | None) -> None:
        self.standing, self._cursor = standing, 0
        self._redraw()

    def action_standing(self) -> None:
        """Show only the students of the next standing that somebody has; after the last, all."""
        counts = self.shown.counts if self.shown is not None else {}
        every: list[str | None] = [None, *(name for name in class_rows.STANDINGS if counts.get(name))]
        at = every.index(self.standing) if self.standing in every else 0
        self._filter(every[(at + 1) % len(every)])

    def action_missing(self) -> None:
        """Show who is missing, or all again."""
        self._filter(None if self.standing == "missing" else "missing")

    def action_review(self) -> None:
        """Open the review of this class."""
        self.dashboard.open_review(self._class)

    def action_open(self) -> None:
        """Show the task that counts of the student, or its review."""
        from introeval_tui.screens.detail import DetailScreen

        line = self.under_cursor
        if not self.dashboard.can_be_done(self.why_not("open")) or line is None or line.counts is None:
            return
        if line.standing in _REVIEWED:
            self.dashboard.open_review(self._class, line.counts, every=True)
        else:
            _ = self.app.push_screen(DetailScreen(line.counts, None, "Overview"))

    def on_panel_pointed(self, event: Panel.Pointed) -> None:
        """Go back, select the clicked student, or do what a key of the footer does; a double click opens."""
        head = 3 + self.dashboard.scene.stale
        if event.piece.strip() == "< esc":
            self.action_leave()
        elif head <= event.y < head + self._height:
            self._cursor = self._first + event.y - head
            self.action_move(0)
            if event.twice:
                self.action_open()
        else:
            self.press(event.piece)

    def on_panel_wheeled(self, event: Panel.Wheeled) -> None:
        """Move with the wheel."""
        self.action_move(event.by)
