"""Help, footer, hints and palette offer what the daemon's own rule accepts, and nothing else."""

from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from introeval_tui import actions
from introeval_tui.rows.target import of_task
from introeval_tui.screens.keyed import KeyedScreen
from introeval_tui.screens.keys import VERBS, commands
from tests.support.waiting import until
from tests.tui.fake_daemon import NOW, OPEN, TERMS, a_refusal, alarmed, facts, offering, task
from tests.tui.opened import Desk, at, opened

pytestmark = pytest.mark.anyio

OUTCOMES = ("evaluated", "needs_review", "unscorable", "failed", "cancelled")
TASK_VERBS = ("retry", "rate", "cancel", "hold", "release", "deliver", "acknowledge")


def every_state() -> list[dict[str, Any]]:
    """Each state in which a task can be."""
    states: list[dict[str, Any]] = [
        {"status": status, "held": held, "progress": 0.5} for status in sorted(OPEN) for held in (False, True)
    ]
    for outcome, seen in product(
        ("evaluated", "needs_review", "unscorable", "failed", "cancelled"), (False, True)
    ):
        status = outcome if outcome in ("failed", "cancelled") else "completed"
        codes = {"failed": ("stalled", "damaged", "too_long"), "unscorable": ("empty_transcript",)}
        flags = (["no_evidence"], ["quiet"]) if outcome == "needs_review" else ([],)
        for code, flag in product(codes.get(outcome, (None,)), flags):
            states.append(
                {
                    "status": status,
                    "outcome": outcome,
                    "acknowledged": seen,
                    "error_code": code,
                    "error_message": code,
                    "flag_codes": flag,
                    "stage": None,
                    "eta": None,
                }
            )
    return states


def test_a_request_is_offered_in_exactly_the_states_in_which_the_daemon_accepts_it() -> None:
    from daemon.core.tasks.offers import Verb, refusal

    for state in every_state():
        line = offering(task(1, **state))
        for verb in TASK_VERBS:
            refused = refusal(facts(line), Verb(verb), TERMS, NOW) is not None
            why = actions.why_not(verb, [of_task(line)], NOW)
            assert bool(why) is refused, (state, verb)
            assert "\n" not in why


@dataclass
class Operator:
    """Tries what is offered, one after the other, and begins anew each time."""

    desk: Desk
    state: dict[str, Any]
    status: dict[str, Any]

    async def anew(self) -> KeyedScreen:
        """The daemon and the dashboard as they were at first."""
        fake, desk = self.desk.fake, self.desk
        fake.tasks = [task(1, **self.state)]
        fake.says(seq=fake.status.seq + 1, **self.status)
        desk.app.pending.clear()
        await desk.heard()
        screen = desk.app.screen
        assert isinstance(screen, KeyedScreen)
        return screen

    async def try_all(self) -> set[str]:
        """Use every offer of the screen that asks the daemon; which there were."""
        tried = set()
        names = [each.binding.action for each in (await self.anew()).offers()]
        names += [] if self.desk.app.why_not("pause_now") else ["pause_now"]
        for action in names:
            if not (action.startswith("verb(") or action in (*actions.ORDERS, "retry_failed")):
                continue
            screen = await self.anew()
            owners = [each.owner for each in screen.offers() if each.binding.action == action]
            asked = len(self.desk.fake.asked("POST"))
            await self.desk.app.run_action(action, owners[0] if owners else self.desk.app)
            await self.desk.pilot.pause()
            if action == "retry_failed":
                await self.desk.sees("Retry 1 failed")
            if self.desk.app.screen is not screen:
                await self.desk.press("y")
            await until(partial(self._asked_more, asked))
            assert self.desk.fake.refusals == [], (self.state, self.status, action)
            tried.add(action)
        return tried

    def _asked_more(self, than: int) -> bool:
        return len(self.desk.fake.asked("POST")) > than


@pytest.mark.parametrize(
    "status",
    [
        {"paused": False, "draining": False},
        {"paused": True, "draining": False},
        {"paused": False, "draining": True},
        {"paused": True, "draining": True, "left": 0},
    ],
)
async def test_no_offer_of_any_state_is_refused(tmp_path: Path, status: dict[str, Any]) -> None:
    fake = at(tmp_path)
    each_kind = {tuple(offering(task(1, **state)).can): state for state in every_state()}
    states = list(each_kind.values())
    states = states if status == {"paused": False, "draining": False} else states[:1]
    async with opened(fake) as desk:
        await desk.press("v", "v", "v", "v")
        await desk.sees("─ all ─")
        for state in states:
            operator = Operator(desk, state, {**status, "counts": {state["status"]: 1}})
            tried = await operator.try_all()
            assert tried, state
    assert fake.refusals == []


async def test_what_wants_a_person_offers_its_next_step_and_to_be_seen(tmp_path: Path) -> None:
    fake = at(tmp_path)
    fake.refused = [a_refusal()]
    fake.says(alarms=alarmed())
    async with opened(fake) as desk:
        await desk.press("exclamation_mark")
        await desk.sees("[1]Attention 5")
        for _ in range(5):
            screen = desk.app.screen
            assert isinstance(screen, KeyedScreen)
            offered = {
                each.binding.action for each in screen.offers() if each.binding.action.startswith("verb")
            }
            assert offered == {f"verb('{verb}')" for verb in screen.targets[0].can}
            await desk.press("j")


async def test_help_footer_and_palette_are_one_list(tmp_path: Path) -> None:
    async with opened(at(tmp_path), (200, 50)) as desk:
        screen = desk.app.screen
        assert isinstance(screen, KeyedScreen)
        offers = screen.offers()
        palette = {command.help.removeprefix("key ") for command in commands(desk.app, offers, {})}
        assert palette == {each.shown for each in offers if each.name != "palette"}
        foot = "".join(text for text, _ in screen.foot(300))
        for each in offers:
            if each.name in ("hold", "cancel", "pause", "drain"):
                assert f"{each.keys[0]}:" in foot
        assert "r:retry " not in foot
        assert "a:rate" not in foot
        await desk.press("question_mark")
        shown = desk.text
        assert "rate again" not in shown
        assert "deliver again" not in shown


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("r", "0005 is rate: a retry is for what failed"),
        ("a", "only a task with a rating"),
        ("d", "only a task with a result"),
        ("c", "nothing in it wants a person"),
    ],
)
async def test_a_key_that_cannot_be_used_says_why_in_one_line(tmp_path: Path, key: str, words: str) -> None:
    fake = at(tmp_path)
    async with opened(fake) as desk:
        await desk.press(key)
        await desk.sees(words)
    assert fake.asked("POST") == []


async def test_orders_that_change_nothing_are_not_offered(tmp_path: Path) -> None:
    fake = at(tmp_path)
    fake.says(draining=True, left=0, counts={})
    async with opened(fake) as desk:
        screen = desk.app.screen
        assert isinstance(screen, KeyedScreen)
        names = {each.name for each in screen.offers()}
        assert "drain" not in names
        assert "retry_failed" not in names
        await desk.press("D")
        await desk.sees("the daemon drains already")
        await desk.press("R")
        await desk.sees("no task has failed")


async def test_a_request_for_marks_goes_to_those_that_can_and_says_how_many_cannot(tmp_path: Path) -> None:
    fake = at(tmp_path)
    async with opened(fake) as desk:
        await desk.press("v", "v", "v", "v")
        await desk.sees("─ all ─")
        await desk.press("space", "space", "space", "space", "r")
        await desk.sees("Retry 3 tasks?", "0002, 0003, 0004", "1 of the 4 marked cannot")
        await desk.press("y")
        await desk.asked("POST /tasks/4/retry")
        assert sorted(fake.asked("POST")) == [f"POST /tasks/{number}/retry" for number in (2, 3, 4)]
    assert fake.refusals == []


async def test_who_may_only_look_sees_no_key_that_changes_something(tmp_path: Path) -> None:
    fake = at(tmp_path)
    async with opened(fake, read_only=True) as desk:
        screen = desk.app.screen
        assert isinstance(screen, KeyedScreen)
        names = {each.name for each in screen.offers()}
        assert not names & {binding.id for binding in VERBS}
        assert not names & {"pause", "drain", "go", "retry_failed", "deadline"}
        await desk.press("enter")
        await desk.sees("read-only: opened with --read-only")
        assert "next:" not in desk.text
