"""`status`: what the dashboard asks must not grow with history."""

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path

from daemon.config.load import Config
from daemon.store import open_store, videos
from tests.bench.figures import Figure, Options, at_most, median_of, ratio_of, seconds_of
from tests.bench.process import Socket, database, make_lab, running
from tests.integration.stores import birth, born, completed, deliver_all, grow

FINISHED = 100_000
ASKED = 300
WARM_UP = 50
LATENCY_GOAL = at_most(20.0)
RATIO_GOAL = at_most(1.2)


def measure(options: Options) -> list[Figure]:
    """The median latency of GET /status with no finished task and with many, and their ratio.

    Both daemons run at once and are asked in turn, so that whatever else the machine does meets both.
    """
    with ExitStack() as labs:
        asked = [labs.enter_context(_asked(finished)) for finished in (0, FINISHED)]
        times = [[seconds_of(partial(one.get, "/status")) for one in asked] for _ in range(WARM_UP + ASKED)]
    none, many = ([1000 * each for each in mine] for mine in zip(*times[WARM_UP:], strict=True))
    return [
        median_of("no finished task", none, "ms", LATENCY_GOAL),
        median_of(f"{FINISHED:,} finished tasks", many, "ms", LATENCY_GOAL),
        ratio_of("ratio of the two", many, none, "x", RATIO_GOAL),
    ]


@contextmanager
def _asked(finished: int) -> Iterator[Socket]:
    """A connection to a daemon with so many finished tasks."""
    with tempfile.TemporaryDirectory() as folder:
        file, config = make_lab(Path(folder))
        if finished:
            _fill(config, finished)
        with running(file, config), closing(Socket(config.paths.socket)) as socket:
            counted = json.loads(socket.get("/status"))["counts"]["completed"]
            assert counted == finished, f"{counted} tasks are completed, not {finished}"
            socket.close()  # it opens again: the server ends one that is silent while the other lab is made
            yield socket


def _fill(config: Config, finished: int) -> None:
    """One task that went its way through the store, and copies of it with all that belongs to them."""
    with open_store(database(config)) as store:
        (task,) = born(store, birth("first"))
        completed(store, task)
        deliver_all(store)
        videos.archived(store, [(one.id, Path(one.path)) for one in videos.archivable(store, 1)], time.time())
        grow(store, finished - 1)
