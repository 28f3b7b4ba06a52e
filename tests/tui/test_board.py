"""Every key: what the daemon is asked, and what is seen then."""

import asyncio
import csv
import json
from pathlib import Path

import pytest
from textual.events import Key

from introeval_tui.widgets.panel import Panel
from introeval_tui.widgets.prompt_line import PromptLine
from tests.support.waiting import until
from tests.tui.fake_daemon import FakeDaemon, alarmed, task
from tests.tui.opened import Desk, at, opened

DATA = Path(__file__).parents[1] / "data"

pytestmark = pytest.mark.anyio


@pytest.fixture
def fake(tmp_path: Path) -> FakeDaemon:
    return at(tmp_path)


def cursor(desk: Desk) -> int | None:
    found = desk.board().chosen.current
    assert found is not None
    return found.task_id


async def test_it_opens_on_what_is_open_in_the_order_of_service(fake: FakeDaemon) -> None:
    async with opened(fake) as desk:
        await desk.sees("● live", "Tasks 26", "s005", "all by 22:43", "batch 7/10")
        assert fake.asked("GET /tasks?open=true&order=queue&offset=0&limit=250")


async def test_keys_move_the_cursor(fake: FakeDaemon) -> None:
    async with opened(fake) as desk:
        for keys, expected in (
            ("j", 6),
            ("down", 7),
            ("k", 6),
            ("G", 30),
            ("g", 5),
            ("pagedown", 17),
            ("pageup", 5),
        ):
            await desk.press(keys)
            assert cursor(desk) == expected, keys


async def test_nothing_is_asked_again_while_nothing_changes(fake: FakeDaemon) -> None:
    fake.tasks = [task(number) for number in range(1, 10)]
    async with opened(fake) as desk:
        before = len(fake.asked("GET /tasks"))
        await desk.heard()
        await desk.heard()
        assert len(fake.asked("GET /tasks")) == before
        fake.change(3, status="stt_processing", progress=0.5)
        await desk.sees("● stt", "50%")


async def test_the_filter_follows_what_is_written_and_esc_takes_it_away(fake: FakeDaemon) -> None:
    async with opened(fake) as desk:
        await desk.press("slash", *"s01")
        await desk.asked("GET /tasks?open=true&order=queue&q=s01")
        await desk.sees("Tasks 10", "/s01")
        await desk.press("enter")
        assert desk.board().query_now.text == "s01"
        await desk.press("escape")
        await desk.sees("Tasks 26")
        assert desk.board().query_now.text == ""


@pytest.mark.parametrize("ahead", range(4))
async def test_keys_that_come_at_once_are_all_the_lines(fake: FakeDaemon, ahead: int) -> None:
    async with opened(fake) as desk:
        for number in range(5):
            for place, character in enumerate("/xy2r"):
                desk.app.post_message(Key("slash" if character == "/" else character, character))
                if place >= ahead:
                    await asyncio.sleep(0)
            await until(lambda: desk.board().query_now.text)
            assert desk.board().query_now.text == "xy2r", number
            await desk.press("escape")
            await until(lambda: not desk.board().query(PromptLine))
        assert desk.board().panel == 1
        assert not fake.asked("POST")


async def test_a_filter_that_finds_nothing_says_so(fake: FakeDaemon) -> None:
    async with opened(fake) as desk:
        await desk.press("slash", *"[zz", "enter")
        await desk.sees('no open task matches "[zz"')


async def test_views_and_orders_are_the_daemons(fake: FakeDaemon) -> None:
    async with opened(fake) as desk:
        await desk.press("v", "v")
        await desk.asked("GET /tasks?status=failed&order=queue")
        await desk.sees("failed ─", "the engine gave no")
        await desk.press("v", "v")
        await desk.asked("GET /tasks?order=queue")
        await desk.sees("Tasks 30 ─ all")
        await desk.press("s")
        await desk.asked("GET /tasks?order=age")
        await desk.press("S")
        await desk.asked("GET /tasks?order=age&descending=true")
        await desk.sees("sort:age descending")


async def test_cancel_asks_first_and_no_is_the_default(fake: FakeDaemon) -> None:
    async with opened(fake) as desk:
        await desk.press("j", "j", "x")
        await desk.sees("Cancel 0007 of s007?", "78 % of its transcription is lost")
        await desk.press("enter")
        assert fake.asked("POST") == []
        await desk.press("x", "escape", "x", "n")
        assert fake.asked("POST") == []
        await desk.press("x", "y")
        await desk.asked("POST /tasks/7/cancel")
        await desk.sees("Tasks 25", "cancel 0007: sent")


async def test_the_lit_button_can_be_moved_to_yes(fake: FakeDaemon) -> None:
    async with opened(fake) as desk:
        await desk.press("x", "right", "enter")
        await desk.asked("POST /tasks/5/cancel")


async def test_what_was_asked_is_pending_until_the_daemon_shows_it(fake: FakeDaemon) -> None:
    fake.obeys = False
    async with opened(fake) as desk:
        await desk.press("j", "j", "x", "y")
        await desk.asked("POST /tasks/7/cancel")
        await desk.heard()
        await desk.sees("↻ cancel…")
        fake.obey(7, "cancel")
        await desk.sees("Tasks 25")
        assert desk.app.pending == {}


async def test_what_is_refused_is_said_and_no_longer_pending(fake: FakeDaemon) -> None:
    fake.refuse = (409, "task 5 is [rated] already")
    async with opened(fake) as desk:
        await desk.press("x", "y")
        await desk.sees("cancel 0005: task 5 is [rated] already")
        assert desk.app.pending == {}


@pytest.mark.parametrize(
    ("keys", "request_line"),
    [
        ("v,v,r", "POST /tasks/3/retry"),
        ("h", "POST /tasks/5/hold"),
        ("v,v,d", "POST /tasks/3/deliver"),
        ("v,v,v,a,y", "POST /tasks/1/rate"),
        ("P,y", "POST /pause"),
        ("D,y", "POST /drain"),
        ("N,y", "POST /go"),
        ("j,j,j,j,h", "POST /tasks/9/release"),
        ("R,y", "POST /tasks/3/retry"),
        ("4,r", "POST /tasks/3/retry"),
    ],
)
async def test_a_key_asks_the_daemon(fake: FakeDaemon, keys: str, request_line: str) -> None:
    async with opened(fake) as desk:
        for key in keys.split(","):
            await desk.press(key)
            if key == "v":
                await desk.heard()
            if key == "R":
                await desk.sees("Retry 1 failed tasks?")
        assert await desk.asked("POST") == request_line


async def test_pause_becomes_resume(fake: FakeDaemon) -> None:
    async with opened(fake) as desk:
        await desk.press("P", "y")
        await desk.sees("PAUSED")
        await desk.press("P")
        await desk.sees("Resume?")
        await desk.press("y")
        await desk.sees(" RUN ")
        await desk.press("D", "y")
        await desk.sees("DRAINING 26 left")


async def test_marked_tasks_are_dealt_with_together(fake: FakeDaemon) -> None:
    async with opened(fake) as desk:
        await desk.press("space", "space", "space")
        await desk.sees("3 marked")
        await desk.press("h")
        await desk.sees("Hold 3 tasks?", "0005, 0006, 0007")
        await desk.press("y")
        await desk.asked("POST /tasks/7/hold")
        assert len(fake.asked("POST")) == 3
        await desk.press("escape")
        assert desk.board().chosen.marks == {}


async def test_a_deadline_is_written_as_a_time(fake: FakeDaemon) -> None:
    async with opened(fake) as desk:
        await desk.press("C", *"soon", "enter")
        await desk.sees("write a time such as 10:45")
        await desk.press("C", *"10:45", "enter")
        await desk.asked("POST /deadline")
        assert (
            json.loads(fake.bodies[-1 - fake.requests[::-1].index("POST /deadline")])["at"][10:16] == "T10:45"
        )


async def test_the_detail_shows_the_task_from_all_sides(fake: FakeDaemon) -> None:
    async with opened(fake) as desk:
        await desk.press("v", "v", "v")
        await desk.sees("✓ evaluated")
        await desk.press("enter")
        await desk.sees("0001", "stt 14s (4.3x)", "transcribed", "receipt", "ungrounded")
        for keys, words in {
            "2": "task 1: transcribing",
            "right_square_bracket": "build bridges",
            "4": "climbing",
            "5": "overall rating",
            "6": '"schema_version": 2',
            "7": "attempt 1",
            "left_square_bracket": '"schema_version": 2',
        }.items():
            await desk.press(keys)
            await desk.sees(words)
        await desk.press("escape")
        await desk.sees("Tasks 2 ─ done")


async def test_a_transcript_is_shown_before_its_rating(fake: FakeDaemon) -> None:
    async with opened(fake) as desk:
        await desk.press("j", "j", "j", "enter", "3")
        await desk.sees("0008", "◇ wait-eval", "I like climbing and chess")
        await desk.press("4")
        await desk.sees("no form yet")
        await desk.press("escape", "k", "enter", "3")
        await desk.sees("0007", "not transcribed yet")


async def test_the_log_follows_wraps_and_hides_its_times(fake: FakeDaemon) -> None:
    async with opened(fake) as desk:
        await desk.press("l")
        await desk.sees("error: the answer was no JSON", "follow on")
        assert "x" * 100 not in desk.text.replace("\n", "").replace(" ", "")
        await desk.press("w")
        assert desk.text.count("x" * 60) >= 4
        await desk.press("f")
        await desk.sees("follow off")
        before = desk.text
        await desk.press("t")
        assert desk.text != before
        assert "source=daemon&lines=2000&task_id=5" in await desk.asked("GET /logs")
        await desk.press("s")
        await desk.sees("stt log")
        await desk.asked("GET /logs?source=stt&lines=2000")


async def test_actions_work_in_the_detail_too(fake: FakeDaemon) -> None:
    async with opened(fake) as desk:
        await desk.press("enter")
        await desk.sees("0005")
        await desk.press("h")
        await desk.asked("POST /tasks/5/hold")
        await desk.sees("‖ held")
        await desk.press("x", "y")
        await desk.asked("POST /tasks/5/cancel")
        await desk.sees("⊘ cancelled")


async def test_panels_fill_a_small_screen_and_stand_beside_the_table_on_a_wide_one(fake: FakeDaemon) -> None:
    async with opened(fake) as desk:
        for key, words in {
            "2": "[2]GPU",
            "3": "mistral-container",
            "4": "gave no answer",
            "5": "resumed",
        }.items():
            await desk.press(key)
            await desk.sees(words)
            assert "[1]Tasks" not in desk.text
        await desk.press("escape")
        await desk.sees("[1]Tasks")
        await desk.pilot.resize_terminal(120, 40)
        await desk.sees("[1]Tasks", "[2]GPU", "[3]Engines", "[4]Attention", "[5]Events")
        await desk.pilot.resize_terminal(200, 50)
        await desk.sees("─Task ─", "─Phases", "sha256")


async def test_a_panel_that_is_asked_for_twice_fills_a_wide_screen(fake: FakeDaemon) -> None:
    async with opened(fake, (120, 40)) as desk:
        await desk.press("2")
        await desk.sees("[1]Tasks", "[2]GPU")
        await desk.press("2")
        await desk.pilot.pause()
        await desk.sees("freed 7.5 foreign 0.1 needed 6.8G")
        assert "[1]Tasks" not in desk.text


async def test_a_failure_is_opened_from_its_panel(fake: FakeDaemon) -> None:
    async with opened(fake, (120, 40)) as desk:
        await desk.press("4", "enter")
        await desk.sees("why: the engine gave no answer")


@pytest.mark.parametrize("size", [(59, 30), (120, 14), (30, 8), (1, 1)])
async def test_a_terminal_that_is_too_small_says_so(fake: FakeDaemon, size: tuple[int, int]) -> None:
    async with opened(fake) as desk:
        await desk.pilot.resize_terminal(*size)
        await desk.pilot.pause()
        assert desk.board().query_one("Panel.small", Panel).shown
        assert not desk.board().query_one("Panel.tasks", Panel).shown
        if size[0] >= 30:
            await desk.sees("too small")
        await desk.pilot.resize_terminal(80, 24)
        await desk.sees("[1]Tasks")


async def test_help_shows_the_keys_that_work_now(fake: FakeDaemon) -> None:
    async with opened(fake, (100, 50)) as desk:
        await desk.press("question_mark")
        await desk.sees("retry failed", "export as CSV and JSON", "the whole daemon")
        await desk.press("escape", "enter", "f1")
        await desk.sees("tab: Transcript")
        assert "export" not in desk.text


async def test_the_palette_runs_every_action_by_its_name(fake: FakeDaemon) -> None:
    async with opened(fake) as desk:
        await desk.press("colon")
        await desk.pilot.pause(0.2)
        await desk.press(*"pause now")
        await desk.pilot.pause(0.5)
        await desk.press("enter")
        await desk.sees("Pause now?", "The attempts of 1 running tasks are lost")
        await desk.press("y")
        await desk.asked("POST /pause?now=true")


async def test_freezing_keeps_the_picture_and_not_the_work(fake: FakeDaemon) -> None:
    async with opened(fake) as desk:
        await desk.press("z")
        await desk.sees("‖ frozen")
        fake.change(11, status="stt_processing", progress=0.31)
        await desk.heard()
        assert "31%" not in desk.text
        await desk.press("z")
        await desk.sees("31%", "● live")


async def test_the_pace_of_refreshing_can_be_changed(fake: FakeDaemon) -> None:
    async with opened(fake, refresh_s=1.0) as desk:
        await desk.press("minus")
        await desk.sees("refresh every 2 s")
        await desk.press("plus", "plus")
        await desk.sees("refresh every 0.5 s")
        assert desk.app._poller is not None
        assert desk.app._poller.refresh_s == 0.5


async def test_an_id_is_copied(fake: FakeDaemon) -> None:
    async with opened(fake) as desk:
        await desk.press("j", "y")
        assert desk.app.clipboard == "6"


async def test_the_list_is_exported_as_csv_and_json(
    fake: FakeDaemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fake.tasks[10] = task(11, filename='=HYPERLINK("x")')
    fake.tasks += [task(number) for number in range(31, 700)]
    async with opened(fake) as desk:
        await desk.press("E")
        await desk.sees("695 tasks are in introeval-")
    csv_file, json_file = sorted(tmp_path.glob("introeval-*"))
    assert len(json.loads(json_file.read_text())) == 695
    lines = csv_file.read_text().splitlines()
    assert lines[0].startswith("id,student,filename")
    assert len(lines) == 696
    assert "\"'=HYPERLINK(" in csv_file.read_text()
    assert sorted(path.suffix for path in tmp_path.glob("*introeval*")) == [".csv", ".json"]


@pytest.mark.parametrize(
    ("name", "written"),
    [(" =1+1", "' =1+1"), ("\uff1d1+1", "'\uff1d1+1"), ("a;=1+1", "a;'=1+1"), ("a\n=1+1", "a\n'=1+1")],
)
async def test_no_part_of_an_exported_text_is_a_formula(
    fake: FakeDaemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, written: str
) -> None:
    monkeypatch.chdir(tmp_path)
    fake.tasks = [task(11, filename=name)]
    async with opened(fake) as desk:
        await desk.press("E")
        await desk.sees("1 tasks are in introeval-")
    with next(tmp_path.glob("*.csv")).open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert row["filename"] == written


async def test_an_export_has_what_the_result_says_of_the_student(
    fake: FakeDaemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fake.change(1, rating=8)
    fake.change(2, rating=None)
    async with opened(fake) as desk:
        await desk.press("v", "v", "v")
        await desk.sees("─ done ─", "8/10")
        await desk.press("E")
        await desk.sees("tasks are in introeval-")
    csv_file, json_file = sorted(tmp_path.glob("introeval-*"))
    with csv_file.open(newline="") as file:
        rated, other = csv.DictReader(file)
    assert (rated["rating"], rated["name"], rated["content_quality"]) == ("8", "Ana", "8")
    assert rated["feedback"].startswith("A clear and friendly introduction.")
    assert rated["suggestions"] == "Name one project. Pause less."
    assert (rated["expected_overall_rating"], rated["expected_clarity_of_speech"]) == ("7.8", "6.6")
    assert (other["name"], other["feedback"], other["expected_overall_rating"]) == ("", "", "")
    assert json.loads(json_file.read_text())[0]["confidence_level"] == 9


async def test_an_export_of_a_result_of_version_1_has_its_integers_and_no_expected_scores(
    fake: FakeDaemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fake.change(1, rating=7)
    fake.results[1] = [json.loads((DATA / "result.v1.json").read_text())]
    async with opened(fake) as desk:
        await desk.press("v", "v", "v")
        await desk.sees("─ done ─", "7/10")
        await desk.press("enter", "5")
        await desk.sees("overall rating      ███████░░░ 7/10", '"I like chess" at 0:00.0')
        await desk.press("4")
        await desk.sees("hobbies             chess")
        await desk.press("escape", "E")
        await desk.sees("tasks are in introeval-")
    csv_file, _ = sorted(tmp_path.glob("introeval-*"))
    with csv_file.open(newline="") as file:
        old = next(iter(csv.DictReader(file)))
    assert (old["content_quality"], old["expected_content_quality"]) == ("6", "")


async def test_alarms_say_who_is_affected_and_what_to_do(fake: FakeDaemon) -> None:
    async with opened(fake) as desk:
        shown = desk.board().query_one("Panel.alarms", Panel)
        assert not shown.shown
        fake.says(alarms=alarmed())
        await desk.sees("! the outbox /srv/introeval/outbox is full", "100s", "affects: 4 results")
        await desk.sees("fix: free some space", "+1 more: ! shows all")
        assert shown.size.height == 3
        fake.says(alarms=[])
        await desk.heard()
        assert "outbox is full" not in desk.text
        assert not shown.shown


async def test_a_list_of_thousands_is_fetched_a_page_at_a_time(fake: FakeDaemon) -> None:
    fake.tasks = [task(number) for number in range(1, 5001)]
    async with opened(fake) as desk:
        await desk.press("G")
        await desk.sees("s5000")
        assert await desk.asked("GET /tasks?open=true&order=queue&offset=4")
        await desk.press("k", "k")
        assert cursor(desk) == 4998
        assert len(fake.asked("GET /tasks?open=true")) <= 4


async def test_read_only_changes_nothing(fake: FakeDaemon) -> None:
    async with opened(fake, read_only=True) as desk:
        await desk.press("x", "h", "P", "R")
        await desk.sees("read-only: opened with --read-only")
        assert fake.asked("POST") == []


async def test_one_who_may_not_change_things_is_told_so(fake: FakeDaemon) -> None:
    fake.says(may_change=False)
    async with opened(fake) as desk:
        await desk.press("x")
        await desk.sees("the operators' group", "read-only")
        assert fake.asked("POST") == []


async def test_the_mouse_selects_and_opens(fake: FakeDaemon) -> None:
    async with opened(fake) as desk:
        await desk.pilot.click("Panel.tasks", offset=(10, 4))
        assert cursor(desk) == 7
        await desk.pilot.click("Panel.tasks", offset=(10, 4), times=2)
        await desk.sees("intro-7.mp4")


async def test_keys_can_be_changed(fake: FakeDaemon) -> None:
    async with opened(fake, keys={"hold": "b"}) as desk:
        await desk.press("b")
        await desk.asked("POST /tasks/5/hold")


async def test_ascii_signs_alone_are_drawn_where_nothing_else_can_be(fake: FakeDaemon) -> None:
    fake.tasks[4] = task(5, student="漢字")
    async with opened(fake, (120, 40), ascii_only=True) as desk:
        await desk.sees("漢字")  # what is known keeps its letters
        drawn = [desk.board().query_one("Panel.tasks", Panel).render_line(y).text for y in range(12)]
        assert all(line.isascii() for line in drawn)
        assert "????" in "".join(drawn)
        assert "# extract" in "".join(drawn)


async def test_any_number_may_look_at_one_daemon(fake: FakeDaemon) -> None:
    async with opened(fake) as first, opened(fake, start=False) as second:
        fake.change(11, status="stt_processing", progress=0.12)
        await second.sees("12%")
        await first.sees("12%")
