"""One life of the daemon in a simulated lab: from its start to its kill, its stop or the evening.

It runs in a process that was forked for it, which ends with the life: a kill leaves nothing to clean up and
runs no `finally`, and the locks of the database go as the kernel takes them. What the lab has become is
handed back through a file.
"""

import asyncio
import os
import pickle
import signal
import traceback
from collections.abc import Callable, MutableMapping
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import structlog

from daemon.app import run
from daemon.app.engines import Site
from daemon.app.parts import Daemon
from daemon.config.load import Config, load
from daemon.contracts.ports import Node
from daemon.contracts.values import Ticket
from daemon.core.errors import EngineError, IntroEvalError, StoreError
from daemon.core.keeping.witness import Reading
from daemon.core.tasks.task import Event
from daemon.delivery import places
from daemon.forecast import Forecaster
from daemon.intake import intake
from daemon.intake.watcher import Watching
from daemon.monitoring.alert_rules import AlertRules
from daemon.monitoring.record import Record
from daemon.system import folder, place
from tests.torture.days import outside
from tests.torture.days.clock import Clock
from tests.torture.days.engines import LabMedia, make_lab_node
from tests.torture.days.lab import Lab
from tests.torture.days.loop import Hung, VirtualLoop
from tests.torture.days.steward import Steward

_STOP_LIMIT_S = 300.0  # virtual; an engine that does not stop is tried for a while
_REAL_LIMIT_S = 150  # of one life, in which whole days pass
_STEPS = ("rename", "link", "unlink", "write_new", "sync", "make", "rmdir")

Ended = str
"""How a life ended: killed, stopped or evening."""


def live(
    lab: Lab, clock: Clock, handed: Path, prepare: Callable[[], None] = lambda: None
) -> tuple[Ended, Lab]:
    """Let the daemon live once, in a process of its own, which calls `prepare` first. Gives how it ended, and
    the lab after it.
    """
    child = os.fork()
    if not child:
        prepare()
        _Life(lab, handed).begin()
    os.waitpid(child, 0)
    try:
        how, after = pickle.loads(handed.read_bytes())
    except FileNotFoundError:
        lab.find("other", "the process of the daemon ended without a word")
        return "killed", lab
    handed.unlink()
    clock.__dict__.update(after.clock.__dict__)
    after.clock = clock
    return how, after


class _Life:
    def __init__(self, lab: Lab, handed: Path) -> None:
        self._lab, self._handed = lab, handed
        self._daemon: Daemon | None = None

    def begin(self) -> NoReturn:
        """Live, and end this process."""
        lab = self._lab
        signal.signal(signal.SIGALRM, self._stuck)
        signal.alarm(_REAL_LIMIT_S)
        structlog.configure(processors=[self._heard])
        self._connect()
        loop = VirtualLoop(lab.clock, self._slow)
        loop.effect, loop.done = self._effect, lambda where: self._step()
        loop.set_exception_handler(self._unhandled)
        asyncio.set_event_loop(loop)
        how = "stopped"
        try:
            how = loop.run_until_complete(self._live(loop))
        except Hung as exc:
            lab.find("hung", str(exc))
        except (IntroEvalError, OSError) as exc:  # its supervisor starts it again
            if self._daemon is None:
                lab.count("failed starts")
                lab.log(f"the daemon does not start: {exc}")
            else:
                if not isinstance(exc, StoreError | EngineError):
                    lab.find("other", traceback.format_exc())
                lab.count("gave up")
                lab.log(f"the daemon gave up: {exc}")
        except Exception:  # noqa: BLE001 - whatever it is, it is a finding
            lab.find("other", traceback.format_exc())
        self._end(how)

    async def _live(self, loop: VirtualLoop) -> Ended:
        lab = self._lab
        steward = Steward(lab, loop, self._die)
        steward.begin()
        config = load(lab.folder / "introeval.toml", {})
        stop = asyncio.Event()
        lab.log("the daemon starts")
        async with run.running(config, stop, self._make_node, lambda _: LabMedia(lab)) as daemon:
            self._daemon = daemon
            steward.welcome(daemon)
            how = await steward.ended
            lab.log(f"the daemon is to stop: {how}")
            began = lab.clock.now
        if (took := lab.clock.now - began) > _STOP_LIMIT_S:
            lab.find("hung", f"the stop took {took:.0f} s")
        return how

    def _connect(self) -> None:
        """Put the world in the place of what the daemon meets outside."""
        lab, program, claiming, delivering = self._lab, run, intake, places
        modules: Any = program
        modules.make_api = lambda *_: None
        modules.make_server = lambda *_: _NoServer()
        modules.read_clocks = lambda: Reading(lab.clock.wall(), lab.clock.boot, lab.clock.now)
        modules._watches = _chosen(program._watches, forecasts=lab.seed % 8 == 0)
        watching: Any = claiming
        watching.Watcher = _Watcher
        placing: Any = place
        placing.file_system = lambda fd: outside.system_of(lab, fd)
        remembering: Any = delivering
        remembering.asyncio = _Driven()
        folders: Any = folder.Folder
        for name in _STEPS:
            setattr(folders, name, self._stepping(getattr(folders, name)))

    def _make_node(self, config: Config, site: Site) -> Node:
        groups = self._lab.settings["gpu.residency"]
        return make_lab_node(self._lab, groups, self._committed, self._die, site.progress)

    def _committed(self, ticket: Ticket, event: Event) -> bool:
        assert self._daemon is not None
        query = "SELECT 1 FROM task_events WHERE task_id = ? AND revision = ? AND event = ?"
        rows = self._daemon.session.db.execute_sql(query, (ticket.task_id, ticket.revision, event.value))
        return rows.fetchone() is not None

    # Trouble.

    def _slow(self, where: str) -> float:
        lab = self._lab
        if lab.clock.now < lab.disk_slow_until:
            return lab.clock.dice.expovariate(1 / 2.0)
        return 0.0

    def _effect(self, where: str) -> None:
        self._step()
        lab = self._lab
        if where == "database" and self._daemon and lab.clock.now < lab.disk_full_until:
            raise StoreError("the database cannot be written: the disk is full; free space")

    def _stepping(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def stepping(*args: Any, **named: Any) -> Any:
            self._step()
            done = method(*args, **named)
            self._step()
            return done

        return stepping

    def _step(self) -> None:
        lab = self._lab
        if lab.kill_in is not None:
            lab.kill_in -= 1
            if lab.kill_in <= 0:
                self._die()

    def _die(self) -> NoReturn:
        self._lab.kill_in = None
        self._lab.count("kills")
        self._lab.log("the daemon is killed")
        if not self._lab.outlive:
            self._lab.alive.clear()
        self._end("killed")

    def _end(self, how: Ended) -> NoReturn:
        half = self._handed.with_suffix(".half")
        half.write_bytes(pickle.dumps((how, self._lab)))
        half.rename(self._handed)
        os._exit(0)

    # What is heard of it.

    def _heard(self, logger: Any, method: str, event: MutableMapping[str, Any]) -> NoReturn:
        if method in ("warning", "error", "critical"):
            self._lab.log(f"{method}: {dict(event)}")
        raise structlog.DropEvent

    def _unhandled(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        exc = context.get("exception")
        told = "".join(traceback.format_exception(exc)) if exc else context["message"]
        self._lab.find("other", f"nobody handles: {told}")

    def _stuck(self, number: int, frame: FrameType | None) -> NoReturn:
        self._lab.find("hung", "".join(traceback.format_stack(frame)[-12:]))
        self._end("stopped")


class _Watcher:
    """In the place of inotify: the world gives the hints."""

    def __init__(self, root: Path, on_hint: Callable[[], None], *, poll: object) -> None:
        self.events, self.watching = 0, Watching.EVENTS

    def missed(self) -> None:
        return None

    def doubt(self, events: int | None, now: float) -> None:
        return None

    def restart(self) -> None:
        return None

    async def run(self, stop: asyncio.Event) -> None:
        await stop.wait()


class _NoServer:
    """In the place of the control socket, on which nobody calls here: orders go to the same methods."""

    def __init__(self) -> None:
        self._ended = asyncio.Event()

    async def serve(self, sockets: object) -> None:
        await self._ended.wait()

    def end(self) -> None:
        self._ended.set()


class _Driven:
    """`asyncio`, for a module that calls a coroutine from a thread: here that thread is the loop's."""

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    def run_coroutine_threadsafe(self, work: Any, loop: VirtualLoop) -> Any:
        value = loop.drive(work)
        return type("_Done", (), {"result": lambda self: value})()


def _chosen(watches: Callable[[Daemon], list[Any]], *, forecasts: bool) -> Callable[[Daemon], list[Any]]:
    """The background loops but those that come each second and only show: the readings of the GPU, the
    recording for the dashboard, and the alert rules. Forecasts take half of all time, so few labs have them.
    """
    left_out = (Record, AlertRules) if forecasts else (Record, AlertRules, Forecaster)

    def chosen(daemon: Daemon) -> list[Any]:
        every = [watch for watch in watches(daemon) if hasattr(watch, "__self__")]
        return [watch for watch in every if not isinstance(watch.__self__, left_out)]

    return chosen
