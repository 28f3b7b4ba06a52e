"""Frames: a state comes back from differences, from a stretch that was cut short, and without a student."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from daemon.core.keeping import frames
from daemon.core.keeping.frames import EMPTY, Stretch, applied, difference, states, without
from daemon.core.keeping.traces import Traces

VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=2)
FIELDS = st.dictionaries(st.sampled_from("abc"), VALUES)
LINES = st.fixed_dictionaries({"student": st.sampled_from(["ada", "ben"]), "eta": VALUES, "progress": VALUES})
STATES = st.fixed_dictionaries(
    {
        "status": st.fixed_dictionaries({"why": VALUES, "alarms": VALUES}),
        "tasks": st.dictionaries(st.sampled_from(["1", "2", "3"]), LINES),
        "attention": st.dictionaries(st.sampled_from(["a", "b"]), st.fixed_dictionaries({"who": VALUES})),
        "queue": st.lists(st.sampled_from([1, 2, 3]), unique=True),
        "wanting": st.lists(st.sampled_from(["a", "b"]), unique=True),
    }
)


def packed(*shown: Any) -> bytes:
    stretch = Stretch(100.0)
    for at, state in enumerate(shown):
        stretch.add(100.0 + at, state)
    return stretch.packed()


@given(STATES, STATES)
def test_a_state_comes_back_from_the_one_before_and_the_difference(before: Any, after: Any) -> None:
    assert applied(before, difference(before, after)) == after
    assert difference(after, after) == {}


@given(st.lists(STATES, min_size=1, max_size=5))
def test_a_stretch_gives_every_state_back_with_its_time(shown: list[Any]) -> None:
    found = dict(states(packed(*shown)))
    state = EMPTY
    for at, expected in enumerate(shown):
        state = found.get(100.0 + at, state)
        assert state == expected


def a_state(*tasks: tuple[str, str], **status: Any) -> dict[str, Any]:
    lines = {id_: {"student": student, "filename": f"{student}.mp4", "eta": None} for id_, student in tasks}
    queue = [int(id_) for id_, _ in tasks]
    wanting = {f"task:{id_}": {"who": student, "reason": "failed"} for id_, student in tasks}
    return {
        "status": {"why_detail": "", **status},
        "tasks": lines,
        "attention": wanting,
        "queue": queue,
        "wanting": list(wanting),
    }


def test_a_stretch_that_goes_on_holds_what_came_before_and_after_each_write() -> None:
    stretch = Stretch(1.0)
    one, two = a_state(("1", "ada")), a_state(("1", "ada"), ("2", "ben"))
    stretch.add(1.0, one)
    cut_short = stretch.packed()
    stretch.add(2.0, two)
    stretch.add(3.0, two)
    assert list(states(cut_short)) == [(1.0, one)]
    assert list(states(stretch.packed())) == [(1.0, one), (2.0, two)]
    assert (stretch.frames, stretch.ended_at) == (2, 3.0)


def test_a_student_whose_id_is_a_word_of_ours_takes_no_word_away() -> None:
    state = a_state(("1", "rate"), ("2", "ben"), phase="eval", group=["rate"], why_detail="rate waits")
    left = without(packed(state), Traces("rate"))
    assert left is not None
    ((_, shown),) = states(left)
    assert shown["status"] == {"phase": "eval", "group": ["rate"], "why_detail": "(forgotten)"}
    assert list(shown["tasks"]) == ["2"]
    assert without(left, Traces("rate")) is None


def test_a_forgotten_student_is_in_no_frame_and_the_others_stay() -> None:
    alarm = [{"code": "intake_x", "message": "/inbox/ada/me.mp4 cannot be taken", "fix": "see to it"}]
    shown = [a_state(("1", "ada"), ("2", "adam")), a_state(("2", "adam"), alarms=alarm)]
    left = without(packed(*shown), Traces("ada"))
    assert left is not None
    assert without(left, Traces("ada")) is None
    lines = [json.loads(line) for line in frames.text(left).splitlines()]
    assert [at for at, _ in lines] == [100.0, 101.0]
    (_, first), (_, last) = states(left)
    assert first == a_state(("2", "adam"))
    assert last["status"]["alarms"] == [{"code": "intake_x", "message": "(forgotten)", "fix": "see to it"}]
    assert without(packed(a_state(("2", "adam"))), Traces("ada")) is None
