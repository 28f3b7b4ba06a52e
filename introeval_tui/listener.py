"""The part of the app that polls the daemon, keeps the newest snapshot and lets the screens draw it."""

import asyncio
import gc
import signal
from contextlib import suppress
from dataclasses import replace

from textual import work
from textual.app import App
from textual.reactive import Reactive
from textual.worker import Worker, WorkerState

from introeval_tui.actions import Pending
from introeval_tui.link.client import Client, Unreachable
from introeval_tui.link.poll import BACKOFF_S, Poller
from introeval_tui.link.setup import Setup
from introeval_tui.rows.state import Link, Query, Scene, Snapshot, daemon_now

_SAID_S = 6.0
_REDRAW_S = 4.5  # ages are shown in steps of 10 s, so while nothing else changes this is often enough
_RESTART_S = BACKOFF_S[-1]


class Listener(App[int]):
    """Polls until it is closed. An error is shown and the poller restarted; old figures are marked as old."""

    theme = Reactive("ansi-dark")  # from the start: a theme set later has the style sheets read a second time

    def __init__(self, setup: Setup) -> None:
        super().__init__(ansi_color=True)  # set later, NO_COLOR would give greys instead of no colours
        self.setup = setup
        self.animation_level = "none"
        self.socket = ""
        self.known = Snapshot()
        self.pending: dict[str, Pending] = {}
        self.refresh_s = setup.refresh_s
        self._frozen: tuple[Snapshot, float] | None = None
        self._poller: Poller | None = None
        self._asks: Client | None = None
        self._said: tuple[str, str, float] | None = None
        self._drawn_at = 0.0

    # --- life cycle

    def on_load(self) -> None:
        """Exit cleanly on a signal, also before the terminal is switched to the full screen. Set the keys,
        which the first frame shows.
        """
        if self.setup.keys:
            self.set_keymap(self.setup.keys)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            with suppress(NotImplementedError, RuntimeError, ValueError):  # not in the main thread
                loop.add_signal_handler(number, self.exit, 128 + number)

    def on_mount(self) -> None:
        """Start polling after the first paint."""
        self.call_after_refresh(self.begin)

    def begin(self) -> None:
        """Start polling, and check every second whether the display is out of date."""
        gc.enable()  # `introeval tui` switched it off, to load faster
        gc.freeze()
        self.set_interval(1.0, self._tick)
        self.poll()

    @work(exclusive=True, group="poll", exit_on_error=False)
    async def poll(self) -> None:
        """Poll the daemon until cancelled."""
        path = await asyncio.to_thread(self.setup.socket)
        self.socket = str(path)
        self._asks = self._asks or Client(path)
        poller = Poller(Client(path), self.setup.monotonic, self._heard, self.refresh_s)
        if self._poller is not None:
            poller.query, poller.known = self._poller.query, self.known
        self._poller = poller
        await poller.run()

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Show the error of a poller that failed, and restart it after `_RESTART_S`."""
        if event.worker.group == "poll" and event.state is WorkerState.ERROR:
            now = self.setup.monotonic()
            self._heard(
                replace(
                    self.known,
                    link=Link.DOWN,
                    reason=f"{type(event.worker.error).__name__}: {event.worker.error}",
                    down_since=self.known.down_since or now,
                    next_try_at=now + _RESTART_S,
                )
            )
            self.set_timer(_RESTART_S, self.poll)

    def on_unmount(self) -> None:
        """Close the connections."""
        if self._asks is not None:
            self._asks.close()
        if self._poller is not None:
            self._poller.close()

    def _heard(self, known: Snapshot) -> None:
        before, self.known = self.known, known
        items = {item.key: item for item in known.page.items} if known.page is not None else {}
        for key, pending in list(self.pending.items()):
            item = items.get(key)
            if pending.answered if item is None else pending.came_true(item):
                del self.pending[key]
        aged = self.setup.monotonic() - self._drawn_at >= _REDRAW_S
        if self._frozen is None and (aged or known.news(before)):
            self.draw()

    def _tick(self) -> None:
        """Redraw when no answer has come for a while, so that old figures are marked as old."""
        known, monotonic = self.known, self.setup.monotonic()
        if self._frozen is None and (known.link is not Link.UP or known.age(monotonic) > self.refresh_s + 1):
            self.draw()

    def draw(self) -> None:
        """Redraw the screens that show the daemon's state."""
        self._drawn_at = self.setup.monotonic()
        for screen in self.screen_stack:
            redraw = getattr(screen, "draw", None)
            if redraw is not None:
                redraw()

    # --- for the screens

    @property
    def scene(self) -> Scene:
        """The snapshot to draw, with the clocks; while frozen, the one from that moment."""
        known, monotonic = self._frozen or (self.known, self.setup.monotonic())
        return Scene(
            known=known,
            now=daemon_now(known, self.setup.wall(), monotonic),
            monotonic=monotonic,
            socket=self.socket,
            read_only=self.setup.read_only,
            frozen=self._frozen is not None,
            refresh_s=self.refresh_s,
        )

    @property
    def asks(self) -> Client:
        """The connection for requests beside the polling. Raises Unreachable before there is one."""
        if self._asks is None:
            raise Unreachable("the daemon's socket is not known yet")
        return self._asks

    @property
    def said(self) -> tuple[str, str] | None:
        """The current message and its style, or None."""
        if self._said is None or self.setup.monotonic() > self._said[2]:
            return None
        return self._said[:2]

    def say(self, message: str, style: str = "bold yellow") -> None:
        """Show a message for 6 s."""
        self._said = (message, style, self.setup.monotonic() + _SAID_S)
        self.set_timer(_SAID_S + 0.1, self.draw)
        self.draw()

    def show_list(self, query: Query) -> None:
        """List other tasks."""
        if self._poller is not None:
            self._poller.ask(query)

    def hurry(self) -> None:
        """Poll everything now."""
        if self._poller is not None:
            self._poller.hurry()
