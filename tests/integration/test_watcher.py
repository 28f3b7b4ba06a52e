"""Hints from the real inotify, and the ways in which it dies or goes blind."""

import asyncio
import os
import subprocess
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from daemon.intake import watcher as module
from daemon.intake.watcher import Watcher, Watching
from tests.support.waiting import until


def mount(folder: Path) -> bool:
    command = ["mount", "-t", "tmpfs", "introeval-test", str(folder)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def umount(folder: Path) -> None:
    subprocess.run(["umount", folder], capture_output=True, check=True)


def can_mount() -> bool:
    if os.geteuid() != 0:
        return False
    with tempfile.TemporaryDirectory() as folder:
        mounted = mount(Path(folder))
        if mounted:
            umount(Path(folder))
        return mounted


CAN_MOUNT = can_mount()


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quiet watch is checked many times a second, and a lost one made anew at once."""
    monkeypatch.setattr(module, "_CHECK_MS", 100)
    monkeypatch.setattr(module, "_RETRY_S", (0.05, 0.1, 0.2))


class Hints:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


def watch(root: Path, check: Callable[[Watcher, Hints], Awaitable[None]], **settings: Any) -> None:
    """Run a watcher while `check` does, and see that it ends when told."""

    async def run() -> None:
        stop, hints = asyncio.Event(), Hints()
        watcher = Watcher(root, hints, **settings)
        running = asyncio.create_task(watcher.run(stop))
        try:
            await check(watcher, hints)
        finally:
            stop.set()
            await asyncio.wait_for(running, 10)

    asyncio.run(run())


async def hinted_by(hints: Hints, change: Callable[[], object]) -> None:
    before = hints.count
    change()
    await until(lambda: hints.count > before)


async def watched(watcher: Watcher, hints: Hints) -> None:
    await until(lambda: watcher.watching is Watching.EVENTS and hints.count)


def test_a_new_file_gives_a_hint_also_in_a_new_folder(tmp_path: Path) -> None:
    async def check(watcher: Watcher, hints: Hints) -> None:
        await watched(watcher, hints)
        await hinted_by(hints, lambda: (tmp_path / "a.mp4").write_bytes(b"x"))
        await hinted_by(hints, (tmp_path / "s01").mkdir)
        await hinted_by(hints, lambda: (tmp_path / "s01" / "b.mp4").write_bytes(b"x"))

    watch(tmp_path, check)


def test_a_name_that_is_no_utf8_does_not_end_the_hints(tmp_path: Path) -> None:
    async def check(watcher: Watcher, hints: Hints) -> None:
        await watched(watcher, hints)
        raw = os.path.join(os.fsencode(tmp_path), b"\xff\xfe.mp4")
        await hinted_by(hints, lambda: os.close(os.open(raw, os.O_CREAT | os.O_WRONLY)))
        await watched(watcher, hints)
        await hinted_by(hints, lambda: (tmp_path / "a.mp4").write_bytes(b"x"))

    watch(tmp_path, check)


def test_a_folder_removed_and_made_again_is_watched_again(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()

    async def check(watcher: Watcher, hints: Hints) -> None:
        await watched(watcher, hints)
        inbox.rmdir()
        await until(lambda: watcher.watching is Watching.NOTHING)
        inbox.mkdir()
        await watched(watcher, hints)
        await hinted_by(hints, lambda: (inbox / "a.mp4").write_bytes(b"x"))

    watch(inbox, check)


def test_a_folder_exchanged_within_an_instant_is_watched_again(tmp_path: Path) -> None:
    """The new folder may well get the inode of the old one, so that no stat can tell them apart."""
    inbox = tmp_path / "inbox"
    inbox.mkdir()

    async def check(watcher: Watcher, hints: Hints) -> None:
        for _ in range(3):
            await watched(watcher, hints)
            inbox.rmdir()
            inbox.mkdir()
            await until(lambda: watcher.watching is Watching.NOTHING)
            await watched(watcher, hints)
            await hinted_by(hints, (inbox / "s01").mkdir)
            (inbox / "s01").rmdir()

    watch(inbox, check)


@pytest.mark.skipif(not CAN_MOUNT, reason="only root with CAP_SYS_ADMIN may mount")
def test_a_share_mounted_anew_is_watched_again(tmp_path: Path) -> None:
    """Unmounting drops the watch without any event, and the same disk has the same device and inode."""
    inbox = tmp_path / "inbox"
    inbox.mkdir()

    async def check(watcher: Watcher, hints: Hints) -> None:
        await watched(watcher, hints)
        mount(inbox)
        await until(lambda: watcher.watching is Watching.NOTHING)
        await watched(watcher, hints)
        umount(inbox)
        mount(inbox)
        await until(lambda: watcher.watching is Watching.NOTHING)
        await watched(watcher, hints)
        await hinted_by(hints, (inbox / "s01").mkdir)

    try:
        watch(inbox, check)
    finally:
        umount(inbox)


def test_a_folder_exchanged_for_another_is_watched_by_itself_and_when_told(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()

    async def check(watcher: Watcher, hints: Hints) -> None:
        for i, told in enumerate((False, True)):
            await watched(watcher, hints)
            inbox.rename(tmp_path / f"old-{i}")
            inbox.mkdir()
            if told:
                watcher.restart()
            await until(lambda: watcher.watching is Watching.NOTHING)
            await watched(watcher, hints)
            await hinted_by(hints, lambda: (inbox / "a.mp4").write_bytes(b"x"))

    watch(inbox, check)


def test_a_folder_that_does_not_exist_yet_is_watched_once_it_does(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"

    async def check(watcher: Watcher, hints: Hints) -> None:
        await until(lambda: hints.count >= 2)
        assert watcher.watching is Watching.NOTHING
        inbox.mkdir()
        await watched(watcher, hints)

    watch(inbox, check)


def test_polling_gives_hints_without_any_event(tmp_path: Path) -> None:
    async def check(watcher: Watcher, hints: Hints) -> None:
        await until(lambda: hints.count >= 5)
        assert watcher.watching is Watching.POLLING

    watch(tmp_path, check, poll=True, poll_s=0.01)


def test_a_network_share_is_polled_by_itself_unless_told_otherwise(tmp_path: Path) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(f"40 21 0:30 / {tmp_path} rw - cifs //nas/share rw\n")

    async def polls(watcher: Watcher, hints: Hints) -> None:
        await until(lambda: watcher.watching is Watching.POLLING and hints.count >= 3)

    watch(tmp_path, polls, poll_s=0.01, mountinfo=table)
    watch(tmp_path, watched, poll=False, mountinfo=table)


def test_where_no_watches_are_left_it_polls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(*_: object, **__: object) -> Any:
        yield await asyncio.to_thread(fail)

    def fail() -> None:
        raise RuntimeError("Error creating recommended watcher: Too many open files (os error 24)")

    monkeypatch.setattr(module, "awatch", refused)

    async def check(watcher: Watcher, hints: Hints) -> None:
        await until(lambda: watcher.watching is Watching.POLLING and hints.count >= 3)

    watch(tmp_path, check, poll_s=0.01)
