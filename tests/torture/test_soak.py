"""What the soak takes for growth."""

from dataclasses import replace

from tests.torture.soak import CLASS, Sight, judged

FLAT = [
    Sight(tasks, 100.0, 16, 11, 5.0 + 0.013 * tasks, 0.001 * tasks, 0.035 * tasks, 20.0)
    for tasks in range(CLASS, 10_001, CLASS)
]


def test_a_daemon_that_stays_as_it_was_is_not_complained_of() -> None:
    assert judged(FLAT) == []


def test_a_few_kilobytes_a_task_are_growth() -> None:
    leaking = [replace(each, memory_mb=100.0 + 0.003 * each.tasks) for each in FLAT]
    assert [complaint for complaint in judged(leaking) if "memory" in complaint] == judged(leaking) != []


def test_tasks_that_take_longer_and_longer_are_told() -> None:
    slower = [replace(each, processor_s=0.035 * each.tasks + 4e-6 * each.tasks**2) for each in FLAT]
    assert any("ms a task at the end" in complaint for complaint in judged(slower))
