"""The keys of a replayed day move its time, and give no order."""

from pathlib import Path

import pytest

from introeval_tui.link.setup import Setup
from introeval_tui.link.tape import Tape
from introeval_tui.replayed import Replayed
from tests.support.waiting import until
from tests.tui.fake_daemon import NOW, FakeDaemon
from tests.tui.opened import Hand

pytestmark = pytest.mark.anyio


async def test_keys_move_the_time_and_no_order_is_sent(tmp_path: Path) -> None:
    fake, hand = FakeDaemon(tmp_path / "socket"), Hand()
    await fake.start()
    tape = Tape([(NOW, NOW + 3600)], 1.0, hand)
    app = Replayed(Setup(lambda: fake.path), tape)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(lambda: app.known.page is not None)
        seen = []
        for key in ("P", "full_stop", "greater_than_sign", "comma", "less_than_sign", "right_parenthesis"):
            await pilot.press(key)
            seen.append(tape.now() - NOW)
        assert seen == [0.0, 60.0, 660.0, 600.0, 0.0, 3600.0]
        assert app.scene.replay.startswith("‖ REPLAY")
        assert app.scene.now == NOW + 3600
        await pilot.press("left_parenthesis", "plus", "P")
        hand.at += 5.0
        assert (tape.now() - NOW, tape.speed) == (10.0, 2.0)
        await pilot.press("minus", "D", "N", "x", "r", "h")
        assert tape.speed == 1.0
        assert app.scene.forbidden == "read-only: this is a recording"
    assert fake.asked("POST") == []
    await fake.kill()
