"""The dashboard's app: its keys, and how requests and orders are confirmed and sent."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from textual import work
from textual.app import SystemCommand
from textual.binding import Binding
from textual.screen import Screen

from introeval_tui import actions
from introeval_tui.actions import Pending
from introeval_tui.link.client import DaemonSilent, RequestRefused
from introeval_tui.listener import Listener
from introeval_tui.rows.state import Link
from introeval_tui.rows.target import Target, of_tasks

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
        Binding("R", "retry_failed", "retry all failed; reconnect", id="retry_failed"),
        Binding("z", "freeze", "freeze the display", id="freeze"),
        Binding("plus,equals_sign", "refresh_rate(-1)", "refresh more often", id="faster"),
        Binding("minus", "refresh_rate(1)", "refresh less often", id="slower"),
    ]

    def get_default_screen(self) -> Screen[Any]:
        """The first screen: the board."""
        from introeval_tui.screens.board import Board

        board = Board()
        for length, points in zip(
            self.size, (self.HORIZONTAL_BREAKPOINTS, self.VERTICAL_BREAKPOINTS), strict=True
        ):
            board.add_class(next(name for least, name in reversed(points) if length >= least))
        return board

    def begin(self) -> None:
        """Start polling; open the review that was asked for."""
        super().begin()
        if self.setup.review is not None:
            self.open_review(self.setup.review, every=self.setup.review_every)

    def open_review(self, name: str, task_id: int | None = None, *, every: bool = False) -> None:
        """Open the review of a class, at a task if one is given."""
        from introeval_tui.screens.review import ReviewScreen

        _ = self.push_screen(ReviewScreen(name, task_id, every=every))

    def why_not(self, action: str) -> str:
        """Why an action for the whole daemon cannot be done now, in one line; empty when it can."""
        scene = self.scene
        if action == "retry_failed":
            return "" if scene.known.link is Link.DOWN else scene.forbidden or actions.no_retry(scene.known)
        if action not in actions.ORDERS:
            return ""
        status = scene.known.status
        if scene.forbidden or status is None:
            return scene.forbidden
        return actions.order_not_now(actions.order_meant(action, status), status)

    def can_be_done(self, why_not: str) -> bool:
        """Whether nothing is against an action; the reason is shown."""
        if why_not:
            self.say(why_not)
        return not why_not

    def ask_for(self, verb: str, items: Sequence[Target]) -> None:
        """Send a request for those items that allow it, after a confirmation where one is needed."""
        verb = actions.meant(verb, items)
        if not self.can_be_done(self.scene.forbidden or actions.why_not(verb, items, self.scene.now)):
            return
        able = actions.able(verb, items)
        left_out = len(items) - len(able)
        if actions.must_ask(verb, able, left_out):
            self._confirm(actions.question(verb, able, left_out), lambda: self.send(verb, able))
        else:
            self.send(verb, able)

    def _confirm(self, lines: Sequence[str], then: Callable[[], object]) -> None:
        from introeval_tui.screens.dialogs import Question

        def answered(yes: bool | None) -> None:
            if yes and self.can_be_done(self.scene.forbidden):
                then()

        _ = self.push_screen(Question(lines, ascii_only=self.setup.ascii_only), answered)

    @work(group="orders")
    async def send(self, verb: str, items: Sequence[Target]) -> None:
        """Send the request `verb` for each item, one after the other."""
        for item in items:
            self.pending[item.key] = Pending(verb, item.task.revision if item.task is not None else 0)
        self.draw()
        done = 0
        for item in items:
            try:
                await self.asks.post(actions.path_of(verb, item), actions.body_of(verb, item))
            except (DaemonSilent, RequestRefused) as exc:
                self.pending.pop(item.key, None)
                self.say(f"{verb} {item.name}: {exc}", "bold red")
            else:
                done += 1
                if item.key in self.pending:
                    self.pending[item.key] = replace(self.pending[item.key], answered=True)
        if done == len(items):
            self.say(f"{verb}: {done} sent" if done > 1 else f"{verb} {items[0].name}: sent", "green")
        self.hurry()

    def _order(self, action: str) -> None:
        status = self.known.status
        if self.can_be_done(self.why_not(action)) and status is not None:
            order = actions.order_meant(action, status)
            path = "pause?now=true" if order == "pause_now" else order
            self._confirm(actions.order_question(order, status), lambda: self.send_order(path))

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
        self._order("pause")

    def action_pause_now(self) -> None:
        """Pause without waiting for the running tasks."""
        self._order("pause_now")

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
        elif self.can_be_done(self.why_not("retry_failed")):
            self.ask_failed()

    @work(group="orders")
    async def ask_failed(self) -> None:
        """List all failed tasks, and ask whether to retry those that can be."""
        from daemon.contracts.wire.tasks import TaskPage

        failed: list[Target] = []
        try:
            while True:
                params = [("status", "failed"), ("offset", str(len(failed))), ("limit", "500")]
                page = TaskPage.model_validate_json(await self.asks.get("/tasks", params))
                failed += of_tasks(page).items
                if not page.tasks or len(failed) >= page.total:
                    break
        except (DaemonSilent, RequestRefused, ValueError) as exc:
            self.say(f"the failed tasks cannot be listed: {exc}", "bold red")
            return
        able = actions.able("retry", failed)
        if not self.can_be_done("" if able else "no failed task can be retried"):
            return
        lines = actions.question("retry", able, len(failed) - len(able))
        self._confirm([f"Retry {len(able)} failed tasks?", *lines[1:]], lambda: self.send("retry", able))

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
        from introeval_tui.screens.keyed import KeyedScreen
        from introeval_tui.screens.keys import NOTES, grouped

        if isinstance(self.screen, KeyedScreen):
            said = grouped(self.screen.offers(), self.screen.labels())
            _ = self.push_screen(Help(said, NOTES, ascii_only=self.setup.ascii_only))

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """The commands of the palette."""
        from introeval_tui.screens.keyed import KeyedScreen
        from introeval_tui.screens.keys import commands

        if isinstance(screen, KeyedScreen):
            yield from commands(self, screen.offers(), screen.labels())
            if not self.why_not("pause_now"):
                run = partial(self.run_action, "app.pause_now")
                yield SystemCommand("pause now: running attempts are lost", "asks first", run)
