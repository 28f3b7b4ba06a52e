"""What is drawn, as rows: every figure of every size, and texts that are attacks."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from daemon.contracts.wire.attention import AttentionLine, AttentionPage
from daemon.contracts.wire.base import EventLine, LogLine
from daemon.contracts.wire.states import STATES
from daemon.contracts.wire.status import Clock, EngineReport, GpuState, Inbox, Switching
from daemon.contracts.wire.tasks import HistoryLine, TaskLine, TaskPage
from daemon.core.timestamps import to_iso
from introeval_tui import actions
from introeval_tui.rows import (
    answer_rows,
    attention,
    class_clock,
    detail_rows,
    empty_states,
    gpu,
    header,
    panels,
    table,
    words,
)
from introeval_tui.rows.cells import Row
from introeval_tui.rows.selection import Selection
from introeval_tui.rows.state import Link, ListView, Query, Scene, Snapshot
from introeval_tui.rows.target import Listing, of_attention, of_tasks
from tests.tui.fake_daemon import (
    NOW,
    a_class,
    a_detail,
    a_history,
    a_refusal,
    a_result,
    a_status,
    alarmed,
    attention_of,
    some_events,
    some_nodes,
    task,
)

HOSTILE = [
    "[red]bold[/red]",
    "[/",
    "\x1b[2J\x1b]52;c;YQ==\x07",
    "\u202egnp.exe\u202c",
    "漢字漢字漢字漢字漢字",
    "e" + "\u0301" * 500,
    "👩‍👩‍👧‍👦" * 20,
    "x" * 10_000,
    "\u200b\ufeff\u2066",
    "a\r\nb\tc",
    "\ud800",
]
ANY = st.text(max_size=60) | st.sampled_from(HOSTILE)


KEYS = {"retry": "r", "rate": "a", "hold": "h", "cancel": "x", "deliver": "d", "acknowledge": "c"}


def listed(tasks: list[TaskLine], offset: int = 0, total: int | None = None) -> Listing:
    """A loaded page."""
    page = TaskPage(total=len(tasks) if total is None else total, tasks=tasks)
    return of_tasks(page, offset)


def wanting() -> list[AttentionLine]:
    """What wants a person: tasks and a refused file."""
    return [a_refusal(), *(line for line in map(attention_of, a_class()) if line is not None)]


def a_scene(**changes: Any) -> Scene:
    known = Snapshot(
        link=Link.UP,
        at=1000.0,
        status=a_status(**changes),
        page=listed(a_class()),
        gpu=a_history(),
        urgent=of_attention(AttentionPage(total=3, counts={"failed": 1}, lines=wanting())),
        events=tuple(some_events()),
    )
    return Scene(known, NOW, 1000.0, "/run/x.sock")


def said(rows: list[Row]) -> str:
    return "\n".join("".join(text for text, _ in pieces) for pieces in rows)


def widths(rows: list[Row]) -> set[int]:
    return {sum(cell_len(text) for text, _ in pieces) for pieces in rows}


def everything(scene: Scene, width: int) -> list[Row]:
    """Every row of every panel."""
    known = scene.known
    page = known.page
    assert page is not None
    rows = header.top_rows(scene, width) + header.wide_rows(scene, width) + panels.alarm_rows(scene, width, 9)
    rows += [table.title_row(page, Query(text="\x1b" * 99), 3, width, focused=True)]
    marks = {"task:5", "refused:1"}
    rows += table.table_rows(
        page, scene, width, 40, first=0, cursor=1, marks=marks, pending={"task:7": "cancel"}
    )
    assert known.urgent is not None
    rows += attention.list_rows(known.urgent, KEYS, scene, width, 40, first=0, cursor=1, marks=marks)
    for item in known.urgent.items:
        rows += attention.full_rows(item, KEYS, scene, width)
    for view in ListView:
        rows += empty_states.empty_rows(scene, Query(view=view), width)
    for height in (3, 6, 12, 30):
        rows += gpu.gpu_rows(scene, width, height)
    rows += panels.engine_rows(scene, width)
    rows += panels.event_rows(known.events, width) + gpu.phase_rows(scene, width)
    for line in a_class():
        detail = a_detail(line)
        rows += detail_rows.head_rows(line, detail, scene, width, KEYS)
        rows += detail_rows.overview_rows(detail, [], scene, width)
        rows += detail_rows.try_rows(detail, scene, width)
    return rows


@pytest.mark.parametrize("width", [60, 76, 80, 98, 120, 200])
def test_every_row_fills_its_width(width: int) -> None:
    assert widths(everything(a_scene(alarms=alarmed()), width)) == {width}


@settings(max_examples=60, deadline=None)
@given(ANY, ANY, st.sampled_from([60, 80, 98]))
def test_what_a_student_writes_changes_nothing_but_its_own_cell(name: str, text: str, width: int) -> None:
    scene = a_scene()
    line = task(
        7, student=name, filename=text, error_code=name, error_message=text, status="failed", outcome="failed"
    )
    listing = listed([line])
    shown = table.table_rows(listing, scene, width, 3, first=0, cursor=0)
    plain = table.table_rows(
        listed([task(7, status="failed", outcome="failed")]), scene, width, 3, first=0, cursor=0
    )
    assert [cell_len(piece) for piece, _ in shown[1]] == [cell_len(piece) for piece, _ in plain[1]]
    result = a_result(line)
    result["transcript"]["segments"][0]["text"] = text
    result["profile"]["name"] = name
    result["evaluation"]["feedback"] = text
    rows = [
        *shown,
        *detail_rows.head_rows(line, a_detail(line), scene, width, KEYS),
        *detail_rows.transcript_rows(result, width),
        *answer_rows.form_rows(result, width),
        *answer_rows.rating_rows(result, width),
        *detail_rows.json_rows([result], width),
        *detail_rows.log_rows([LogLine(at=None, source="stt", text=text)], width, wrapped=True, times=True),
    ]
    assert widths(rows) == {width}
    assert not set(said(rows)) & set("\x1b\u202e\u202c\u200b\ufeff\x07\r\t")


def test_the_class_clock_says_when_and_how_much_is_to_spare() -> None:
    assert "class 12 of 30, all by 22:43" in said(header.top_rows(a_scene(), 80))
    assert "2.1 min to spare" in said(header.top_rows(a_scene(), 80))


def test_a_deadline_at_risk_is_red_and_says_why() -> None:
    clock = Clock(
        done=2,
        total=30,
        expected_at=to_iso(NOW + 60),
        deadline=to_iso(NOW),
        spare_s=-60.0,
        state="late",
        cause="LLaMA 3 is down",
    )
    pieces = class_clock.class_clock(clock, a_scene())
    assert "1.0 min late" in pieces[0][0]
    assert "LLaMA 3 is down" in pieces[0][0]
    assert pieces[0][1] == "bold red"


@pytest.mark.parametrize(
    ("changes", "mode"),
    [
        ({}, "RUN"),
        ({"paused": True}, "PAUSED"),
        ({"draining": True, "left": 4}, "DRAINING 4 left"),
        ({"left": 0, "group": []}, "IDLE"),
        (
            {"switching": Switching(to=["extract", "rate"], since=to_iso(NOW - 6), usual_s=12.0)},
            "SWITCHING to EVAL 6s of ~12s",
        ),
    ],
)
def test_the_title_says_in_which_mode_the_daemon_is(changes: dict[str, Any], mode: str) -> None:
    assert mode in said(header.top_rows(a_scene(**changes), 80)[:1])


def test_a_gpu_that_is_not_there_keeps_its_row() -> None:
    absent = gpu.gpu_line(GpuState(absent="NVML: driver not loaded"), 80)
    assert "not found (NVML: driver not loaded)" in said([absent])
    lost = gpu.gpu_line(GpuState(absent="GPU is lost", lost=True), 80)
    assert ("LOST: GPU is lost", "bold red") in [(text.strip(), style) for text, style in lost]
    assert "N/A" in said([gpu.gpu_line(GpuState(name="x"), 80)])


def test_a_gpu_with_full_memory_is_red() -> None:
    pieces = gpu.gpu_memory(GpuState(used_mb=8100, total_mb=8192), 9)
    assert pieces[0][0].startswith("VRAM!")
    assert pieces[0][1] == "bold red"


def test_old_figures_lose_their_colours_and_their_estimates() -> None:
    scene = a_scene()
    old = Scene(scene.known, NOW, scene.monotonic + 4, scene.socket)
    assert "◐ stale 4s" in said(header.top_rows(old, 80))
    assert {style for pieces in header.top_rows(old, 80)[1:] for _, style in pieces} == {"dim"}
    listing = listed(a_class())
    assert "~5m" in said(table.table_rows(listing, scene, 80, 9, first=0, cursor=-1))
    assert "~5m" not in said(table.table_rows(listing, old, 80, 9, first=0, cursor=-1))


def test_the_phases_are_marked_under_the_history_of_the_gpu() -> None:
    rows = gpu.gpu_rows(a_scene(), 43, 11)
    assert "EVAL" in said(rows)
    assert "STT" in said(rows)
    assert "10 tasks switch 11.4s" in said(gpu.gpu_rows(a_scene(), 78, 16))


def test_the_history_stands_still_until_a_span_is_over() -> None:
    history = a_history()
    assert gpu.buckets(history, NOW, 30) == gpu.buckets(history, NOW + 4, 30)
    assert gpu.buckets(None, NOW, 10) == [None] * 10


def test_an_empty_inbox_says_where_it_waits() -> None:
    scene = a_scene(left=0, group=[], counts={}, clock=None, batch=None)
    assert "waiting for videos in /srv/introeval/inbox" in said(header.top_rows(scene, 80))
    assert "Waiting for videos in /srv" in said(empty_states.empty_rows(scene, Query(), 80))
    assert 'no open task matches "ana"' in said(empty_states.empty_rows(scene, Query(text="ana"), 80))
    assert "no task has failed" in said(empty_states.empty_rows(scene, Query(view=ListView.FAILED), 80))
    gone = a_scene(left=0, group=[], inbox=Inbox(path="/srv/inbox", waiting=0, available=False))
    assert "is not available" in said(header.top_rows(gone, 80))


def test_more_alarms_than_fit_are_counted() -> None:
    rows = panels.alarm_rows(a_scene(alarms=alarmed() * 3), 80, 3)
    assert len(rows) == 3
    assert "+5 more: ! shows all" in said(rows)


def test_a_socket_that_nobody_may_open_says_which_group_to_join() -> None:
    known = Snapshot(
        link=Link.DOWN, reason="permission denied", fix="join its group: sudo usermod -aG lab ana"
    )
    rows = empty_states.never_rows(Scene(known, NOW, 0.0, "/run/introeval/x.sock"), 80, 20)
    for part in ("/run/introeval/x.sock", "permission denied", "usermod -aG lab"):
        assert part in said(rows)


def test_an_answer_that_says_the_same_is_no_news() -> None:
    before, same = a_scene().known, a_scene().known
    assert same.page is not before.page
    assert not same.news(before)
    assert replace(same, page=listed(a_class()[1:])).news(before)
    assert replace(same, gpu=None).news(before)


def test_the_cursor_stays_with_its_task_when_the_list_changes() -> None:
    chosen = Selection(height=5)
    tasks = a_class()
    chosen.take(listed(tasks))
    chosen.move(6)
    assert chosen.current is not None
    followed = chosen.current.key
    chosen.take(listed(tasks[3:]))
    assert chosen.current is not None
    assert chosen.current.key == followed
    chosen.take(Listing())
    assert chosen.targets == []


@given(
    st.lists(
        st.sampled_from(["down", "up", "page", "end", "top", "mark", "grow", "shrink", "away"]), max_size=30
    )
)
def test_the_cursor_is_always_on_the_list_and_in_sight(moves: list[str]) -> None:
    chosen = Selection(height=4)
    total = 12
    tasks = [task(number) for number in range(1, 40)]
    chosen.take(listed(tasks[:total]))
    for move in moves:
        match move:
            case "down" | "up":
                chosen.move(1 if move == "down" else -1)
            case "page" | "end" | "top":
                chosen.move({"page": 4, "end": 999, "top": -999}[move])
            case "mark":
                chosen.mark()
            case "grow":
                chosen.height += 1
                chosen.move(0)
            case "shrink":
                chosen.height = max(1, chosen.height - 1)
                chosen.move(0)
            case _:
                total = max(0, total - 5)
                chosen.take(listed(tasks[:total]))
        assert 0 <= chosen.cursor < max(1, total)
        assert chosen.first <= chosen.cursor < chosen.first + chosen.height


def test_a_page_is_asked_for_only_when_it_is_not_here() -> None:
    chosen = Selection(height=10)
    chosen.take(listed([task(number) for number in range(1, 501)], 0, 5000))
    assert chosen.wanted(500) is None
    chosen.go(495)
    assert chosen.wanted(500) is None
    chosen.go(500)
    assert chosen.wanted(500) == 250
    chosen.go(4999)
    assert 4500 <= (chosen.wanted(500) or 0) <= 4990


@pytest.mark.parametrize(
    ("verb", "words"),
    [("cancel", ["Cancel 0007 of s007?", "78 % of its transcription is lost"]), ("rate", ["new revision"])],
)
def test_a_question_names_what_is_lost(verb: str, words: list[str]) -> None:
    lines = "\n".join(actions.question(verb, listed([a_class()[6]]).items))
    assert all(word in lines for word in words)


def test_a_question_about_many_names_their_number() -> None:
    items = listed(a_class()).items
    lines = actions.question("cancel", items)
    assert lines[0] == "Cancel 30 tasks?"
    assert "The work of 3 running stages is lost." in lines
    assert actions.must_ask("hold", items)
    assert not actions.must_ask("hold", items[:1])


@pytest.mark.parametrize(
    ("changes", "words", "style"),
    [
        ({"state": "running", "deadline": None, "spare_s": None}, "all by 22:43   ", "bold"),
        ({"guess": True}, "all by ~22:43 (first guess), deadline 22:45 (2.1 min to spare)", "bold green"),
        (
            {"state": "at_risk", "spare_s": 30.0, "cause": "slow"},
            "AT RISK (0.5 min to spare: slow)",
            "bold yellow",
        ),
        ({"state": "late", "spare_s": -60.0, "cause": "slow"}, "22:45 (1.0 min late: slow)", "bold red"),
        ({"state": "missed", "deadline": to_iso(NOW - 120)}, "deadline 22:11 MISSED 2 min ago", "bold red"),
        (
            {"state": "paused", "expected_at": None, "spare_s": None},
            "paused: no forecast, deadline 22:45",
            "",
        ),
        ({"state": "on_time", "expected_at": None}, "class 12 of 30, deadline 22:45", "bold green"),
    ],
)
def test_the_class_clock_of_every_state_names_the_deadline(
    changes: dict[str, Any], words: str, style: str
) -> None:
    scene = a_scene()
    assert scene.known.status is not None
    clock = scene.known.status.clock
    assert clock is not None
    pieces = class_clock.class_clock(clock.model_copy(update=changes), scene)
    assert words in pieces[0][0]
    assert pieces[0][1] == style


def test_the_end_of_a_class_names_the_outcomes_and_the_outbox() -> None:
    outcomes = {"evaluated": 24, "needs_review": 3, "unscorable": 1, "failed": 2, "cancelled": 0}
    end = Clock(done=30, total=30, state="done", deadline=to_iso(NOW + 60), outcomes=outcomes)
    for rows in (header.top_rows(a_scene(clock=end), 80), header.wide_rows(a_scene(clock=end), 120)):
        text = said(rows)
        assert "30 of 30 done: 24 evaluated, 3 need review, 1 unscorable, 2 failed" in text
        assert "RESULTS in /srv/introeval/outbox" in text
        assert "deadline 22:14" in text


def test_what_is_no_success_is_not_green() -> None:
    ended = {"stage": None, "eta": None, "status": "completed"}
    for outcome in ("needs_review", "unscorable"):
        line = task(1, outcome=outcome, **ended)
        row = table.table_rows(listed([line]), a_scene(), 80, 3, first=0, cursor=-1)[1]
        detail = detail_rows.head_rows(line, a_detail(line), a_scene(), 80, KEYS)
        assert not [piece for pieces in (row, *detail[:1]) for piece in pieces if "green" in piece[1]]
    shown = header.top_rows(a_scene(refused=2), 80)
    counts = {text.strip(): style for text, style in shown[4]}
    assert counts["done 118"] == "bold"
    assert counts["refused 2"] == "bold red"


def test_the_bar_of_eval_is_of_what_was_rated() -> None:
    ended = {"evaluated": 5, "needs_review": 1, "failed": 3, "cancelled": 2, "unscorable": 1}
    assert " 6/24 rated" in said(header.top_rows(a_scene(clock=Clock(done=12, total=30, outcomes=ended)), 80))
    gone = Clock(done=2, total=2, outcomes={"cancelled": 2})
    assert " 0/0 nothing to rate" in said(header.top_rows(a_scene(clock=gone), 80))


def test_what_waits_for_eval_has_a_sign_of_its_own_and_what_is_held_no_expected_time() -> None:
    looks = {words.look(task(1, status=status), NOW).sign for status in ("stt_complete", "mistral_complete")}
    assert looks == {"◇"}
    assert "~" not in said(
        table.table_rows(listed([task(1, held=True)]), a_scene(), 80, 3, first=0, cursor=-1)
    )
    paused = a_scene(paused=True)
    assert "~" not in said(table.table_rows(listed([task(1)]), paused, 80, 3, first=0, cursor=-1))
    assert "switch in" not in said(header.top_rows(paused, 80))


def test_each_of_several_nodes_is_told_and_one_alone_is_not() -> None:
    scene = a_scene(nodes=some_nodes())
    shown = said(panels.engine_rows(scene, 43))
    for expected in ("local", "STT", "1 run 12 done 6.9G", "↻ EVAL", "draining", "away: it said nothing"):
        assert expected in shown
    assert "half of it runs" in shown
    assert "mistral-container" not in shown, "there is room for problems alone"
    assert "mistral-container" in said(panels.engine_rows(scene, 100))
    line = said([header.top_rows(scene, 80)[5]])
    assert line.startswith(" local ● STT 1   lab2 ● ↻ EVAL   lab3 ‖ draining   lab4 ○ away")
    many = some_nodes() * 3
    line = said([header.top_rows(a_scene(nodes=many), 80)[5]])
    assert line.startswith(" 12 nodes, 9 run:  ● 6 works  ‖ 3 draining  ○ 3 away")
    assert " 9/30 " in said([header.top_rows(scene, 80)[1]]), "of the class, since each has its own batch"
    for width in (40, 43, 80, 120):
        assert widths(panels.engine_rows(scene, width)) == {width}
        assert widths(header.top_rows(scene, width)) == {width}
    alone = a_scene(nodes=some_nodes()[:1])
    assert panels.engine_rows(alone, 43) == panels.engine_rows(a_scene(), 43)


def test_a_model_is_named_once() -> None:
    engine = EngineReport(stage="stt", name="demo_model", state="ready", model="demo_model")
    assert said(panels.engine_rows(a_scene(engines=[engine]), 80)).count("demo_model") == 1
    assert said(header.top_rows(a_scene(engines=[engine]), 80)[1:2]).count("demo_model") == 1


def test_events_name_who_gave_the_order_and_say_when_an_alarm_is_over() -> None:
    events = [
        EventLine(id=1, at=to_iso(NOW), kind="order", message="paused", actor="ana"),
        EventLine(id=2, at=to_iso(NOW), kind="cleared", message="the outbox is full"),
    ]
    rows = panels.event_rows(events, 80)
    assert "paused by ana" in said(rows)
    assert "cleared: the outbox is full" in said(rows)


def test_an_alarm_that_was_seen_is_dim_and_comes_last() -> None:
    first, second = alarmed()
    seen = first.model_copy(update={"acknowledged": True})
    rows = panels.alarm_rows(a_scene(alarms=[seen, second]), 80, 6)
    assert "the GPU is not free" in said(rows[:1])
    assert "the outbox" in said(rows[-1:])
    assert {style for _, style in rows[-1]} <= {"dim", ""}


def test_the_rating_of_a_demonstration_is_marked_and_not_bright() -> None:
    line = task(1, status="completed", outcome="evaluated", demo=True, delivered_at=to_iso(NOW))
    result = a_result(line)
    rows = answer_rows.rating_rows(result, 80, demo=True)
    assert "DEMO  no grade" in said(rows[:1])
    assert not {style for pieces in rows for _, style in pieces} & {"cyan"}
    assert "DEMO" in said(table.table_rows(listed([line]), a_scene(), 80, 3, first=0, cursor=-1))
    assert "DEMO" in said(detail_rows.head_rows(line, a_detail(line), a_scene(), 80, KEYS)[:1])
    assert "DEMO" in said(header.top_rows(a_scene(demo=True), 80)[:1])


def test_a_rater_that_its_card_keeps_from_grades_is_marked_beside_the_demonstration() -> None:
    line = task(1, status="completed", outcome="evaluated", flag_codes=["not_for_grades"])
    assert "NO GRADE, see" in said(table.table_rows(listed([line]), a_scene(), 80, 3, first=0, cursor=-1))
    assert "NO GRADE" in said(detail_rows.head_rows(line, a_detail(line), a_scene(), 80, KEYS)[:1])
    assert "NO GRADES" in said(header.top_rows(a_scene(not_for_grades=True), 80)[:1])


def test_the_calibration_in_use_stands_in_the_title_where_there_is_room() -> None:
    assert "calibration 3" not in said(header.top_rows(a_scene(), 120)[:1])
    assert "calibration 3" in said(header.top_rows(a_scene(calibration=3), 120)[:1])
    (narrow,) = header.top_rows(a_scene(calibration=3, demo=True, not_for_grades=True), 80)[:1]
    assert sum(len(text) for text, _ in narrow) == 80
    assert "calibration" not in said([narrow])


def test_each_score_has_its_figure_its_quote_and_what_makes_it_unsure() -> None:
    result = a_result(task(1, status="completed", outcome="evaluated"))
    scores = result["evaluation"]["scores"]
    scores["content_quality"] |= {"source": "person", "model_score": 3, "interval": [6.1, 8.5]}
    scores["confidence_level"] |= {"spread": None, "quote": None}
    result["flags"] = [{"code": "unsure_score", "field": "overall_rating", "detail": "only 31% was a level"}]
    shown = [said([pieces]).rstrip() for pieces in answer_rows.rating_rows(result, 80)]
    quote = f'{"":21}"I want to build bridges" at 0:40.0'
    assert shown[:9] == [
        " overall rating      ████████░░ 8/10   expected 7.8, spread 0.7",
        quote,
        f"{'':21}unsure score: only 31% was a level",
        " clarity of speech   ███████░░░ 7/10   expected 6.6, spread 0.7",
        quote,
        " content quality     ████████░░ 8/10   expected 8.2, spread 0.7",
        quote,
        f"{'':21}in 90% of the cases people give 6.1 to 8.5",
        f"{'':21}set by a person; the model's own: 3/10",
    ]
    assert shown[9] == " confidence level    █████████░ 9/10   expected 9.0"
    assert "evidence" not in "".join(shown)


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_each_value_of_the_form_has_the_time_at_which_it_was_said(width: int) -> None:
    result = a_result(task(1, status="completed", outcome="evaluated"))
    result["profile"]["hobbies"][0] = "a very long hobby of which much is said " * 4
    rows = answer_rows.form_rows(result, width)
    shown = [said([pieces]).rstrip() for pieces in rows]
    assert shown[0] == " name                Ana  at 0:00.0"
    assert shown[1] == " age                 19", "it was not found"
    assert sum(each.endswith("  at 0:02.5") for each in shown) == 3
    assert widths(rows) == {width}
    assert shown[-5:][0] == " speaking"


def test_the_attempts_of_each_stage_are_counted_by_themselves() -> None:
    line = task(1, status="completed", outcome="evaluated", stage=None)
    steps = [
        ("started", "stt", 1),
        ("transcribed", "stt", 1),
        ("started", "extract", 2),
        ("started", "rate", 3),
        ("rated", "rate", 3),
        ("retried", None, 0),
        ("started", "rate", 1),
    ]
    history = [
        HistoryLine(
            at=to_iso(NOW), event=event, from_status=None, to_status="completed", stage=stage,
            attempt=attempt, seconds=None, detail={}, actor="ana" if event == "retried" else None,
        )
        for event, stage, attempt in steps
    ]  # fmt: skip
    detail = a_detail(line).model_copy(update={"history": history})
    shown = said(detail_rows.history_rows(detail, a_scene(), 100))
    assert "attempt 2" not in shown
    assert "attempt 3" not in shown
    assert "by ana" in shown


def test_reasons_get_the_cells_that_nothing_else_needs() -> None:
    reason = "the engine gave no answer in 300 s, three"
    line = task(1, status="failed", outcome="failed", stage=None, eta=None, reason=reason)
    failed = Query(view=ListView.FAILED)
    assert reason[:34] in said(
        table.table_rows(listed([line]), a_scene(), 80, 3, first=0, cursor=-1, query=failed)
    )


def test_the_phases_are_in_one_panel_alone() -> None:
    assert "switch 11.4s" not in said(gpu.gpu_rows(a_scene(), 78, 20, phases=False))


def test_an_empty_list_says_how_to_name_a_video() -> None:
    scene = a_scene(left=0, group=[], counts={}, clock=None, batch=None)
    shown = said(empty_states.empty_rows(scene, Query(), 80))
    assert "/srv/introeval/inbox/s021/introduction.mp4" in shown
    assert "The results appear in /srv/introeval/outbox" in shown


def test_the_glossary_has_the_word_of_each_status() -> None:
    rows = (Path(__file__).parents[2] / "docs" / "glossary.md").read_text().splitlines()
    for status, word in STATES.items():
        assert any(row.startswith(f"| {word} |") and f"`{status}`" in row for row in rows), status
