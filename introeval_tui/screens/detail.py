"""One task in detail: its head, and tabs for history, log, transcript, form, rating, JSON and attempts."""

import asyncio
import json
import time
from typing import TYPE_CHECKING

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding

from introeval_tui.link.client import DaemonSilent, RequestRefused
from introeval_tui.rows import answer_rows, detail_rows, header
from introeval_tui.rows.answer_rows import ResultJson
from introeval_tui.rows.cells import Row, fit, row, spread
from introeval_tui.rows.format import parse
from introeval_tui.rows.target import Target, of_task
from introeval_tui.rows.words import FINAL
from introeval_tui.screens.keyed import KeyedScreen
from introeval_tui.screens.keys import VERBS
from introeval_tui.widgets.panel import Panel

if TYPE_CHECKING:
    from daemon.contracts.wire.base import LogLine
    from daemon.contracts.wire.tasks import TaskDetail, TaskLine

TABS = ("Overview", "Log", "Transcript", "Form", "Rating", "JSON", "Attempts")
_LOG_LINES = 2000
_SOURCES = ("daemon", "stt", "media", "extract", "rate")  # of the first only lines that name the task


class DetailScreen(KeyedScreen):
    """Polls and draws its task, as often as the board is refreshed."""

    BINDINGS = [
        Binding("escape,backspace", "leave", "back to the list", id="leave"),
        Binding("right_square_bracket,tab,right", "tab(1)", "the next tab", id="next_tab"),
        Binding("left_square_bracket,shift+tab,left", "tab(-1)", "the tab before", id="previous_tab"),
        *(
            Binding(str(number), f"show_tab('{name}')", f"tab: {name}", id=f"tab_{number}", show=False)
            for number, name in enumerate(TABS, 1)
        ),
        Binding("l", "show_tab('Log')", "the log", id="detail_log"),
        Binding("o", "show_tab('Transcript')", "the transcript", id="detail_transcript"),
        Binding("f", "follow", "follow the log", id="follow"),
        Binding("s", "source", "the log of the next source", id="source"),
        Binding("w", "wrap", "wrap lines", id="wrap"),
        Binding("t", "times", "show times in the log", id="times"),
        Binding("down,j", "scroll_by(1)", "down", id="detail_down", show=False),
        Binding("up,k", "scroll_by(-1)", "up", id="detail_up", show=False),
        Binding("pagedown,space", "scroll_page(1)", "a page down", id="detail_page_down", show=False),
        Binding("pageup", "scroll_page(-1)", "a page up", id="detail_page_up", show=False),
        Binding("g,home", "scroll_by(-1000000)", "the top", id="detail_first", show=False),
        Binding("G,end", "scroll_by(1000000)", "the end", id="detail_last", show=False),
        *VERBS,
        Binding("V", "review", "review this result", id="review"),
        Binding("y", "copy", "copy the id", id="detail_copy"),
    ]

    def __init__(self, task_id: int, line: "TaskLine | None", tab: str) -> None:
        super().__init__()
        self.task_id = task_id
        self.line = line
        self.tab = tab
        self.detail: TaskDetail | None = None
        self.results: list[ResultJson] = []
        self.so_far: ResultJson | None = None  # the results of the stages, of a task that is not done
        self.log_lines: tuple[LogLine, ...] = ()
        self.source = _SOURCES[0]
        self.trouble = ""
        self._first = 0
        self._most = 0  # the last row to which it can be scrolled
        self._page = 1
        self._follow = True
        self._wrap = False
        self._times = True
        self._read_of: tuple[int, str] | None = None  # the revision and status of `results`

    @property
    def targets(self) -> list[Target]:
        """The task, once it was fetched."""
        return [of_task(self.line)] if self.line is not None else []

    def why_not(self, action: str) -> str:
        """Why an action cannot be done now, in one line; empty when it can."""
        if action in ("source", "wrap", "times", "follow") and self.tab != "Log":
            return "that is for the log; l shows it"
        if action == "review" and not (self.results and self.line and "decide" in self.line.can):
            return "there is no result to decide on"
        return super().why_not(action)

    def compose(self) -> ComposeResult:
        """Yield one panel: the head and the tab's rows share its width."""
        yield Panel(self._rows, "whole", ascii_only=self.dashboard.setup.ascii_only)

    def on_mount(self) -> None:
        """Start polling the task."""
        self.ask()

    @work(exclusive=True)
    async def ask(self) -> None:
        """Poll the task while the screen is open. An error is shown, and the poll repeated."""
        while True:
            try:
                await self._ask()
                self.trouble = ""
            except (DaemonSilent, RequestRefused) as exc:
                self.trouble = str(exc)
            except ValueError:
                self.trouble = "the daemon's answer cannot be read"
            self.draw()
            await asyncio.sleep(self.dashboard.refresh_s)

    async def _ask(self) -> None:
        from daemon.contracts.wire.base import LogLine
        from daemon.contracts.wire.tasks import TaskDetail

        asks, path = self.dashboard.asks, f"/tasks/{self.task_id}"
        self.detail = TaskDetail.model_validate_json(await asks.get(path))
        self.line = self.detail
        item = of_task(self.detail)
        pending = self.dashboard.pending.get(item.key)
        if pending is not None and pending.came_true(item):
            del self.dashboard.pending[item.key]
        read_of = (self.detail.revision, self.detail.status)
        if read_of != self._read_of:
            results = json.loads(await asks.get(f"{path}/results"))
            self.results = [each for each in results if isinstance(each, dict)]
            self._read_of = read_of
            self.so_far = None
            if self.detail.status not in FINAL and self.detail.stage != "stt":
                self.so_far = json.loads(await asks.get(f"{path}/stages"))
        if self.tab == "Log":
            params = [("source", self.source), ("lines", str(_LOG_LINES))]
            if self.source == _SOURCES[0]:
                params.append(("task_id", str(self.task_id)))
            body = await asks.get("/logs", params)
            self.log_lines = tuple(LogLine.model_validate(each) for each in json.loads(body))

    def draw(self) -> None:
        """Draw the last answers."""
        for panel in self.query(Panel):  # none yet, when an answer comes before the screen is composed
            panel.redraw()

    def _rows(self, width: int, height: int) -> list[Row]:
        scene = self.dashboard.scene
        head = [row(width, (f" < esc  {self.task_id:04d}  {self.trouble or '…'}", "bold"))]
        if self.line is not None:
            head = detail_rows.head_rows(self.line, self.detail, scene, width, self.key_names())
        pending = self.dashboard.pending.get(f"task:{self.task_id}")
        if pending is not None:
            head[-1] = row(width, (fit(f" ↻ {pending.verb}: sent, waiting for the daemon", width), "yellow"))
        if scene.stale:
            head.insert(0, header.title(scene, width))
        room = max(1, height - len(head) - 2)
        body = self._body(width)
        self._page = room
        self._most = max(0, len(body) - room)
        if self.tab == "Log" and self._follow:
            self._first = self._most
        self._first = max(0, min(self._first, self._most))
        shown = body[self._first : self._first + room]
        shown += [row(width)] * (room - len(shown))
        return header.dimmed(scene, [*head, self._tabs(width), *shown, self._foot(width)])

    def _tabs(self, width: int) -> Row:
        pieces = [("─", "dim")]
        for number, name in enumerate(TABS, 1):
            here = name == self.tab
            pieces += [(f" {number} {name} ", "reverse bold" if here else ""), ("─", "dim")]
        used = sum(len(text) for text, _ in pieces)
        return row(width, *pieces, ("─" * max(0, width - used), "dim"))

    def _body(self, width: int) -> list[Row]:
        scene, detail = self.dashboard.scene, self.detail
        if detail is None:
            return [row(width, (fit(f" {self.trouble or '…'}", width), "dim"))]
        result = self.results[-1] if self.results else None
        if self.tab == "Overview":
            return detail_rows.overview_rows(detail, self.results, scene, width)
        if self.tab == "Log":
            return detail_rows.log_rows(self.log_lines, width, wrapped=self._wrap, times=self._times)
        if self.tab == "Transcript":
            return detail_rows.transcript_rows(self.so_far or result, width)
        if self.tab == "Form":
            return answer_rows.form_rows(self.so_far or result, width)
        if self.tab == "Rating":
            return answer_rows.rating_rows(result, width, demo=detail.demo)
        if self.tab == "JSON":
            return detail_rows.json_rows(self.results, width)
        return detail_rows.try_rows(detail, scene, width)

    def _foot(self, width: int) -> Row:
        if (said := self.dashboard.said) is not None:
            return row(width, (fit(f" {said[0]}", width), said[1]))
        if self.trouble:
            return row(width, (fit(f" {self.trouble}", width), "bold red"))
        where = f" {self._first + 1}-{self._first + self._page} " if self._most else ""
        if self.tab == "Log":
            where = f" {self.source} log, follow {'on' if self._follow else 'off'}{where}"
        return spread(width, self.foot(width - len(where)), [(where, "dim")] if where else [])

    def action_review(self) -> None:
        """Open the review of the task's class at this task."""
        if self.dashboard.can_be_done(self.why_not("review")) and self.line is not None:
            claimed = parse(self.line.claimed_at) or 0.0
            name = self.results[-1].get("class_name") or time.strftime("%Y-%m-%d", time.localtime(claimed))
            self.dashboard.open_review(name, self.task_id, every=True)

    def action_leave(self) -> None:
        """Go back to the list."""
        _ = self.dismiss()

    def action_tab(self, by: int) -> None:
        """Show the next tab."""
        self.action_show_tab(TABS[(TABS.index(self.tab) + by) % len(TABS)])

    def action_show_tab(self, name: str) -> None:
        """Show a tab."""
        self.tab, self._first = name, 0
        self.draw()
        if name == "Log":
            self.ask()

    def action_follow(self) -> None:
        """Follow the end of the log, or stop following."""
        self._follow = not self._follow
        self.draw()

    def action_source(self) -> None:
        """Show the next log: the daemon's lines about this task, or the whole log of an engine."""
        self.source = _SOURCES[(_SOURCES.index(self.source) + 1) % len(_SOURCES)]
        self.log_lines = ()
        self.action_show_tab("Log")

    def action_wrap(self) -> None:
        """Wrap the lines of the log, or cut them."""
        self._wrap = not self._wrap
        self.draw()

    def action_times(self) -> None:
        """Show or hide the times in the log."""
        self._times = not self._times
        self.draw()

    def action_scroll_by(self, by: int) -> None:
        """Scroll by `by` rows; up also stops following the log."""
        if by < 0:
            self._follow = False
        self._first = max(0, min(self._first + by, self._most))
        self.draw()

    def action_scroll_page(self, by: int) -> None:
        """Scroll by one screen of rows."""
        self.action_scroll_by(by * self._page)

    def on_panel_pointed(self, event: Panel.Pointed) -> None:
        """Show a tab, go back, or do what a key of the footer does."""
        word = event.piece.strip()
        if word[1:].strip() in TABS and word[:1].isdigit():
            self.action_show_tab(word[1:].strip())
        elif word == "< esc":
            self.action_leave()
        else:
            self.press(event.piece)

    def on_panel_wheeled(self, event: Panel.Wheeled) -> None:
        """Scroll with the wheel."""
        self.action_scroll_by(event.by)

    def action_verb(self, verb: str) -> None:
        """Send the request `verb` for this task."""
        self.dashboard.ask_for(verb, self.targets)

    def action_copy(self) -> None:
        """Copy the task's id."""
        self.app.copy_to_clipboard(str(self.task_id))
        self.dashboard.say(f"copied: {self.task_id}", "green")
