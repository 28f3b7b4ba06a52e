"""What is drawn, as rows: every figure of every size, and texts that are attacks."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from daemon.contracts.wire.attention import AttentionLine, AttentionPage
from daemon.contracts.wire.base import LogLine
from daemon.contracts.wire.status import Clock, GpuState, Inbox, Switching
from daemon.contracts.wire.tasks import TaskLine, TaskPage
from daemon.core.timestamps import to_iso
from introeval_tui import actions
from introeval_tui.rows import attention, class_clock, detail_rows, empty_states, gpu, header, panels, table
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
        rows += detail_rows.overview_rows(detail, scene, width)
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
        *detail_rows.form_rows(result, width),
        *detail_rows.rating_rows(result, width),
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
        at_risk=True,
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
    assert "waiting for videos in /srv" in said(empty_states.empty_rows(scene, Query(), 80))
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
        link=Link.DOWN, reason="permission denied", mend="join its group: sudo usermod -aG lab ana"
    )
    rows = empty_states.never_rows(Scene(known, NOW, 0.0, "/run/introeval/x.sock"), 80, 20)
    for words in ("/run/introeval/x.sock", "permission denied", "usermod -aG lab"):
        assert words in said(rows)


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
