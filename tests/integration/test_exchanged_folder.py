"""A student exchanges a folder for a link while its files are claimed: no other file is touched."""

import asyncio
import ctypes
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from daemon.intake.claim import Claimer
from daemon.intake.files import Files
from daemon.intake.limits import Limits
from daemon.intake.places import ClaimPaths
from daemon.intake.room import DiskRoom
from daemon.intake.scan import Scan, Scanner
from daemon.store.claims import still_open
from tests.support.intake_lab import IntakeLab, lab

RACES = 200
BAITS = 12
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
_libc = ctypes.CDLL(None)


@contextmanager
def exchanging(one: Path, other: Path) -> Iterator[None]:
    """Exchange two paths again and again, as fast as the kernel can."""
    paths, stop, begun = (os.fsencode(one), os.fsencode(other)), threading.Event(), threading.Event()

    def run() -> None:
        while not stop.is_set():
            _libc.renameat2(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _RENAME_EXCHANGE)
            begun.set()

    thread = threading.Thread(target=run)
    thread.start()
    begun.wait()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.fixture(params=["disk", "memory"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A folder for the whole lab: on the disk of the tests (ext4, mostly), and on tmpfs."""
    if request.param == "disk":
        yield tmp_path
        return
    folder = Path(tempfile.mkdtemp(dir="/dev/shm"))
    yield folder
    shutil.rmtree(folder)


def content_of(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {path.name: (path.stat().st_ino, path.read_bytes()) for path in folder.iterdir()}


async def race(here: IntakeLab, claimer: Claimer, mallory: Path, link: Path) -> None:
    """Look at the inbox; then claim what was seen while the folder is exchanged."""
    look = Scanner(here.inbox).scan()
    assert isinstance(look, Scan)
    assert len(look.files) >= BAITS
    with exchanging(mallory, link):
        taken = await claimer.take(look.files)
        await claimer.settle([await claimer.fetch(claim, lambda: False) for claim in taken.claims])
    left = await claimer.open_claims()
    await claimer.settle([await claimer.fetch(claim, lambda: False) for claim in left])


@pytest.mark.parametrize("target", ["results", "state"])
def test_no_race_moves_what_lies_elsewhere(disk: Path, target: str) -> None:
    names = [*(f"{number:04d}-me.result.json" for number in range(BAITS - 1)), "introeval.db"]
    with lab(disk) as here:
        results = disk / "outbox" / "victim"
        results.mkdir(parents=True)
        for name in names:
            (results / name).write_text(f"the result in {name}")
        before = content_of(results)
        database = (here.state / "introeval.db").stat().st_ino
        claimer = Claimer(
            here.inbox,
            ClaimPaths.below(here.state),
            session=here.database.session,
            media=here.media,
            on_born=here.on_born,
            packages=here.packages,
            clock=lambda: 1_700_000_000.0,
            limits=Limits(max_size_bytes=10_000),
            files=Files(),
            room=DiskRoom(lambda: 1 << 40, 0),
        )
        for number in range(RACES):
            mallory, link = here.inbox / f"mallory{number}", disk / "link"
            mallory.mkdir()
            for name in names:
                (mallory / name).write_text(f"bait {number}")
            link.symlink_to(results if target == "results" else here.state)
            asyncio.run(race(here, claimer, mallory, link))
            for left in (mallory, link):
                left.unlink() if left.is_symlink() else shutil.rmtree(left)
        assert content_of(results) == before
        assert (here.state / "introeval.db").stat().st_ino == database
        assert not list(here.state.glob(".introeval-*"))
        assert here.database.now(still_open) == []
