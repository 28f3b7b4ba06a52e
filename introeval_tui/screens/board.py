"""The keys and actions of the main screen."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from textual import events
from textual.binding import Binding

from introeval_tui.rows.state import ListView, OrderBy
from introeval_tui.screens.board_view import Sheet
from introeval_tui.widgets.panel import Panel

if TYPE_CHECKING:
    from daemon.contracts.wire.tasks import TaskLine
    from introeval_tui.widgets.prompt_line import PromptLine


class Board(Sheet):
    """The main screen with its keys for the chosen tasks, and for the deadline, which is written here.
    The app has the other keys for the whole daemon.
    """

    BINDINGS = [
        Binding("down,j", "move(1)", "down", id="down", show=False),
        Binding("up,k", "move(-1)", "up", id="up", show=False),
        Binding("pagedown", "page(1)", "a page down", id="page_down", show=False),
        Binding("pageup", "page(-1)", "a page up", id="page_up", show=False),
        Binding("g,home", "first", "the first", id="first", show=False),
        Binding("G,end", "last", "the last", id="last", show=False),
        Binding("enter", "open", "the task in detail", id="open"),
        Binding("l", "open_log", "the task's log", id="log"),
        Binding("escape", "back", "back, unmark, no filter", id="back"),
        # With priority (as the deadline) the app runs it itself, and passes no further key on before the
        # line has the focus: else the letters after a fast "/" would be taken for actions.
        Binding("slash", "filter", "filter: id, student, file", id="filter", priority=True),
        Binding("v", "view", "open, failed, done, all", id="view"),
        Binding("s", "sort", "sort by the next column", id="sort"),
        Binding("S", "reverse", "reverse the order", id="reverse"),
        Binding("space", "mark", "mark, and go down", id="mark"),
        Binding("r", "verb('retry')", "retry what failed", id="retry"),
        Binding("x", "verb('cancel')", "cancel", id="cancel"),
        Binding("h", "hold", "hold, or release", id="hold"),
        Binding("a", "verb('rate')", "rate again", id="rate"),
        Binding("d", "verb('deliver')", "deliver again", id="deliver"),
        Binding("y", "copy", "copy the id", id="copy"),
        Binding("E", "export", "export as CSV and JSON", id="export"),
        *(
            Binding(str(number), f"panel({number})", f"panel: {name}", id=f"panel_{number}")
            for number, name in ((1, "tasks"), (2, "GPU"), (3, "engines"), (4, "failures"), (5, "events"))
        ),
        Binding("C", "deadline", "deadline of the class", id="deadline", priority=True),
    ]

    # --- moving

    def _moved(self, move: Callable[[], None]) -> None:
        move()
        self.redraw()

    def action_move(self, by: int) -> None:
        """Move the cursor, or scroll the focused panel."""
        if self.panel == 1:
            self._moved(lambda: self.chosen.move(by))
        else:
            self._scroll[self.panel] += by
            self.redraw()

    def action_page(self, by: int) -> None:
        """Move by one screen of rows."""
        self.action_move(by * max(1, self.chosen.height - 1))

    def action_first(self) -> None:
        """Move to the first row."""
        self.action_move(-self.chosen.listing.total - 1000)

    def action_last(self) -> None:
        """Move to the last row."""
        self.action_move(self.chosen.listing.total + 1000)

    def action_panel(self, number: int) -> None:
        """Focus a panel. Twice, or where it has no room beside the table, it fills the screen."""
        alone = not (self.has_class("-wide") or self.has_class("-huge"))
        again = number == self.panel and not self.has_class("-zoomed")
        self.panel = number
        self.set_class(number != 1 and (alone or again), "-zoomed")
        self.call_after_refresh(self.redraw)

    def action_back(self) -> None:
        """Leave the panel; else remove the marks; else the filter."""
        if self.panel != 1:
            self.action_panel(1)
        elif self.chosen.marks:
            self._moved(self.chosen.unmark)
        elif self.query_now.text:
            self.show_list(replace(self.query_now, text="", offset=0))

    def on_panel_pointed(self, event: Panel.Pointed) -> None:
        """Select the clicked task or panel; a double click opens the task."""
        if event.panel.has_class("tasks") and event.y >= 2:
            self.panel = 1
            self._moved(lambda: self.chosen.go(self.chosen.first + event.y - 2))
            if event.twice:
                self.action_open()
        else:
            for number, name in ((2, "gpu"), (3, "engines"), (4, "failures"), (5, "events")):
                if event.panel.has_class(name):
                    self.action_panel(number)

    def on_panel_wheeled(self, event: Panel.Wheeled) -> None:
        """Move with the wheel."""
        self.action_move(event.by)

    # --- the list

    def action_view(self) -> None:
        """List the next kind of tasks."""
        views = list(ListView)
        self.chosen.go(0)
        self.show_list(
            replace(self.query_now, view=views[(views.index(self.query_now.view) + 1) % len(views)], offset=0)
        )

    def action_sort(self) -> None:
        """Sort by the next column."""
        orders = list(OrderBy)
        order = orders[(orders.index(self.query_now.order) + 1) % len(orders)]
        self.show_list(replace(self.query_now, order=order, offset=0))

    def action_reverse(self) -> None:
        """Reverse the order."""
        self.show_list(replace(self.query_now, descending=not self.query_now.descending, offset=0))

    async def action_filter(self) -> None:
        """Open the filter line; the list follows each letter."""
        from introeval_tui.widgets.prompt_line import PromptLine

        def live(text: str) -> None:
            self.show_list(replace(self.query_now, text=text, offset=0))

        await self._open(
            PromptLine("/", self.query_now.text, live=live, done=live, given_up=lambda: live(""))
        )

    async def action_deadline(self) -> None:
        """Open the line for the deadline of the class."""
        from introeval_tui.widgets.prompt_line import PromptLine

        if self.dashboard.may_change():
            hint = "deadline of the class as HH:MM; empty removes it: "
            await self._open(PromptLine(hint, "", done=self.dashboard.set_deadline))

    async def _open(self, line: "PromptLine") -> None:
        await self.mount(line)
        line.take_focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool:
        """Whether an action is available: while a line is open, its keys are letters."""
        return action not in ("filter", "deadline") or not self.has_class("-line")

    # --- the tasks

    @property
    def targets(self) -> "list[TaskLine]":
        """The marked tasks, or the one under the cursor; in the panel of failures, its current one."""
        failures = self.dashboard.scene.known.failures
        if self.panel == 4 and failures is not None:
            return failures.tasks[self._scroll[4] : self._scroll[4] + 1]
        return self.chosen.targets

    def action_mark(self) -> None:
        """Mark the task under the cursor, or remove its mark."""
        if self.panel == 1:
            self._moved(self.chosen.mark)

    def action_verb(self, verb: str) -> None:
        """Send the request `verb` for the chosen tasks."""
        self.dashboard.ask_for(verb, self.targets)

    def action_hold(self) -> None:
        """Hold the chosen tasks, or release them when all are held."""
        targets = self.targets
        self.dashboard.ask_for(
            "release" if targets and all(task.held for task in targets) else "hold", targets
        )

    def action_open(self, tab: str = "Overview") -> None:
        """Show the task under the cursor in detail."""
        from introeval_tui.screens.detail import DetailScreen

        if self.panel == 4:
            targets = self.targets
        else:
            task = self.chosen.task
            targets = [task] if task is not None else []
        if targets:
            _ = self.app.push_screen(DetailScreen(targets[0], tab))

    def action_open_log(self) -> None:
        """Show the log of the task under the cursor."""
        self.action_open("Log")

    def action_copy(self) -> None:
        """Copy the ids of the chosen tasks."""
        targets = self.targets
        if targets:
            said = " ".join(str(task.id) for task in targets)
            self.app.copy_to_clipboard(said)
            self.dashboard.say(f"copied: {said}", "green")

    def action_export(self) -> None:
        """Write the whole list to files in the working directory."""
        from introeval_tui.screens.export import export

        self.run_worker(export(self.dashboard, self.query_now), group="export", exclusive=True)

    def on_screen_resume(self, _: events.ScreenResume) -> None:
        """Draw the answers that came meanwhile."""
        self.draw()
