"""The review: what its keys choose, what is saved, and that nothing is lost or saved by accident."""

import json
from pathlib import Path
from typing import Any

import pytest
from textual.events import Key

from introeval_tui.screens.board import Board
from introeval_tui.screens.review import ReviewScreen
from tests.support.waiting import until
from tests.tui.fake_daemon import FakeDaemon, a_result, task
from tests.tui.opened import Desk, at, opened

pytestmark = pytest.mark.anyio


def rated(number: int, **changes: Any) -> Any:
    values = {"status": "completed", "outcome": "needs_review", "stage": None, "eta": None, "rating": 8}
    return task(number, **{**values, "flag_codes": ["evidence_not_found"], **changes})


@pytest.fixture
def fake(tmp_path: Path) -> FakeDaemon:
    fake = at(tmp_path)
    fake.tasks = [rated(number) for number in range(1, 4)]
    return fake


async def reviewing(desk: Desk) -> ReviewScreen:
    await desk.press("V")
    await desk.sees("1/3, 3 open")
    screen = desk.app.screen
    assert isinstance(screen, ReviewScreen)
    return screen


def saved(fake: FakeDaemon) -> list[tuple[str, dict[str, Any]]]:
    """The decisions that were sent: the path, and the body."""
    found = zip(fake.requests, fake.bodies, strict=True)
    return [(request[5:], json.loads(body or b"{}")) for request, body in found if request.startswith("POST")]


async def test_nothing_is_saved_before_enter(fake: FakeDaemon) -> None:
    async with opened(fake) as desk:
        await reviewing(desk)
        await desk.press("a", "n", "p", "x", "7", "n", "enter", "enter", "space")
        await desk.sees("nothing is chosen: a takes")
        assert saved(fake) == []


async def test_two_keys_take_the_models_and_go_on(fake: FakeDaemon) -> None:
    async with opened(fake) as desk:
        await reviewing(desk)
        await desk.press("a")
        await desk.sees("Enter saves: accepted as it is")
        await desk.press("enter", "a", "enter", "a", "enter")
        await until(lambda: all(line.decided_by == "roe" for line in fake.tasks))
        assert [path for path, _ in saved(fake)] == [f"/tasks/{n}/decide" for n in (1, 2, 3)]
        await desk.sees("0 open", "accepted by roe")


async def test_a_change_asks_for_its_reason_once_and_offers_it_again(fake: FakeDaemon) -> None:
    async with opened(fake) as desk:
        await reviewing(desk)
        await desk.press("6", "c", "0")
        await desk.sees("8 > 6/10", "8 > 10/10", "a reason is asked for")
        await desk.press("enter", *"too", "space", *"short", "enter")
        await until(lambda: len(saved(fake)) == 1)
        await desk.press("l", "3", "enter", "enter")
        await until(lambda: len(saved(fake)) == 2)
    first, second = saved(fake)
    assert first[1]["scores"] == {"overall_rating": 6, "content_quality": 10}
    assert first[1]["reason"] == second[1]["reason"] == "too short"
    assert (second[0], second[1]["scores"]) == ("/tasks/2/decide", {"clarity_of_speech": 3})


async def test_the_score_that_it_has_is_no_change(fake: FakeDaemon) -> None:
    async with opened(fake) as desk:
        screen = await reviewing(desk)
        await desk.press("6", "8")
        assert not screen.review.choice.changes


async def test_undo_takes_back_the_last_decision_and_shows_it(fake: FakeDaemon) -> None:
    async with opened(fake) as desk:
        await reviewing(desk)
        await desk.press("a", "enter")
        await until(lambda: fake.tasks[0].decided_by == "roe")
        await desk.sees("2/3, 2 open")
        await desk.press("u")
        await until(lambda: fake.tasks[0].decided_by is None)
        await desk.sees("1/3, 3 open", "needs review")
        assert fake.tasks[0].revision == 3


@pytest.mark.parametrize("asked", ["/tasks/1", "/tasks/1/results"])
async def test_a_decision_is_saved_though_the_list_is_loaded_anew_before_its_answer(
    fake: FakeDaemon, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    async with opened(fake) as desk:
        screen = await reviewing(desk)
        asks = screen.dashboard.asks
        get = asks.get

        async def answer(path: str, *more: Any) -> Any:
            if path == asked and screen.review.lines:
                screen.action_every()
            return await get(path, *more)

        monkeypatch.setattr(asks, "get", answer)
        await desk.press("a", "enter")
        await until(lambda: fake.tasks[0].decided_by == "roe" and not screen.review.sent)
        await desk.sees("1/3, 2 open", "accepted by roe")


async def test_a_result_without_a_rating_needs_all_four_scores(fake: FakeDaemon) -> None:
    fake.change(1, outcome="unscorable", rating=None, error_message="no speech was heard")
    fake.results = {1: [a_result(fake.tasks[0]) | {"evaluation": None}]}
    async with opened(fake) as desk:
        await reviewing(desk)
        await desk.press("a")
        await desk.sees("give all four scores")
        await desk.press("4", "l", "5", "enter")
        await desk.sees("it has no rating: give all four scores first")
        await desk.press("c", "6", "f", "7", "enter", "x", "enter")
        await until(lambda: len(saved(fake)) == 1)
        assert sorted(saved(fake)[0][1]["scores"].values()) == [4, 5, 6, 7]


async def test_a_decision_that_was_not_answered_is_sent_again_and_counts_once(fake: FakeDaemon) -> None:
    async with opened(fake) as desk:
        await reviewing(desk)
        fake.drops = 1
        await desk.press("a", "enter")
        await until(lambda: len(saved(fake)) == 2)
        await desk.sees("2/3, 2 open")
        await desk.press("p")
        await desk.sees("accepted by roe")
        assert fake.tasks[0].revision == 2


async def test_what_was_sent_waits_for_a_daemon_that_has_ended(fake: FakeDaemon) -> None:
    async with opened(fake) as desk:
        screen = await reviewing(desk)
        await desk.press("a")
        screen.dashboard.asks.path = fake.path.with_name("none")  # before the polling has noticed
        await desk.press("enter")
        await desk.sees("1 not saved yet")
        await desk.press("escape")
        await desk.sees("Leave the review?", "1 wait for the daemon's answer")
        await desk.press("n")
        screen.dashboard.asks.path = fake.path
        await until(lambda: fake.tasks[0].decided_by == "roe")
        await desk.sees("2/3, 2 open")


async def test_a_result_that_changed_meanwhile_is_shown_and_not_decided(fake: FakeDaemon) -> None:
    async with opened(fake) as desk:
        screen = await reviewing(desk)
        fake.change(1, revision=2)
        await desk.press("7", "enter", "x", "enter")
        await desk.sees("has another result since")
        assert fake.tasks[0].decided_by is None
        assert screen.review.choices[1].score_of("overall_rating") == 7


async def test_leaving_asks_where_something_is_not_saved(fake: FakeDaemon) -> None:
    async with opened(fake) as desk:
        await reviewing(desk)
        await desk.press("7", "q")
        await desk.sees("1 are chosen and not saved")
        await desk.press("n", "escape", "y")
        await until(lambda: isinstance(desk.app.screen, Board))
        assert saved(fake) == []


async def test_what_cannot_be_done_is_not_offered(fake: FakeDaemon) -> None:
    async with opened(fake, read_only=True) as desk:
        screen = await reviewing(desk)
        names = {each.name for each in screen.offers()}
        assert names.isdisjoint({"accept", "score", "save", "feedback", "reason", "undo", "drop"})
        await desk.press("a")
        await desk.sees("read-only")


async def test_it_opens_by_itself_and_loads_more_before_the_end(tmp_path: Path) -> None:
    fake = at(tmp_path)
    fake.tasks = [rated(number) for number in range(1, 101)]
    async with opened(fake, review="intro") as desk:
        await desk.sees("1/100, 100 open")
        for number in range(100):
            await desk.press("a", "enter")
            await until(lambda n=number: fake.tasks[n].decided_by == "roe")  # type: ignore[misc]
        await desk.sees("0 open")
        assert len(saved(fake)) == 100


async def test_a_task_on_a_later_page_is_the_one_that_is_shown_and_no_other_is_decided_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = at(tmp_path)
    fake.tasks = [rated(number) for number in range(1, 101)]
    async with opened(fake) as desk:
        asks = desk.app.asks
        get = asks.get

        async def answer(path: str, *more: Any) -> Any:
            screen = desk.app.screen
            if path.endswith("/review") and isinstance(screen, ReviewScreen) and screen.review.lines:
                screen.action_accept()
                screen.action_save()
            return await get(path, *more)

        monkeypatch.setattr(asks, "get", answer)
        desk.app.open_review("intro", 75, every=True)
        await desk.sees("75/100, 100 open", "s075")
        assert saved(fake) == []
        await desk.press("a", "enter")
        await until(lambda: fake.tasks[74].decided_by == "roe")
    assert [path for path, _ in saved(fake)] == ["/tasks/75/decide"]


async def test_a_task_that_is_on_no_page_is_said_to_be_missing(tmp_path: Path) -> None:
    fake = at(tmp_path)
    fake.tasks = [rated(number) for number in range(1, 101)]
    async with opened(fake) as desk:
        desk.app.open_review("intro", 999, every=True)
        await desk.sees("0999 is not among the results", "1/100")
        assert len(fake.asked("GET /classes")) == 4


async def test_keys_of_one_burst_each_find_what_the_one_before_has_done(fake: FakeDaemon) -> None:
    async with opened(fake) as desk:
        await reviewing(desk)
        names = {"\r": "enter"}
        for letter in "5\rok\ra\rl4\r\r":  # the second reason is the one that is offered
            desk.app.post_message(Key(names.get(letter, letter), letter))
        await until(lambda: len(saved(fake)) == 3)
    first, second, third = saved(fake)
    assert (first[1]["scores"], first[1]["reason"]) == ({"overall_rating": 5}, "ok")
    assert "scores" not in second[1]
    assert (third[1]["scores"], third[1]["reason"]) == ({"clarity_of_speech": 4}, "ok")


async def test_nothing_is_asked_while_nothing_changes(fake: FakeDaemon) -> None:
    async with opened(fake) as desk:
        await reviewing(desk)
        before = len(fake.asked("GET /classes"))
        await desk.heard()
        await desk.heard()
        assert len(fake.asked("GET /classes")) == before


async def test_the_class_shows_who_is_missing_and_opens_what_is_to_be_reviewed(fake: FakeDaemon) -> None:
    async with opened(fake) as desk:
        await desk.press("L")
        await desk.sees("class intro, open", "3 of 5 handed in, 2 missing, 3 to review", "Ana Berg")
        await desk.press("m")
        await desk.sees("Students ─ missing")
        assert "s001" not in desk.text
        await desk.press("m", "j", "enter")
        await desk.sees("2/3, 3 open", "s002")
        await desk.press("a", "enter", "escape")
        await desk.sees("1 released")
