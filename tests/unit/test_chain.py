"""The chain of the audit: any change is found at its number, and a text may go only with an order to."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.keeping.chain import (
    BEGIN,
    FORGET,
    Broken,
    ChainEntry,
    Sealed,
    broken,
    canonical,
    chained,
    seal,
)

WORDS = st.text(max_size=12)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
CONTENT = st.tuples(WORDS, WORDS, PLAIN, PLAIN)


def made(contents: list[tuple[str, str, object, object]]) -> list[ChainEntry]:
    chain: list[ChainEntry] = []
    for number, (actor, subject, before, after) in enumerate(contents, 1):
        details = canonical({"subject": subject, "before": before, "after": after})
        previous = chain[-1].hash if chain else BEGIN
        sealed = seal(actor, f"a{number}"), seal(details, f"d{number}")
        chain.append(chained(number, "2026-11-27T10:00:00.000000Z", "override", *sealed, previous))
    return chain


def emptied(entry: ChainEntry, name: str) -> ChainEntry:
    changed: dict[str, Any] = {name: Sealed(None, None, getattr(entry, name).digest)}
    return replace(entry, **changed)


def forgetting(chain: list[ChainEntry], **numbers: list[int]) -> ChainEntry:
    after = {"actor": [], "details": [], **numbers}
    details = canonical({"subject": "student", "before": None, "after": after})
    return chained(len(chain) + 1, "t", FORGET, seal("ann", "s"), seal(details, "s"), chain[-1].hash)


@given(st.lists(CONTENT, max_size=6))
def test_a_chain_as_it_was_written_is_whole(contents: list[tuple[str, str, object, object]]) -> None:
    assert broken(made(contents)) is None


@given(st.lists(CONTENT, min_size=1, max_size=6), st.data())
def test_any_change_of_an_entry_is_found_at_its_number(
    contents: list[tuple[str, str, object, object]], data: st.DataObject
) -> None:
    chain = made(contents)
    at = data.draw(st.integers(0, len(chain) - 1))
    name = data.draw(st.sampled_from(["number", "at", "what", "actor", "details", "previous", "hash"]))
    old = chain[at]
    match getattr(old, name):
        case int(number):
            new: Any = number + data.draw(st.integers(1, 9))
        case Sealed() as sealed:
            part = data.draw(st.sampled_from(["text", "salt", "digest"]))
            new = replace(sealed, **{part: getattr(sealed, part) + data.draw(st.sampled_from("x \0"))})
        case text:
            new = text + data.draw(st.sampled_from("x \0"))
    chain[at] = replace(old, **{name: new})
    found = broken(chain)
    assert found is not None
    assert found.number == at + 1


@given(st.lists(CONTENT, min_size=2, max_size=6, unique_by=repr), st.data())
def test_an_entry_left_out_swapped_or_put_in_is_found(
    contents: list[tuple[str, str, object, object]], data: st.DataObject
) -> None:
    chain = made(contents)
    at = data.draw(st.integers(0, len(chain) - 2))
    without = chain[:at] + chain[at + 1 :]
    swapped = [*chain[:at], chain[at + 1], chain[at], *chain[at + 2 :]]
    twice = [*chain[: at + 1], *chain[at:]]
    found = [broken(each) for each in (without, swapped, twice)]
    assert [each and each.number for each in found] == [at + 1, at + 1, at + 2]


@pytest.mark.parametrize(("name", "were"), [("actor", "account was"), ("details", "details were")])
def test_a_text_may_be_gone_only_where_an_order_to_forget_says_so(name: str, were: str) -> None:
    chain = made([("ann", "task 1", None, {"revision": 1})] * 3)
    chain[1] = emptied(chain[1], name)
    assert broken(chain) == Broken(2, f"its {were} deleted, and no order to forget says so")
    assert broken([*chain, forgetting(chain, **{name: [2]})]) is None
    other = {"actor": "details", "details": "actor"}[name]
    assert broken([*chain, forgetting(chain, **{name: [1], other: [2]})]) is not None


def test_a_text_without_its_salt_or_a_salt_without_its_text_is_found() -> None:
    (entry,) = made([("ann", "task 1", None, None)])
    for half in (replace(entry.actor, text=None), replace(entry.actor, salt=None)):
        assert broken([replace(entry, actor=half)]) == Broken(1, "its account was changed")


@given(CONTENT, CONTENT)
def test_two_entries_have_one_hash_only_if_they_say_the_same(
    one: tuple[str, str, object, object], other: tuple[str, str, object, object]
) -> None:
    (first,), (second,) = made([one]), made([other])
    assert (first.hash == second.hash) == ((first.actor, first.details) == (second.actor, second.details))
