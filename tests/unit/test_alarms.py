"""Each alarm says its cause, who or what it affects, and what to do; and how it ended."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog.testing

from daemon.core.alarms import KINDS, in_words, kind_of, trouble, trouble_of
from daemon.core.errors import two_parts
from daemon.monitoring.alarms import Alarms
from daemon.monitoring.events import Events

CODE_ROOT = Path(__file__).parents[2] / "daemon"
_CALLS = {"trouble": "", "trouble_of": "", "IntakeAlarm": "intake_"}
_UNFIT = re.compile(
    r"\d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT|\.\d{4,}|\[Errno|\b\w*(Error|Exception)\b|None|<class|Traceback|'\)|\{"
)


def raised() -> Iterator[tuple[str, str]]:
    """Each code that the code raises, with where; of a name the value of the module's constant."""
    for file in sorted(CODE_ROOT.rglob("*.py")):
        if file.match("intake/alarm.py"):  # it hands on those of IntakeAlarm
            continue
        tree = ast.parse(file.read_text())
        names = {
            target.id: node.value.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
            for target in node.targets
            if isinstance(target, ast.Name) and isinstance(node.value.value, str)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _CALLS:
                said = _said(node.args[0], names)
                if said is not None:
                    yield _CALLS[node.func.id] + said, f"{file.name}:{node.lineno}"


def _said(code: ast.expr, names: dict[str, str]) -> str | None:
    match code:
        case ast.Constant(value=str(text)):
            return text
        case ast.Name(id=name):
            return names.get(name)
        case ast.JoinedStr(values=parts):
            known = [_said(p.value if isinstance(p, ast.FormattedValue) else p, names) for p in parts]
            return "".join("stt" if each is None else each for each in known)
    return None


RAISED = sorted(set(raised()))


def test_every_kind_is_raised_somewhere_and_every_code_has_its_kind() -> None:
    assert {kind_of(code) for code, _ in RAISED} | {"engine", "engine_stop"} == KINDS.keys()


@pytest.mark.parametrize("key", KINDS)
@pytest.mark.parametrize("about", ["", "_extract_rate", " /inbox/anna/me.mp4"])
def test_every_alarm_has_three_parts_in_plain_words(key: str, about: str) -> None:
    told = trouble(key + about, "it is so")
    for part in (told.cause, told.affects, told.fix):
        assert part
        assert part == part.strip(" .;:")
        assert not _UNFIT.search(part), part
        assert "\n" not in part
    if about and "{of}" in KINDS[key].affects:
        assert ("/inbox/anna/me.mp4" if " " in about else "extract and rate") in told.affects
    assert str(told) == f"it is so; affects {told.affects}; {told.fix}"


def test_a_code_without_a_kind_is_refused() -> None:
    for code in ("nothing", "intake_nothing /x", "", "intake"):
        with pytest.raises(KeyError):
            trouble(code, "it is so")


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("it is full; free space on its disk", ("it is full", "free space on its disk")),
        ("a; b is so; run: introeval doctor", ("a; b is so", "run: introeval doctor")),
        ("no card; see: nvidia-smi; then end it", ("no card", "see: nvidia-smi; then end it")),
        ("it waits; to see why, run: introeval status", ("it waits", "to see why, run: introeval status")),
        ("it is gone; if it is yours, move it", ("it is gone", "if it is yours, move it")),
        ("it ended; settings were lost", ("it ended; settings were lost", "")),
        ("it ended", ("it ended", "")),
    ],
)
def test_the_line_of_an_error_is_taken_apart(line: str, parts: tuple[str, str]) -> None:
    assert two_parts(line) == parts
    told = trouble_of("engine_stt", line)
    assert (told.cause, told.fix) == (parts[0], parts[1] or KINDS["engine"].fix)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ("[Errno 111] Connection refused", "Connection refused"),
        ("no server: [Errno -2] Name or service not known", "no server: Name or service not known"),
        ("('Connection aborted.', FileNotFoundError(2, 'No such file or directory'))",
         "('Connection aborted.', No such file or directory)"),
        ("ReadTimeout: it is slow", "it is slow"),
        ("ValueError('bad')", "bad"),
        ("two\nlines.", "two lines"),
    ],
)  # fmt: skip
def test_what_programs_put_into_their_errors_is_left_out(raw: str, said: str) -> None:
    assert in_words(raw) == said
    assert not _UNFIT.search(trouble("store", raw).cause.replace("')", ""))


def test_a_cleared_alarm_says_what_was_fixed_and_how_long_it_lasted() -> None:
    now = [1000.0]
    alarms, events = Alarms(lambda: now[0]), Events(lambda: now[0])
    alarms.changed.connect(events.alarm)
    alarms.set(trouble("outbox", "the outbox is full"))
    now[0] = 1186.0
    alarms.clear("outbox")
    began, ended = events.recent(2)
    assert (began.kind, began.message) == ("alarm", str(trouble("outbox", "the outbox is full")))
    assert (ended.kind, ended.message) == ("cleared", "cleared: the outbox is full; it lasted 3.1 min")


def test_an_acknowledged_alarm_stays_so_while_it_lasts() -> None:
    alarms = Alarms(lambda: 0.0)
    alarms.set(trouble("outbox", "the outbox is full"))
    assert not alarms.acknowledge("store", "anna")
    assert alarms.acknowledge("outbox", "anna")
    assert not alarms.acknowledge("outbox", "ben"), "it is known already"
    alarms.set(trouble("outbox", "the outbox is still full"))
    assert [(each.line.message, each.line.acknowledged) for each in alarms.all] == [
        ("the outbox is still full", True)
    ]
    alarms.clear("outbox")
    alarms.set(trouble("outbox", "the outbox is full again"))
    assert [each.acknowledged_by for each in alarms.all] == [None]


@pytest.mark.parametrize("key", [key for key, kind in KINDS.items() if kind.private])
def test_no_log_names_whom_an_alarm_names(key: str) -> None:
    with structlog.testing.capture_logs() as logged:
        alarms = Alarms(lambda: 0.0)
        alarms.set(trouble(f"{key} /inbox/zoe", "zoe's video", affects="zoe", fix="ask zoe"))
        alarms.acknowledge(f"{key} /inbox/zoe", "anna")
        alarms.clear(f"{key} /inbox/zoe")
    assert logged
    assert "zoe" not in str(logged)
