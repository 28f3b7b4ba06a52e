"""What the account that owns a file says of whose file it is."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.intake.ownership import OwnerRule, Ownership
from daemon.core.tasks.lifecycle import RetryPolicy
from daemon.core.tasks.task import Status, Task
from daemon.supervisor.task_book import TaskBook, superseded

ACCOUNTS = st.sampled_from([None, "s01", "mallory", "ta"])


def task(id_: int, account: str | None, student: str = "s01") -> Task:
    return Task(id_, student, "a.mp4", "/spool/a.mp4", "", 1, 1.0, float(id_), account=account)


@pytest.mark.parametrize(
    ("rule", "account", "allowed"),
    [
        ("require", "s01", True),
        ("require", "S01", True),
        ("require", "ta", True),
        ("require", "mallory", False),
        ("require", "1001", False),
        ("record", "mallory", True),
        ("ignore", "mallory", True),
    ],
)
def test_only_a_rule_that_binds_turns_an_account_away(
    rule: OwnerRule, account: str, *, allowed: bool
) -> None:
    assert Ownership(rule, frozenset({"ta"})).allows(account, "s01") is allowed


@given(ACCOUNTS, ACCOUNTS)
def test_concern_is_mutual(one: str | None, other: str | None) -> None:
    ownership = Ownership(for_everybody=frozenset({"ta"}))
    assert ownership.concerns(one, other) == ownership.concerns(other, one)


@given(st.lists(ACCOUNTS, max_size=6))
def test_no_account_cancels_what_another_one_handed_in(accounts: list[str | None]) -> None:
    ownership = Ownership()
    tasks = [task(number, account) for number, account in enumerate(accounts, 1)]
    for gone in superseded(tasks, ownership):
        later = [each for each in tasks if each.id > gone.id]
        assert any(None in (each.account, gone.account) or each.account == gone.account for each in later)


def test_the_newest_of_an_account_cancels_its_earlier_ones_that_wait() -> None:
    tasks = [
        task(1, "s01"),
        task(2, "s01"),
        replace(task(3, "s01"), status=Status.STT_PROCESSING),
        task(4, "s01"),
    ]
    assert [each.id for each in superseded(tasks, Ownership())] == [1, 2]


def test_an_account_that_hands_in_for_everybody_replaces_and_is_replaced() -> None:
    ownership = Ownership(for_everybody=frozenset({"ta"}))
    assert [each.id for each in superseded([task(1, "s01"), task(2, "ta")], ownership)] == [1]
    assert [each.id for each in superseded([task(1, "ta"), task(2, "s01")], ownership)] == [1]


def test_a_task_of_an_account_that_is_everybodys_stands_in_the_book_as_one_of_none() -> None:
    book = TaskBook(RetryPolicy(), lambda: 0.0, ownership=Ownership(for_everybody=frozenset({"nobody"})))
    book.add([task(1, "nobody"), task(2, "mallory"), task(3, None)])
    book.put(task(4, "nobody"))
    assert [each.account for each in book.tasks] == [None, "mallory", None, None]
