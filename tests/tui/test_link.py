"""The daemon dies, is slow, answers garbage, is another: the dashboard stays, and never shows old for new."""

from pathlib import Path

import pytest

from introeval_tui.rows.state import Link
from tests.support.waiting import until
from tests.tui.fake_daemon import FakeDaemon
from tests.tui.opened import Desk, at, opened

pytestmark = pytest.mark.anyio


@pytest.fixture
def fake(tmp_path: Path) -> FakeDaemon:
    return at(tmp_path)


async def passes(desk: Desk, seconds: float) -> None:
    """Let so much time go by on the dashboard's clock, and its tick look at it."""
    desk.hand.at += seconds
    desk.app._tick()
    await desk.pilot.pause()


async def test_a_killed_daemon_is_shown_with_the_attempts_and_the_last_picture(fake: FakeDaemon) -> None:
    async with opened(fake) as desk:
        await desk.sees("● live", "~5m")
        await fake.kill()
        await desk.sees("○ daemon offline for 0s, attempt 1, next in 1s (R: try now)", "as of", "s005")
        assert "~5m" not in desk.text
        assert "● live" not in desk.text
        await passes(desk, 42)
        await desk.sees("offline for 40s")
        await fake.start()


async def test_nothing_can_be_changed_while_the_daemon_is_gone(fake: FakeDaemon) -> None:
    async with opened(fake) as desk:
        await fake.kill()
        await desk.sees("daemon offline")
        await desk.press("x")
        await desk.sees("nothing can be changed now")
        assert fake.asked("POST") == []
        await fake.start()


async def test_it_comes_back_by_itself_and_by_hand(fake: FakeDaemon) -> None:
    async with opened(fake) as desk:
        await fake.kill()
        await desk.sees("daemon offline")
        await fake.restart()
        await desk.sees("● live")  # by itself, a second later
        await fake.kill()
        await desk.sees("daemon offline")
        await desk.press("R")
        await desk.sees("attempt 2, next in 2s")
        await desk.press("R")
        await desk.sees("attempt 3, next in 4s")
        await fake.restart()
        await desk.press("R")
        await desk.sees("● live", "~5m")


async def test_a_restarted_daemon_is_asked_for_everything_again(fake: FakeDaemon) -> None:
    async with opened(fake) as desk:
        await fake.kill()
        await desk.sees("daemon offline")
        fake.tasks = fake.tasks[:10]  # its count of changes is the same as before
        await fake.restart()
        await desk.sees("Tasks 6")


async def test_a_slow_daemon_is_stale_before_it_is_offline(fake: FakeDaemon) -> None:
    async with opened(fake) as desk:
        fake.delay_s = 0.6
        await until(lambda: fake.requests)
        await passes(desk, 4)
        await desk.sees("◐ stale 4s", "s005")
        assert "~5m" not in desk.text
        fake.delay_s = 0
        await desk.sees("● live", "~5m")


async def test_a_daemon_that_takes_requests_and_never_answers_is_stale(fake: FakeDaemon) -> None:
    async with opened(fake) as desk:
        fake.silent = True
        await desk.pilot.pause(0.1)
        await passes(desk, 5)
        await desk.sees("◐ stale 5s")
        await desk.press("j")
        assert desk.board().chosen.cursor == 1  # keys still work


@pytest.mark.parametrize(
    "garbage",
    [
        b"SSH-2.0-OpenSSH_9\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nnot JSON!",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
        b"HTTP/1.1 500 Oh\r\ncontent-length: 4\r\n\r\nOops",
    ],
)
async def test_garbage_is_no_daemon(fake: FakeDaemon, garbage: bytes) -> None:
    async with opened(fake) as desk:
        fake.garbage = garbage
        await desk.sees("daemon offline")
        fake.garbage = None
        await desk.press("R")
        await desk.sees("● live")


async def test_a_daemon_that_was_never_there_is_explained(fake: FakeDaemon) -> None:
    async with opened(fake, start=False) as desk:
        await desk.sees(
            "No daemon answers.", str(fake.path)[:40], "no daemon runs", "systemctl start introeval"
        )
        for key in ("j", "enter", "x", "P", "slash", "escape", "E", "v", "2", "escape", "y", "space", "C"):
            await desk.press(key)
        await fake.start()
        await desk.press("R")
        await desk.sees("● live", "[1]Attention 2")
        await fake.kill()


async def test_another_version_is_read_only_from_the_start(fake: FakeDaemon) -> None:
    fake.garbage = b'HTTP/1.1 200 OK\r\ncontent-length: 18\r\n\r\n{"api_version": 9}'
    async with opened(fake) as desk:
        await desk.sees("another version of the protocol", "systemctl restart introeval")
        await desk.press("P")
        assert fake.asked("POST") == []


async def test_another_version_in_the_middle_keeps_the_picture_and_changes_nothing(fake: FakeDaemon) -> None:
    async with opened(fake) as desk:
        fake.says(api_version=2)
        await desk.sees("another version of the protocol: read-only", "s005")
        await desk.press("x")
        await desk.sees("read-only: the daemon has another version")
        fake.says(api_version=1)
        await desk.sees("● live")


async def test_a_fault_of_the_poller_itself_is_shown(
    fake: FakeDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(fake) as desk:
        poller = desk.app._poller
        assert poller is not None

        async def broken() -> None:
            raise ZeroDivisionError("a fault")

        monkeypatch.setattr(poller, "_poll", broken)
        await desk.sees("daemon offline", "ZeroDivisi")
        assert desk.app.known.link is Link.DOWN


async def test_the_detail_of_a_task_says_when_the_daemon_is_gone(fake: FakeDaemon) -> None:
    async with opened(fake) as desk:
        await desk.press("enter")
        await desk.sees("transcribed")
        await fake.kill()
        await desk.sees("daemon offline", "transcribed")
        await fake.restart()
        await desk.press("R")
        await desk.sees("0005")
        await until(lambda: desk.app.known.link is Link.UP)


async def test_a_gpu_that_goes_away_is_shown_and_the_work_stays(fake: FakeDaemon) -> None:
    async with opened(fake) as desk:
        fake.says(gpu=fake.status.gpu.model_copy(update={"lost": True, "absent": "GPU is lost"}))
        await desk.sees("LOST: GPU is lost", "s005")
        fake.says(gpu=fake.status.gpu.model_copy(update={"lost": False, "absent": "NVML: driver not loaded"}))
        await desk.sees("not found (NVML: driver not loaded)")


async def test_names_that_are_attacks_stay_in_their_cells(fake: FakeDaemon) -> None:
    async with opened(fake, (120, 40)) as desk:
        evil = [
            "[red]x[/",
            "\x1b]0;pwned\x07\x1b[2J",
            "\u202eabc",
            "漢" * 300,
            "e" + "\u0301" * 9000,
            "[@click=app.quit]x[/]",
        ]
        for number, name in enumerate(evil, 11):
            fake.change(number, student=name, filename=name, error_message=name)
        await desk.sees("[red]x[/", "[@click=app.…")
        screen = desk.app.export_screenshot()
        assert "\x1b" not in screen
        assert "\u202e" not in screen
        for _ in evil:
            await desk.press("enter")
            await desk.press("6", "2", "escape", "j")
        assert desk.app.is_running
