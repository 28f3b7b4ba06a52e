"""Lines for people: what fits the width of the terminal, and what goes whole into a pipe."""

import pytest

from daemon.cli import show
from daemon.cli.lines import Line, say, table, width, wrapped
from daemon.contracts.wire.base import EventLine
from daemon.contracts.wire.tasks import TaskLine, TaskPage
from tests.tui.fake_daemon import a_class, a_status, task

LONG = "no speech was heard. Check that the microphone is on, play the recording back, and record it again"


@pytest.fixture(params=[80, 60])
def columns(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    found: int = request.param
    monkeypatch.setenv("COLUMNS", str(found))
    return found


def printed(capsys: pytest.CaptureFixture[str], lines: list[Line]) -> list[str]:
    say(lines)
    return capsys.readouterr().out.splitlines()


def page(*lines: TaskLine) -> TaskPage:
    return TaskPage(total=len(lines), tasks=list(lines))


def wanting() -> TaskLine:
    return task(
        7, status="completed", outcome="needs_review", reason=LONG, eta=None, ended_at="2026-11-27T10:45:00Z"
    )


def test_each_task_is_one_line_with_its_reason(columns: int, capsys: pytest.CaptureFixture[str]) -> None:
    every = page(*a_class(), wanting(), task(8, student="zoë-" * 12, filename="视频" * 20 + ".mp4"))
    lines = printed(capsys, list(show.tasks(every)))
    assert len(lines) == 1 + len(every.tasks)
    assert max(map(len, lines)) <= columns
    assert "needs review" in lines[-2]
    assert LONG[:5] in lines[-2]


def test_into_a_pipe_a_task_is_one_line_with_all_that_is_known(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert width() is None
    lines = printed(capsys, list(show.tasks(page(wanting()))))
    assert len(lines) == 2
    assert lines[1].endswith(f"intro-7.mp4: {LONG}")


def test_what_a_student_wrote_moves_no_cursor_and_makes_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    said = printed(capsys, list(show.tasks(page(task(1, filename="a\x1b[2J\nb‮.mp4")))))
    assert len(said) == 2
    assert "\x1b" not in said[1]
    assert "‮" not in said[1]


def test_the_status_and_an_event_fit_and_are_continued_further_in(
    columns: int, capsys: pytest.CaptureFixture[str]
) -> None:
    counts = {"stt_complete": 2, "eval_pending": 1, "failed": 3}
    status = a_status().model_copy(update={"why_detail": LONG, "counts": counts})
    lines = printed(capsys, list(show.status(status)))
    assert max(map(len, lines)) <= columns
    assert lines[1].startswith("  ")
    assert "tasks: 3 wait-eval, 3 failed, 1 held" in lines, "two statuses with one word are one figure"
    event = EventLine(id=1, at="2026-11-27T10:45:00+00:00", kind="alarm", message=LONG)
    first, *others = printed(capsys, [show.event(event)])
    assert max(map(len, [first, *others])) <= columns
    assert all(line.startswith(" " * len("2026-11-27 10:45:00 ")) for line in others)


def test_a_table_is_as_wide_as_its_cells_and_keeps_its_right_side() -> None:
    rows = [("id", "name", "what"), ("7", "Zoë", "x"), ("12", "a", "y")]
    assert table(rows, None) == ["id  name  what", " 7  Zoë   x", "12  a     y"]
    assert table(rows, 12) == ["id  name  w…", " 7  Zoë   x", "12  a     y"]
    assert max(map(len, table([*rows, ("3", "x" * 50, "z")], 30))) <= 30


def test_a_text_is_cut_between_words_and_an_unbroken_one_anywhere() -> None:
    assert wrapped("one two three four", 12) == ["one two", "  three four"]
    assert wrapped("  one two three", 10) == ["  one two", "    three"]
    assert wrapped("x" * 25, 12)[0] == "x" * 12
    assert "".join(part.strip() for part in wrapped("x" * 25, 12)) == "x" * 25
    assert wrapped("one two", None) == ["one two"]
