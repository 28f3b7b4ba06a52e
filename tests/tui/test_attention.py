"""What wants a person: the count, the view, its keys, and that it comes first when a class ends."""

from pathlib import Path

import pytest
from textual.widgets import Input

from daemon.contracts.wire.status import AlarmLine, Clock
from introeval_tui.rows.state import ListView
from introeval_tui.widgets.panel import Panel
from tests.tui.fake_daemon import FakeDaemon, a_refusal, alarmed, task
from tests.tui.opened import Desk, at, opened

pytestmark = pytest.mark.anyio

DONE = Clock(done=30, total=30, state="done", outcomes={"evaluated": 28, "needs_review": 1, "failed": 1})


@pytest.fixture
def fake(tmp_path: Path) -> FakeDaemon:
    fake = at(tmp_path)
    fake.refused = [a_refusal()]
    fake.says(alarms=alarmed(), refused=1)
    return fake


def under_cursor(desk: Desk) -> str:
    item = desk.board().under_cursor
    assert item is not None
    return item.key


async def test_the_header_counts_it_and_says_nothing_when_there_is_none(fake: FakeDaemon) -> None:
    async with opened(fake) as desk:
        await desk.sees("ATTENTION 5", "refused 1")
        fake.refused, fake.tasks = [], [task(5)]
        fake.says(alarms=[], refused=0)
        await desk.heard()
        assert "ATTENTION" not in desk.text
        assert "GET /attention" not in "".join(fake.requests[-4:])


async def test_each_line_has_reason_person_next_step_and_its_key(fake: FakeDaemon) -> None:
    async with opened(fake) as desk:
        await desk.press("exclamation_mark")
        await desk.sees("[1]Attention 5 ─ alarm 2 ─ failed 1 ─ refused 1 ─ needs review 1")
        await desk.sees("✗ failed       s003", "r retry it", "> have it sent again in a folder")
        await desk.sees("free some space on its disk   4 results that wait")
        assert not desk.board().query_one("Panel.alarms", Panel).shown  # they are in the list
        await desk.press("exclamation_mark")
        await desk.sees("[1]Tasks 26 ─ open", "affects: 4 results")


async def test_its_keys_do_the_next_step_acknowledge_and_open(fake: FakeDaemon) -> None:
    async with opened(fake) as desk:
        await desk.press("exclamation_mark")
        await desk.sees("[1]Attention 5")
        await desk.press("enter")
        await desk.sees("Esc closes", "free some space", "since")
        await desk.press("escape", "c")
        await desk.asked("POST /attention/alarm:outbox/acknowledge")
        await desk.sees("[1]Attention 4", "ATTENTION 4")
        await desk.press("j")
        assert under_cursor(desk) == "task:3"
        await desk.press("l")
        await desk.sees("0003", "Log")
        await desk.press("escape", "enter")
        await desk.sees("why: the engine gave no answer", "next: r retry")
        await desk.press("escape", "r")
        await desk.asked("POST /tasks/3/retry")
        await desk.sees("[1]Attention 3")
    assert fake.refusals == []


async def test_in_the_panel_the_cursor_stays_on_its_line_when_another_comes_above(fake: FakeDaemon) -> None:
    first, second = alarmed()
    newer = [
        AlarmLine(code=code, message=f"{code} is away", affects="all", fix="look", since=first.since)
        for code in ("mount", "hook")
    ]
    async with opened(fake, (120, 40)) as desk:
        await desk.sees("ATTENTION 5")
        fake.says(alarms=[newer[0], first, second])
        await desk.sees("ATTENTION 6")
        await desk.press("4")
        assert under_cursor(desk) == "alarm:mount"  # where nobody is in the panel, it begins at the top
        await desk.press("j", "j")
        assert under_cursor(desk) == "alarm:switch"
        fake.says(alarms=[*reversed(newer), first, second])
        await desk.sees("ATTENTION 7")
        assert under_cursor(desk) == "alarm:switch"
        await desk.press("c")
        await desk.asked("POST /attention/")
        await desk.sees("ATTENTION 6")
        assert under_cursor(desk) == "task:3"
        fake.says(alarms=[first])
        await desk.sees("ATTENTION 4")
        await desk.press("r")
        await desk.asked("POST /tasks/")
    assert [request.split()[1] for request in fake.asked("POST")] == [
        "/attention/alarm:switch/acknowledge",
        "/tasks/3/retry",
    ]


async def test_a_log_is_not_offered_for_what_is_no_task(fake: FakeDaemon) -> None:
    async with opened(fake) as desk:
        await desk.press("exclamation_mark")
        await desk.sees("[1]Attention 5")
        await desk.press("l")
        await desk.sees("it is no task")
        await desk.press("s")
        await desk.sees("in the order of its urgency")


async def test_marks_and_the_filter_work_as_in_the_list(fake: FakeDaemon) -> None:
    async with opened(fake) as desk:
        await desk.press("exclamation_mark")
        await desk.sees("[1]Attention 5")
        await desk.press("space", "space", "c")
        await desk.sees("Acknowledge 2 things?", "nothing else changes")
        await desk.press("y")
        await desk.sees("[1]Attention 3")
        assert len(fake.asked("POST /attention")) == 2
        await desk.press("escape", "slash", *"S00")
        await desk.sees("[1]Attention 2", "/S00")
        assert isinstance(desk.app.screen.focused, Input)
        await desk.press("enter", "escape")
        await desk.sees("[1]Attention 3")


async def test_five_hundred_are_paged_as_the_list_is(fake: FakeDaemon) -> None:
    fake.says(alarms=[])
    fake.refused = [a_refusal(number, who=f"u{number:03d}") for number in range(500)]
    fake.tasks = [task(number) for number in range(1, 5001)]
    async with opened(fake) as desk:
        await desk.press("exclamation_mark")
        await desk.sees("[1]Attention 500", "u000")
        await desk.press("G")
        await desk.sees("u499")
        for _ in range(40):
            await desk.press("k")
        await desk.sees("u459")
        assert len(fake.asked("GET /attention")) <= 8
        await desk.press("slash", *"u47", "enter")
        await desk.sees("[1]Attention 10", "u479")


async def test_it_comes_first_when_the_class_ends_and_once(fake: FakeDaemon) -> None:
    async with opened(fake) as desk:
        assert desk.board().query_now.view is ListView.OPEN
        fake.says(clock=DONE, left=0, group=[])
        await desk.sees("[1]Attention 5", "30 of 30 done: 28 evaluated", "RESULTS in /srv/introeval/outbox")
        await desk.press("exclamation_mark")
        await desk.heard()
        assert desk.board().query_now.view is ListView.OPEN


async def test_the_end_of_a_class_takes_nobody_away_from_what_he_does(fake: FakeDaemon) -> None:
    async with opened(fake) as desk:
        await desk.press("space")
        fake.says(clock=DONE)
        await desk.heard()
        assert desk.board().query_now.view is ListView.OPEN


async def test_a_click_on_headings_footer_count_and_tabs_does_what_it_says(fake: FakeDaemon) -> None:
    async with opened(fake) as desk:
        board = desk.board()

        async def click(panel: str, word: str) -> None:
            shown = desk.app.screen.query_one(panel, Panel)
            y, line = next((y, line) for y, line in enumerate(shown.text().split("\n")) if word in line)
            await desk.pilot.click(panel, offset=(line.index(word), y))
            await desk.pilot.pause()

        await click("Panel.tasks", "STUDENT")
        await desk.sees("sort:student")
        await click("Panel.tasks", "STUDENT")
        await desk.sees("sort:student descending", "STUDENT▲")
        await click("Panel.top", "ATTENTION")
        await desk.sees("[1]Attention 5")
        await click("Panel.tasks", "s003")
        assert under_cursor(desk) == "task:3"
        await click("Panel.keys", "retry")
        await desk.asked("POST /tasks/3/retry")
        await desk.sees("retry 0003: sent")
        desk.hand.at += 10  # then the keys are in that row again
        await desk.sees("!attention")
        await click("Panel.keys", "attention")
        await desk.sees("[1]Tasks")
        await click("Panel.alarms", "outbox")
        await desk.sees("[1]Attention 4")
        await desk.press("exclamation_mark")
        await desk.sees("[1]Tasks")
        await click("Panel.keys", "detail")
        await desk.sees("Overview")
        await click("Panel.whole", "Rating")
        await desk.sees("no rating yet")
        await click("Panel.whole", "esc")
        await desk.sees("[1]Tasks")
        assert desk.app.screen is board


async def test_the_events_take_the_rows_that_the_list_leaves(fake: FakeDaemon) -> None:
    fake.says(alarms=[])
    async with opened(fake) as desk:
        events = desk.board().query_one("Panel.events", Panel)
        assert events.size.height == 1
        fake.tasks = fake.tasks[:6]
        fake.says(seq=99)
        await desk.sees("[5]Events", "resumed")
        assert events.size.height == 6


async def test_a_long_reason_is_read_whole_below_the_list(fake: FakeDaemon) -> None:
    reason = (
        "the name says no student: it is made of words that many files have; put it into a folder of " * 2
    )
    fake.refused = [a_refusal(reason=reason + "the last word")]
    fake.says(alarms=[])
    async with opened(fake) as desk:
        await desk.press("exclamation_mark", "j")
        await desk.sees("[1]Attention 3", " why  the name says no student", "the last word")
