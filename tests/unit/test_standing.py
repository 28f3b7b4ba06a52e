"""Each student of a class has one standing, by the task that counts."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.class_rules import CountingRule
from daemon.core.classes.roster import Roster, RosterEntry
from daemon.core.classes.standing import ClassTask, Standing, count, standings
from daemon.core.content.release import NO_GRADES, held_because
from daemon.core.content.review_flags import REVIEW_FLAGS
from daemon.core.tasks.task import Outcome

FLAGS = [*sorted(REVIEW_FLAGS | NO_GRADES), "ungrounded"]


def task(id_: int, student: str, outcome: Outcome | None = Outcome.EVALUATED, **given: object) -> ClassTask:
    rated = outcome in (Outcome.EVALUATED, Outcome.NEEDS_REVIEW)
    known: dict[str, object] = {
        "filename": "me.mp4",
        "claimed_at": float(id_),
        "flag_codes": (),
        "rating": 7 if rated else None,
        "decided_by": None,
        "revision": 1,
    }
    return ClassTask(id=id_, student=student, outcome=outcome, **known | given)  # type: ignore[arg-type]


tasks = st.builds(
    task,
    st.integers(1, 50),
    st.sampled_from(["s1", "S1", "s2", "\uff53\uff12", "12345", "s9"]),
    st.sampled_from([None, *Outcome]),
    flag_codes=st.lists(st.sampled_from(FLAGS), max_size=2).map(tuple),
    decided_by=st.sampled_from([None, "Ann"]),
)
ROSTER = Roster([
    RosterEntry(student="s1", name="Ana"),
    RosterEntry(student="s2", aliases=("12345",)),
    RosterEntry(student="s3"),
])  # fmt: skip


@given(st.lists(tasks, unique_by=lambda each: each.id), st.sampled_from(["all", "flagged", "none"]))
def test_every_task_is_of_one_student_and_every_student_has_one_line(
    some: list[ClassTask], rule: str
) -> None:
    lines = standings(ROSTER, some, rule, "newest", None)  # type: ignore[arg-type]
    assert sorted(each.id for line in lines for each in line.tasks) == sorted(each.id for each in some)
    assert [line.student for line in lines][:3] == ["s1", "s2", "s3"]
    assert len({line.student for line in lines}) == len(lines)
    counts = count(lines)
    assert sum(counts[standing.value] for standing in Standing) == len(lines)
    assert counts["handed_in"] == len(ROSTER.entries) - counts["missing"]
    for line in lines:
        assert (line.standing is Standing.RELEASED) == (not line.held)
        if line.standing is Standing.RELEASED:
            assert line.counts is not None
            assert line.counts.rating is not None


def test_an_id_in_another_case_or_width_and_an_alias_are_the_same_student() -> None:
    some = [task(1, "S1"), task(2, "\uff53\uff12"), task(3, "12345")]
    first, second, third = standings(ROSTER, some, "all", "newest", None)
    assert [each.id for each in first.tasks] == [1]
    assert [each.id for each in second.tasks] == [2, 3]
    assert third.standing is Standing.MISSING


OF_ANOTHER = ("other_account",)


@pytest.mark.parametrize("counting", ["newest", "first"])
@pytest.mark.parametrize(
    ("first", "second"),
    [
        (task(1, "s1"), task(2, "s1", Outcome.FAILED, flag_codes=OF_ANOTHER)),
        (task(1, "s1", Outcome.UNSCORABLE), task(2, "s1", flag_codes=OF_ANOTHER)),
        (task(1, "s1"), task(2, "s1", flag_codes=OF_ANOTHER)),
    ],
    ids=["a broken one after it", "a silent one before it", "one that is rated"],
)
def test_a_file_from_another_account_takes_no_ones_place_until_somebody_decides(
    first: ClassTask, second: ClassTask, counting: CountingRule
) -> None:
    line = standings(ROSTER, [first, second], "flagged", counting, None)[0]
    assert line.counts is not None
    assert line.counts.rating is not None
    assert line.standing is Standing.NEEDS_REVIEW
    assert standings(ROSTER, [first, second], "none", counting, None)[0].standing is Standing.NEEDS_REVIEW


@pytest.mark.parametrize("counting", ["newest", "first"])
@pytest.mark.parametrize("owner", [1, 2])
def test_once_somebody_has_decided_that_one_counts_whoever_came_first(
    counting: CountingRule, owner: int
) -> None:
    both = [task(1, "s1"), task(2, "s1", flag_codes=OF_ANOTHER)]
    both[owner - 1] = replace(both[owner - 1], decided_by="Ann")
    more = [task(3, "s1", flag_codes=OF_ANOTHER), task(4, "s1", Outcome.FAILED, flag_codes=OF_ANOTHER)]
    line = standings(ROSTER, [*both, *more], "flagged", counting, None)[0]
    assert (line.counts, line.standing) == (both[owner - 1], Standing.RELEASED)
    own = task(5, "s1")
    line = standings(ROSTER, [*both, *more, own], "flagged", "newest", None)[0]
    assert (line.counts, line.standing) == (own, Standing.RELEASED)


@pytest.mark.parametrize("counting", ["newest", "first"])
@pytest.mark.parametrize("last", [1, 2])
def test_of_two_that_were_decided_on_the_last_decision_counts(counting: CountingRule, last: int) -> None:
    both = [
        task(number, "s1", decided_by="Ann", flag_codes=OF_ANOTHER if number == 2 else (), decided_at=at)
        for number, at in ((1, "2026-11-28T12:00Z"), (2, f"2026-11-28T{11 if last == 1 else 13}:00Z"))
    ]
    assert standings(ROSTER, both, "flagged", counting, None)[0].counts == both[last - 1]


def test_an_alias_of_two_is_nobodys() -> None:
    roster = Roster([RosterEntry(student="a", aliases=("7",)), RosterEntry(student="b", aliases=("7",))])
    assert roster.find("7") is None
    assert roster.find("B") is roster.entries[1]


@pytest.mark.parametrize(("rule", "counted"), [("newest", 2), ("first", 1)])
def test_a_cancelled_video_does_not_count_where_there_is_another(rule: str, counted: int) -> None:
    some = [task(1, "s1"), task(2, "s1"), task(3, "s1", Outcome.CANCELLED)]
    line = standings(Roster(), some, "all", rule, None)[0]  # type: ignore[arg-type]
    assert line.counts is not None
    assert line.counts.id == counted


def test_a_video_after_the_deadline_is_late() -> None:
    assert [
        line.late for line in standings(Roster(), [task(1, "a"), task(9, "b")], "all", "newest", 5.0)
    ] == [
        False,
        True,
    ]


@given(st.lists(st.sampled_from(FLAGS)), st.sampled_from([None, *Outcome]), st.booleans())
def test_what_a_stricter_rule_releases_a_laxer_one_does_too(
    flags: list[str], outcome: Outcome | None, rated: bool
) -> None:
    held = [
        bool(held_because(outcome, flags, rule, rated=rated, decided=False))
        for rule in ("all", "flagged", "none")
    ]
    assert held == sorted(held)
    decided = held_because(outcome, flags, "none", rated=rated, decided=True)
    assert (not decided) == (rated and outcome is not None)
