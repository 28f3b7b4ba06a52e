"""The display of the main screen: the table of tasks, and the panels around it."""

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from textual import work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.screen import Screen

from introeval_tui.link.client import DaemonSilent, RequestRefused
from introeval_tui.rows import empty_states, header, panels, table
from introeval_tui.rows.cells import Row, fit, row, spread
from introeval_tui.rows.selection import Selection
from introeval_tui.rows.state import PAGE, Link, Query
from introeval_tui.rows.table import Listing, rule
from introeval_tui.widgets.panel import Panel, RowSource

if TYPE_CHECKING:
    from daemon.contracts.wire.tasks import TaskDetail
    from introeval_tui.screens.app_protocol import DashboardApp

_TITLES = {2: "GPU", 3: "Engines", 4: "Failures", 5: "Events"}
_REST_S = 0.2


class Sheet(Screen[None]):
    """The panels, over one `Selection`. All that they show comes from the scene of the app."""

    def __init__(self) -> None:
        super().__init__()
        self.chosen = Selection()
        self.query_now = Query()
        self.panel = 1
        self._scroll = dict.fromkeys(_TITLES, 0)
        self._alarms = -1
        self._peeked: TaskDetail | None = None
        self._peeks_at: tuple[int, int] | None = None  # which task, at which state of all tasks

    @property
    def dashboard(self) -> "DashboardApp":
        """The app."""
        return cast("DashboardApp", self.app)

    def compose(self) -> ComposeResult:
        """Yield all panels. The style sheet shows those that have room."""
        yield self._panel("small", empty_states.small_rows)
        yield self._panel("top", self._top)
        yield self._panel("alarms", lambda w, _: panels.alarm_rows(self.dashboard.scene, w))
        yield self._panel("trouble", lambda w, h: empty_states.never_rows(self.dashboard.scene, w, h))
        with Horizontal(classes="columns"):
            with Vertical(classes="left"):
                yield self._panel("tasks", self._tasks)
            with Vertical(classes="right"):
                for number, name in ((2, "gpu"), (3, "engines"), (4, "failures")):
                    yield self._panel(name, self._beside(number))
            with Vertical(classes="third"):
                yield self._panel("peek", self._peek_rows)
                yield self._panel("phases", self._phases)
        yield self._panel("zoom", lambda w, h: self._numbered(self.panel, w, h))
        yield self._panel("events", self._events)
        yield self._panel("keys", self._keys)

    def _panel(self, name: str, source: RowSource) -> Panel:
        return Panel(source, name, ascii_only=self.dashboard.setup.ascii_only)

    def draw(self) -> None:
        """Take the app's newest snapshot, and draw it."""
        scene = self.dashboard.scene
        known = scene.known
        self.chosen.take(
            Listing(tuple(known.page.tasks), known.query.offset, known.page.total)
            if known.page
            else Listing()
        )
        self.set_class(known.status is None and known.link in (Link.DOWN, Link.FOREIGN), "-never")
        alarms = len(panels.alarm_rows(scene, 80))
        if alarms != self._alarms:
            self._alarms = alarms
            shown = self.query_one("Panel.alarms", Panel)
            shown.styles.height = alarms
            shown.styles.display = "block" if alarms else "none"
        self.redraw()

    def redraw(self) -> None:
        """Redraw the panels from the snapshot that was taken."""
        for panel in self.query(Panel):
            panel.redraw()
        wanted = self.chosen.wanted(PAGE)
        if wanted is not None and wanted != self.query_now.offset:
            self.show_list(replace(self.query_now, offset=wanted))
        if self.has_class("-huge"):
            self._follow()

    def on_resize(self) -> None:
        """Redraw, since another size shows other panels."""
        self.call_after_refresh(self.redraw)

    def _follow(self) -> None:
        """Fetch the task under the cursor when it is another one or has changed."""
        task, status = self.chosen.task, self.dashboard.known.status
        if task is None or status is None:
            return
        at = (task.id, status.seq)
        if at != self._peeks_at:
            self._peeks_at = at
            self.peek(task.id)

    @work(exclusive=True, group="peek")
    async def peek(self, task_id: int) -> None:
        """Fetch a task for the third column, once the cursor rests."""
        from daemon.contracts.wire.tasks import TaskDetail

        await asyncio.sleep(_REST_S)
        try:
            self._peeked = TaskDetail.model_validate_json(await self.dashboard.asks.get(f"/tasks/{task_id}"))
        except (DaemonSilent, RequestRefused, ValueError):
            self._peeked, self._peeks_at = (
                None,
                None,
            )  # the link shows what is wrong; it is fetched with the next change
        self.redraw_peek()

    def redraw_peek(self) -> None:
        """Redraw the panel with the selected task."""
        self.query_one("Panel.peek", Panel).redraw()

    def _peek_rows(self, width: int, height: int) -> list[Row]:
        from introeval_tui.rows import detail_rows

        detail, task, scene, inner = self._peeked, self.chosen.task, self.dashboard.scene, width - 1
        rows = [rule("─Task", "", inner, focused=False)]
        if task is not None:
            mine = detail if detail is not None and detail.id == task.id else None
            rows += detail_rows.head_rows(task, mine, scene, inner)
            if mine is not None:
                rows += [row(inner), *detail_rows.overview_rows(mine, scene, inner)]
        return _edged(header.dimmed(scene, rows), inner, height)

    def _phases(self, width: int, height: int) -> list[Row]:
        scene, inner = self.dashboard.scene, width - 1
        title = rule("─Phases", "", inner, focused=False)
        return _edged(header.dimmed(scene, [title, *panels.phase_rows(scene, inner)]), inner, height)

    def _top(self, width: int, height: int) -> list[Row]:
        scene = self.dashboard.scene
        return header.wide_rows(scene, width) if height < 7 else header.top_rows(scene, width)

    def _tasks(self, width: int, height: int) -> list[Row]:
        scene, chosen = self.dashboard.scene, self.chosen
        chosen.height = max(1, height - 2)
        head = table.title_row(
            chosen.listing, self.query_now, len(chosen.marks), width, focused=self.panel == 1
        )
        pending = {task_id: each.verb for task_id, each in self.dashboard.pending.items()}
        rows = table.table_rows(
            chosen.listing,
            scene,
            width,
            height - 1,
            first=chosen.first,
            cursor=chosen.cursor,
            marks=chosen.marks.keys(),
            pending=pending,
        )
        if not chosen.listing.total:
            rows += table.empty_rows(scene, self.query_now, width)
        return [head, *rows]

    def _beside(self, number: int) -> RowSource:
        def source(width: int, height: int) -> list[Row]:
            return _edged(self._numbered(number, width - 1, height), width - 1, height)

        return source

    def _numbered(self, number: int, width: int, height: int) -> list[Row]:
        """The rows of a panel with its title, at the operator's place in it."""
        scene = self.dashboard.scene
        room = max(1, height - 1)
        said = ""
        if number == 2:
            rows, said = panels.gpu_rows(scene, width, room), "last 5 min"
        elif number == 3:
            rows = panels.engine_rows(scene, width)
        elif number == 4:
            failures = scene.known.failures
            said = str(failures.total) if failures is not None else ""
            rows = panels.failure_rows(scene, width, self._scroll[4] if self.panel == 4 else None)
        else:
            rows = panels.event_rows(scene.known.events, width)
        self._scroll[number] = max(
            0, min(self._scroll[number], len(rows) - 1 if number == 4 else len(rows) - room)
        )
        first = max(0, self._scroll[number] - room + 1) if number == 4 else self._scroll[number]
        title = rule(
            f"─[{number}]{_TITLES[number]}",
            f" {said} ──" if said else "",
            width,
            focused=self.panel == number,
        )
        return header.dimmed(scene, [title, *rows[first : first + room]])

    def _events(self, width: int, height: int) -> list[Row]:
        scene = self.dashboard.scene
        if height == 1:
            rows = panels.event_rows(scene.known.events[:1], width)
            return [[(text, "dim") for text, _ in pieces] for pieces in rows] if scene.stale else rows
        return self._numbered(5, width, height)

    def _keys(self, width: int, _: int) -> list[Row]:
        if (said := self.dashboard.said) is not None:
            return [row(width, (fit(f" {said[0]}", width), said[1]))]
        known = self.dashboard.known
        if self.has_class("-never") or known.link is Link.DOWN:
            reason = "" if self.has_class("-never") else f"   {known.reason}"
            return [
                row(width, (" ?help  R:try now  q:quit", "dim"), (fit(reason, max(0, width - 25)), "red"))
            ]
        keys = " ?help /filter enter:detail space:mark r:retry x:cancel P:pause q:quit"
        if width >= 110:
            keys = " ?help  /filter  v:view  s:sort  enter:detail  space:mark  r:retry  x:cancel  h:hold"
            keys += "  P:pause  D:drain  :all  q:quit"
        return [spread(width, [(keys, "dim")], [])]

    def show_list(self, query: Query) -> None:
        """List other tasks."""
        self.query_now = query
        self.dashboard.show_list(query)
        self.redraw()


def _edged(rows: list[Row], width: int, height: int) -> list[Row]:
    """The rows with a line at the left, padded to `height` rows."""
    filled = rows[:height] + [row(width)] * (height - len(rows))
    return [[("│", "dim"), *pieces] for pieces in filled]
