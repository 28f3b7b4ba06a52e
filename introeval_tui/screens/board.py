"""The keys and actions of the main screen."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from textual import events
from textual.binding import Binding

from introeval_tui.rows import attention
from introeval_tui.rows.state import ListView, OrderBy
from introeval_tui.rows.table import ORDER_OF
from introeval_tui.screens.board_view import Sheet
from introeval_tui.screens.keys import VERBS
from introeval_tui.widgets.panel import Panel

if TYPE_CHECKING:
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
        Binding("enter", "open", "show in detail", id="open"),
        Binding("l", "open_log", "the task's log", id="log"),
        Binding("escape", "back", "back, unmark, no filter", id="back"),
        # With priority (as the deadline) the app runs it itself, and passes no further key on before the
        # line has the focus: else the letters after a fast "/" would be taken for actions.
        Binding("slash", "filter", "filter: id, student, file", id="filter", priority=True),
        Binding("exclamation_mark", "attention", "what wants a person", id="attention"),
        Binding("V", "review", "review the class", id="review"),
        Binding("L", "class", "the class: who is missing", id="class"),
        Binding("v", "view", "the next list", id="view"),
        Binding("s", "sort", "sort by the next column", id="sort"),
        Binding("S", "reverse", "reverse the order", id="reverse"),
        Binding("space", "mark", "mark, and go down", id="mark"),
        *VERBS,
        Binding("y", "copy", "copy the id", id="copy"),
        Binding("E", "export", "export as CSV and JSON", id="export"),
        *(
            Binding(str(number), f"panel({number})", f"panel: {name}", id=f"panel_{number}")
            for number, name in ((1, "list"), (2, "GPU"), (3, "engines"), (4, "attention"), (5, "events"))
        ),
        Binding("C", "deadline", "deadline of the class", id="deadline", priority=True),
    ]

    def why_not(self, action: str) -> str:
        """Why an action cannot be done now, in one line; empty when it can."""
        urgent = self.query_now.view is ListView.ATTENTION
        if action in ("open", "mark", "copy", "open_log") and not self.targets:
            return "nothing is selected"
        if action == "open_log" and self.targets[0].task_id is None:
            return "it is no task and has no log of its own; Enter shows it"
        if urgent and action in ("sort", "reverse"):
            return "what wants a person is in the order of its urgency"
        if urgent and action == "export":
            return "this list is exported with: introeval attention --json"
        if action == "deadline":
            return self.dashboard.scene.forbidden
        return super().why_not(action)

    def _may(self, action: str) -> bool:
        return self.dashboard.can_be_done(self.why_not(action))

    # --- moving

    def _moved(self, move: Callable[[], None]) -> None:
        move()
        self.redraw()

    def action_move(self, by: int) -> None:
        """Move the cursor, or scroll the focused panel."""
        if self.panel in (1, 4):
            chosen = self.urgent if self.panel == 4 else self.chosen
            self._moved(lambda: chosen.move(by))
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
        """Select the clicked row or panel, sort by a heading, or do what a key of the footer does; a double
        click opens the row.
        """
        word = event.piece.strip(" ▲▼")
        if event.panel.has_class("keys"):
            self.press(event.piece)
        elif event.panel.has_class("alarms") or word.startswith("ATTENTION"):
            self.action_attention()
        elif event.panel.has_class("tasks"):
            self.panel = 1
            if event.y >= self.above:
                place = self.chosen.first + (event.y - self.above) // self.rows_each
                self._moved(lambda: self.chosen.go(place))
                if event.twice:
                    self.action_open()
            elif word in ORDER_OF:
                self._sort_by(ORDER_OF[word])
            elif word.startswith("/"):
                self.app.call_later(self.action_filter)
        else:
            for number, name in ((2, "gpu"), (3, "engines"), (4, "urgent"), (5, "events")):
                if event.panel.has_class(name):
                    self.action_panel(number)

    def on_panel_wheeled(self, event: Panel.Wheeled) -> None:
        """Move with the wheel."""
        self.action_move(event.by)

    # --- the list

    def action_view(self) -> None:
        """Show the next list."""
        views = list(ListView)
        self.show_view(views[(views.index(self.query_now.view) + 1) % len(views)])

    def action_attention(self) -> None:
        """Show what wants a person, or the open tasks again."""
        away = self.query_now.view is ListView.ATTENTION
        self.show_view(ListView.OPEN if away else ListView.ATTENTION)

    def action_review(self) -> None:
        """Open the review of the open class, or of today's."""
        self.dashboard.open_review("current")

    def action_class(self) -> None:
        """Show the open class, or that of today."""
        from introeval_tui.screens.class_screen import ClassScreen

        _ = self.app.push_screen(ClassScreen("current"))

    def action_sort(self) -> None:
        """Sort by the next column."""
        if self._may("sort"):
            orders = list(OrderBy)
            self._sort_by(orders[(orders.index(self.query_now.order) + 1) % len(orders)])

    def _sort_by(self, order: OrderBy) -> None:
        """Sort by a column; by the same once more, the other way round."""
        again = order is self.query_now.order
        self.show_list(
            replace(self.query_now, order=order, descending=again and not self.query_now.descending, offset=0)
        )

    def action_reverse(self) -> None:
        """Reverse the order."""
        if self._may("reverse"):
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

        if self._may("deadline"):
            hint = "deadline of the class as HH:MM; empty removes it: "
            await self._open(PromptLine(hint, "", done=self.dashboard.set_deadline))

    async def _open(self, line: "PromptLine") -> None:
        await self.mount(line)
        line.take_focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool:
        """Whether an action is available: while a line is open, its keys are letters."""
        return action not in ("filter", "deadline") or not self.has_class("-line")

    # --- the tasks

    def action_mark(self) -> None:
        """Mark the item under the cursor, or remove its mark."""
        if self.panel == 1 and self._may("mark"):
            self._moved(self.chosen.mark)

    def action_verb(self, verb: str) -> None:
        """Send the request `verb` for the chosen items."""
        self.dashboard.ask_for(verb, self.targets)

    def action_open(self, tab: str = "Overview") -> None:
        """Show the item under the cursor in detail."""
        from introeval_tui.screens.detail import DetailScreen
        from introeval_tui.screens.dialogs import Notice

        item = self.under_cursor
        if item is None:
            self.dashboard.say("nothing is selected")
        elif item.task_id is not None:
            _ = self.app.push_screen(DetailScreen(item.task_id, item.task, tab))
        else:
            _ = self.app.push_screen(
                Notice(
                    item.who or "Attention",
                    lambda width: attention.full_rows(item, self.key_names(), self.dashboard.scene, width),
                    ascii_only=self.dashboard.setup.ascii_only,
                )
            )

    def action_open_log(self) -> None:
        """Show the log of the task under the cursor."""
        if self._may("open_log"):
            self.action_open("Log")

    def action_copy(self) -> None:
        """Copy the ids of the chosen tasks."""
        if self._may("copy"):
            said = " ".join(
                str(item.task_id) if item.task_id is not None else item.key for item in self.targets
            )
            self.app.copy_to_clipboard(said)
            self.dashboard.say(f"copied: {said}", "green")

    def action_export(self) -> None:
        """Write the whole list to files in the working directory."""
        from introeval_tui.screens.export import export

        if not self._may("export"):
            return
        self.run_worker(export(self.dashboard, self.query_now), group="export", exclusive=True)

    def on_screen_resume(self, _: events.ScreenResume) -> None:
        """Draw the answers that came meanwhile."""
        self.draw()
