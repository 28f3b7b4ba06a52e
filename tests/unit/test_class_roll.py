"""Which tasks are the class: one class through idle gaps, and when another begins."""

from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.core.forecast.class_roll import GAP_S, Members, Roll
from daemon.core.tasks.task import FINAL, Status, Task
from tests.unit.scheduling import task

DONE = Status.COMPLETED


def finished(one: Task) -> Task:
    return replace(one, status=DONE)


def done_class(size: int = 23) -> Roll:
    """A class of which all are done, at 1000."""
    roll, tasks = Roll(), [task(n) for n in range(1, size + 1)]
    roll.born(tasks, [], 0.0)
    roll.moved(map(finished, tasks), [], 1000.0)
    return roll


def counted(roll: Roll, *tasks: Task) -> tuple[int, int]:
    return roll.total - len(roll.left(tasks)), roll.total


def test_late_videos_belong_to_the_class_that_seemed_done() -> None:
    roll = done_class()
    assert counted(roll) == (23, 23)
    late = [task(24), task(25)]
    assert not roll.born(late, [], 1000.0 + GAP_S)
    assert counted(roll, *late) == (23, 25)


def test_a_new_rating_opens_one_task_of_the_class_again() -> None:
    roll = done_class()
    again = task(7, Status.LLAMA_PROCESSING, revision=2)
    roll.moved([again], [again], 1000.0 + 10 * GAP_S)
    assert counted(roll, again) == (22, 23)


def test_an_older_task_that_is_rated_again_joins_and_is_counted_once() -> None:
    roll = Roll()
    roll.born([task(9)], [], 0.0)
    again = task(1, Status.LLAMA_PROCESSING, revision=2)
    roll.moved([again], [task(9), again], 5.0)
    assert counted(roll, task(9), again) == (0, 2)
    roll.moved([finished(again)], [task(9)], 7.0)
    roll.moved([replace(again, revision=3)], [task(9), again], 8.0)
    assert counted(roll, task(9), again) == (0, 2)
    assert roll.members == Members(9, frozenset({1}))


def test_after_a_long_gap_a_video_begins_another_class() -> None:
    roll = done_class()
    assert roll.born([task(24)], [], 1001.0 + GAP_S)
    assert counted(roll, task(24)) == (0, 1)
    assert roll.began_at == 1001.0 + GAP_S
    older = done_class()
    again = task(0, Status.LLAMA_PROCESSING, revision=2)
    older.moved([again], [again], 1001.0 + GAP_S)
    assert counted(older, again) == (0, 1), "a new rating of another class's task after that is one, too"


def test_a_deadline_that_follows_one_that_has_passed_announces_another_class() -> None:
    roll = done_class()
    roll.set_deadline(900.0, [], 0.0)
    roll.set_deadline(5000.0, [], 1100.0)
    assert counted(roll) == (23, 23), "until its first video comes"
    assert roll.born([task(24)], [], 1200.0)
    assert counted(roll, task(24)) == (0, 1)
    assert not roll.born([task(25)], [task(24)], 1300.0), "it announced one"


def test_a_deadline_that_is_set_or_changed_for_the_class_begins_none() -> None:
    for before, then, open_now in ((None, 5000.0, ()), (4000.0, 5000.0, ()), (900.0, 5000.0, (task(30),))):
        roll = done_class()
        roll.born(open_now, [], 1000.0)
        roll.set_deadline(before, open_now, 0.0)
        roll.set_deadline(then, open_now, 1100.0)
        roll.moved(map(finished, open_now), [], 1200.0)
        assert not roll.born([task(31)], [], 1300.0), (before, then)
    removed = done_class()
    removed.set_deadline(900.0, [], 0.0)
    removed.set_deadline(None, [], 1100.0)
    assert not removed.born([task(24)], [], 1200.0), "only another one announces a class"


def test_a_held_task_keeps_no_class_open_and_joins_when_it_is_released() -> None:
    roll, held = Roll(), task(1, held=True)
    roll.born([held], [], 0.0)
    assert roll.born([task(2)], [held], GAP_S + 1.0)
    assert counted(roll, held, task(2)) == (0, 1)
    roll.moved([replace(held, held=False)], [held, task(2)], GAP_S + 2.0)
    assert counted(roll, held, task(2)) == (0, 2)


def test_a_task_that_a_person_asked_for_before_it_was_told_of_is_counted_once() -> None:
    roll = Roll()
    early = task(1)
    roll.moved([early], [early], 1.0)
    roll.born([early], [early], 2.0)
    assert counted(roll, early) == (0, 1)


def test_forgotten_tasks_leave_the_class() -> None:
    roll = done_class()
    again = task(0, Status.LLAMA_PROCESSING, revision=2)
    roll.moved([again], [again], 1001.0)
    roll.moved([finished(again)], [], 1002.0)
    roll.forget([0, 5, 6, -3])
    assert counted(roll) == (21, 21)


def test_a_class_that_does_not_end_does_not_grow_in_memory() -> None:
    roll, open_ = Roll(), task(1)
    roll.born([open_], [], 0.0)
    for number in range(2, 2002):
        roll.born([task(number)], [open_], float(number))
        roll.moved([task(number, Status.STT_PENDING)], [open_, task(number)], float(number))
        roll.moved([finished(task(number))], [open_], float(number))
    assert counted(roll, open_) == (2000, 2001)
    assert sum(len(kept) for kept in vars(roll).values() if hasattr(kept, "__len__")) < 10


@dataclass
class Lab:
    """A database and a clock, and beside the roll the class as it is told from all that ever happened."""

    now: float = 0.0
    tasks: dict[int, Task] = field(default_factory=dict)
    active: float = 0.0
    last_end: float = 0.0
    last_birth: float = 0.0
    members: set[int] = field(default_factory=set)
    roll: Roll = field(default_factory=Roll)
    mark: dict[str, object] | None = None

    @property
    def open(self) -> list[Task]:
        return [one for one in self.tasks.values() if one.status not in FINAL]

    def may_begin(self, coming: set[int]) -> None:
        running = [one for one in self.open if one.id in self.members and not one.held]
        if not self.members or (not running and self.now - self.active > GAP_S):
            self.members = set()
        self.members |= coming
        self.active = self.now

    def birth(self, count: int) -> None:
        new = [task(len(self.tasks) + n) for n in range(1, count + 1)]
        self.may_begin({one.id for one in new})
        self.roll.born(new, self.open, self.now)
        self.tasks |= {one.id: one for one in new}
        self.last_birth = self.now

    def end(self, most: int) -> None:
        for one in self.open[:most]:
            self.tasks[one.id] = finished(one)
            self.roll.moved([self.tasks[one.id]], self.open, self.now)
            self.active = self.last_end = self.now

    def reopen(self, which: int) -> None:
        if over := [one for one in self.tasks.values() if one.status in FINAL]:
            one = over[which % len(over)]
            if one.id not in self.members:
                self.may_begin({one.id})
            self.tasks[one.id] = again = replace(one, status=Status.MISTRAL_COMPLETE)
            self.roll.moved([again], self.open, self.now)

    def restart(self) -> None:
        mark = self.roll.unsaved() or self.mark
        if mark is not None:
            self.mark = mark
            first = mark["first"]
            born = sum(first is not None and id_ >= first for id_ in self.tasks)  # type: ignore[operator]
            self.roll = Roll()
            self.roll.take_up(mark, born, self.last_end, self.last_birth)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("birth"), st.integers(1, 3)),
        st.tuples(st.just("end"), st.sampled_from([1, 1000])),
        st.tuples(st.just("reopen"), st.integers(0, 50)),
        st.tuples(st.just("wait"), st.sampled_from([1, int(GAP_S) - 600, int(GAP_S) + 1])),
        st.tuples(st.just("restart"), st.just(0)),
    ),
    min_size=15,
    max_size=40,
)


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_the_class_is_what_its_rule_says_through_gaps_and_restarts(steps: list[tuple[str, int]]) -> None:
    lab = Lab()
    for what, amount in steps:
        if what == "wait":
            lab.now += amount
        elif what == "restart":
            lab.restart()
        else:
            getattr(lab, what)(amount)
        ids = {one.id for one in lab.open}
        assert lab.roll.left(lab.open) == ids & lab.members
        assert lab.roll.total == len(lab.members)
