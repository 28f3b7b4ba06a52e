"""The dashboard's app: its keys, and how requests and orders are confirmed and sent."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from textual import work
from textual.app import SystemCommand
from textual.binding import Binding
from textual.screen import Screen

from introeval_tui import actions
from introeval_tui.actions import Pending
from introeval_tui.link.client import DaemonSilent, RequestRefused
from introeval_tui.listener import Listener
from introeval_tui.rows.state import Link

if TYPE_CHECKING:
    from daemon.contracts.wire.tasks import TaskLine

REFRESHES_S = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)


class Dashboard(Listener):
    """The app with the actions for the whole daemon. Closing it never affects the work."""

    TITLE = "IntroEval"
    CSS_PATH = "app.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (60, "-narrow"), (110, "-wide"), (180, "-huge")]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (15, "-low"), (32, "-high")]
    BINDINGS = [
        Binding("q", "quit", "quit", id="quit"),
        Binding("ctrl+c", "quit", "quit", priority=True, show=False),
        Binding("question_mark,f1", "help", "help", id="help"),
        Binding("colon,ctrl+p", "command_palette", "every action by name", id="palette"),
        Binding("P", "pause", "pause or resume", id="pause"),
        Binding("D", "drain", "drain: take nothing new", id="drain"),
        Binding("N", "go", "go without a full batch", id="go"),
        Binding("R", "retry_failed", "retry failed; reconnect", id="retry_failed"),
        Binding("z", "freeze", "freeze the display", id="freeze"),
        Binding("plus,equals_sign", "refresh_rate(-1)", "refresh more often", id="faster"),
        Binding("minus", "refresh_rate(1)", "refresh less often", id="slower"),
    ]

    def get_default_screen(self) -> Screen[Any]:
        """The first screen: the board."""
        from introeval_tui.screens.board import Board

        return Board()

    def may_change(self) -> bool:
        """Whether the operator may change things now; if not, the reason is shown."""
        if forbidden := self.scene.forbidden:
            self.say(forbidden)
            return False
        return True

    def ask_for(self, verb: str, tasks: "Sequence[TaskLine]") -> None:
        """Send the request `verb` for some tasks, after a confirmation where one is needed."""
        if not tasks:
            self.say("no task is selected")
        elif self.may_change():
            if actions.must_ask(verb, tasks):
                self._confirm(actions.question(verb, tasks), lambda: self.send(verb, tuple(tasks)))
            else:
                self.send(verb, tuple(tasks))

    def _confirm(self, lines: Sequence[str], then: Callable[[], object]) -> None:
        from introeval_tui.screens.dialogs import Question

        def answered(yes: bool | None) -> None:
            if yes and self.may_change():
                then()

        _ = self.push_screen(Question(lines, ascii_only=self.setup.ascii_only), answered)

    @work(group="orders")
    async def send(self, verb: str, tasks: "tuple[TaskLine, ...]") -> None:
        """Send the request `verb` for each task, one after the other."""
        for task in tasks:
            self.pending[task.id] = Pending(verb, task.revision)
        self.draw()
        done = 0
        for task in tasks:
            try:
                await self.asks.post(f"/tasks/{task.id}/{verb}")
            except (DaemonSilent, RequestRefused) as exc:
                self.pending.pop(task.id, None)
                self.say(f"{verb} {task.id:04d}: {exc}", "bold red")
            else:
                done += 1
                if task.id in self.pending:
                    self.pending[task.id] = Pending(verb, task.revision, answered=True)
        if done == len(tasks):
            self.say(f"{verb}: {done} tasks" if done > 1 else f"{verb} {tasks[0].id:04d}: sent", "green")
        self.hurry()

    def _order(self, order: str) -> None:
        status = self.known.status
        if self.may_change() and status is not None:
            self._confirm(actions.order_question(order, status), lambda: self.send_order(order))

    @work(group="orders")
    async def send_order(self, order: str, body: bytes = b"") -> None:
        """Send an order for the whole daemon."""
        try:
            await self.asks.post(f"/{order}", body)
        except (DaemonSilent, RequestRefused) as exc:
            self.say(f"{order}: {exc}", "bold red")
        else:
            self.say(f"{order.partition('?')[0]}: done", "green")
        self.hurry()

    def action_pause(self) -> None:
        """Pause, or resume after a pause or a drain."""
        status = self.known.status
        self._order("resume" if status is not None and (status.paused or status.draining) else "pause")

    def action_pause_now(self) -> None:
        """Pause without waiting for the running tasks."""
        self._order("pause?now=true")

    def action_drain(self) -> None:
        """Finish the open tasks and claim nothing new."""
        self._order("drain")

    def action_go(self) -> None:
        """Leave stt without waiting."""
        self._order("go")

    def action_retry_failed(self) -> None:
        """Retry all failed tasks; offline: try to connect now."""
        if self.known.link is Link.DOWN:
            self.hurry()
            return
        if self.may_change():
            self.ask_failed()

    @work(group="orders")
    async def ask_failed(self) -> None:
        """List all failed tasks, and ask whether to retry them."""
        from daemon.contracts.wire.tasks import TaskPage

        failed: list[TaskLine] = []
        try:
            while True:
                params = [("status", "failed"), ("offset", str(len(failed))), ("limit", "500")]
                page = TaskPage.model_validate_json(await self.asks.get("/tasks", params))
                failed += page.tasks
                if not page.tasks or len(failed) >= page.total:
                    break
        except (DaemonSilent, RequestRefused, ValueError) as exc:
            self.say(f"the failed tasks cannot be listed: {exc}", "bold red")
            return
        if not failed:
            self.say("no task has failed")
            return
        lines = actions.question("retry", failed)
        self._confirm(
            [f"Retry all {len(failed)} failed tasks?", *lines[1:]],
            lambda: self.send("retry", tuple(failed)),
        )

    def set_deadline(self, said: str) -> None:
        """Send a deadline written as HH:MM; an empty text removes the deadline."""
        from introeval_tui.screens.deadline import BadDeadline, read_deadline

        try:
            body = read_deadline(said, self.scene.now)
        except BadDeadline as exc:
            self.say(str(exc), "bold red")
        else:
            self.send_order("deadline", body)

    def action_freeze(self) -> None:
        """Freeze the display, or unfreeze it."""
        self._frozen = None if self._frozen is not None else (self.known, self.setup.monotonic())
        self.draw()

    def action_refresh_rate(self, by: int) -> None:
        """Poll more or less often."""
        at = min(range(len(REFRESHES_S)), key=lambda place: abs(REFRESHES_S[place] - self.refresh_s))
        self.refresh_s = REFRESHES_S[max(0, min(len(REFRESHES_S) - 1, at + by))]
        if self._poller is not None:
            self._poller.refresh_s = self.refresh_s
        self.say(f"refresh every {self.refresh_s:g} s", "")

    def action_help(self) -> None:
        """Show the keys that work now."""
        from introeval_tui.screens.dialogs import Help
        from introeval_tui.screens.keys import NOTES, working

        _ = self.push_screen(Help(working(self), NOTES, ascii_only=self.setup.ascii_only))

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """The commands of the palette."""
        from introeval_tui.screens.keys import commands

        yield from commands(self, screen)
