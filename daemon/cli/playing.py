"""Serves a recorded day in this process, on a private socket, as the daemon would have answered then."""

import asyncio
import contextlib
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from daemon.api.operators import kept_for
from daemon.api.routes import make_reading
from daemon.api.server import bind, make_server
from daemon.config.load import Config
from daemon.core.errors import RecordUnreadable
from daemon.monitoring.playback import Playback
from daemon.store import Database, open_reader, recording
from daemon.store.session import Session
from daemon.system.state_folder import DATABASE
from introeval_tui.link.tape import Tape

_DAYS = 10  # that a message lists
_STOP_S = 5.0


@contextlib.contextmanager
def playing(
    config: Config, begin: float, end: float, monotonic: Callable[[], float] = time.monotonic
) -> Iterator[tuple[Path, Tape]]:
    """Serve what was recorded from `begin` to `end` until the context ends. Gives the socket and the tape.

    Raises RecordUnreadable if nothing was recorded then, and StoreError.
    """
    with contextlib.ExitStack() as opened:
        executor = opened.enter_context(ThreadPoolExecutor(1, "database"))
        db = executor.submit(open_reader, config.paths.state / DATABASE).result()
        opened.callback(lambda: executor.submit(db.close).result())
        if not executor.submit(recording.stretches, db, begin, end).result():
            raise RecordUnreadable(executor.submit(_no_recording, db, begin).result())
        loop = opened.enter_context(_looping())
        playback = Playback(Session(db, executor, lambda _code, _trouble: None), config.paths.state / "log")
        spans = asyncio.run_coroutine_threadsafe(playback.load(begin, end), loop).result()
        tape = Tape([(max(begin, began), min(end, ended)) for began, ended in spans], monotonic=monotonic)
        playback.now = tape.now
        folder = opened.enter_context(tempfile.TemporaryDirectory(prefix="introeval-replay-"))
        socket = Path(folder) / "socket"
        listener = opened.enter_context(bind(socket))
        server = make_server(make_reading(playback, playback), kept_for(""))
        serving = asyncio.run_coroutine_threadsafe(server.serve(sockets=[listener]), loop)
        try:
            yield socket, tape
        finally:
            loop.call_soon_threadsafe(server.end)
            serving.result(_STOP_S)


@contextlib.contextmanager
def _looping() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="replay", daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _no_recording(db: Database, at: float) -> str:
    days = sorted({_day(begin) for begin in recording.begins(db)})
    known, told = ", ".join(days[-_DAYS:]), f"nothing is recorded of {_day(at)} at that time"
    return f"{told}; there is: {known}" if known else f"{told}, nor of any other day; run the daemon first"


def _day(at: float) -> str:
    return str(datetime.fromtimestamp(at, UTC).astimezone().date())
