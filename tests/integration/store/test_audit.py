"""The audit table: written with the change that it records, append-only, and emptied of a student."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from daemon.contracts.documents import Kind
from daemon.contracts.wire.words import Verb
from daemon.core.errors import IllegalTransition, StoreError
from daemon.core.keeping.chain import broken
from daemon.core.keeping.traces import Traces
from daemon.core.tasks.task import Event
from daemon.store import Database, audit, documents, reopening, settings
from daemon.store.database import overwrite, writes
from tests.integration.stores import NOW, birth, born, completed, deliver_all, walk


def add(store: Database, subject: str = "daemon", actor: str = "ann", after: object = None) -> None:
    audit.append(store, at=NOW, actor=actor, what="override", subject=subject, before=None, after=after)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM audit WHERE number = 2",
        "DELETE FROM audit",
        "UPDATE audit SET at = 'x'",
        "UPDATE audit SET actor = 'bob'",
        "UPDATE audit SET details = NULL",
        "UPDATE audit SET actor_salt = NULL",
        "UPDATE OR REPLACE audit SET number = 1 WHERE number = 2",
        "INSERT OR REPLACE INTO audit SELECT * FROM audit WHERE number = 2",
        "INSERT INTO audit SELECT 7, at, what, actor, actor_salt, actor_digest, details, details_salt, "
        "details_digest, previous, hash FROM audit WHERE number = 2",
    ],
)
def test_nothing_is_deleted_or_changed(store: Database, statement: str) -> None:
    for subject in ("task 1", "task 2", "daemon"):
        add(store, subject)
    before = audit.entries(store)

    @writes
    def change(db: Database) -> None:
        db.execute_sql(statement)

    with pytest.raises(StoreError, match="append-only"):
        change(store)
    assert audit.entries(store) == before
    assert broken(before) is None


def test_an_entry_stands_or_falls_with_the_change_that_it_records(store: Database) -> None:
    @writes
    def ordered(db: Database, *, fails: bool) -> None:
        settings.put(db, "orders", {"paused": True})
        add(db, after={"paused": True})
        if fails:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ordered(store, fails=True)
    assert (settings.get(store, "orders"), audit.entries(store)) == (None, [])
    ordered(store, fails=False)
    assert [entry.number for entry in audit.entries(store)] == [1]


def test_a_forgotten_student_is_gone_from_the_entries_and_the_chain_is_whole(
    store: Database, path: Path
) -> None:
    add(store, "task 1", after={"name": "s001/0001-selfie.result.json"})
    add(store, "task 2", after={"name": "s0012/0002-me.result.json"})
    add(store, "class 2026-11-27", after={"anchors": ["s001", "s0012"]})
    add(store, "daemon", actor="s001", after={"paused": True})
    hashes = [entry.hash for entry in audit.entries(store)]
    audit.forget(store, Traces("s001"), [1], at=NOW, actor="s001")
    overwrite(store)
    entries = audit.entries(store)
    assert broken(entries) is None
    assert [entry.hash for entry in entries][:4] == hashes
    assert [entry.actor.text for entry in entries] == [
        "ann", "ann", "ann", None, "(a forgotten student)",
    ]  # fmt: skip
    assert [entry.number for entry in entries if entry.details.text is None] == [1, 3]
    for file in path.parent.iterdir():
        content = file.read_bytes()
        assert b"selfie" not in content
        assert b"s001" not in content.replace(b"s0012", b"")


@pytest.mark.parametrize("student", ["1", "paused", "override", "task", "details", "student"])
def test_a_student_named_like_a_word_of_ours_takes_nobody_elses_entries(
    store: Database, student: str
) -> None:
    add(store, "task 1", after={"revision": 1, "override": "details"})
    add(store, "daemon", after={"paused": True})
    audit.forget(store, Traces("other"), [], at=NOW, actor="ann")
    audit.forget(store, Traces(student), [2], at=NOW, actor="ann")
    assert all(entry.details.text for entry in audit.entries(store))


def test_each_order_for_a_task_is_an_entry_with_its_account_and_what_it_changed(store: Database) -> None:
    (task,) = born(store, birth("a"))
    reopening.hold(store, task.id, NOW, "ann", held=True)
    reopening.hold(store, task.id, NOW, "ann", held=False)
    with pytest.raises(IllegalTransition):
        reopening.hold(store, task.id, NOW, "ann", held=False)  # refused, and so no entry
    reopening.put_first(store, task.id, NOW, "ann", first=True)
    reopening.put_first(store, task.id, NOW, "ann", first=False)
    walk(store, task, Event.ADMITTED, Event.STARTED, Event.FAILED)
    reopening.acknowledge(store, task.id, NOW, "ann")
    deliver_all(store)
    reopening.deliver_again(store, task.id, NOW, "ann")
    completed(store, reopening.retry(store, task.id, NOW, "ann"))
    reopening.rate_again(store, task.id, NOW, "ann")
    reopening.request_cancel(store, task.id, NOW, "ann")
    written = [entry for entry in audit.entries(store) if entry.actor.text == "ann"]
    assert {entry.what for entry in written} == set(Verb)
    said = [json.loads(entry.details.text or "") for entry in written]
    assert {each["subject"] for each in said} == {f"task {task.id}"}
    moved = {"revision": (1, 2), "acknowledged": (True, False), "status": ("failed", "uploaded")}
    assert [(entry.what, changes(each)) for entry, each in zip(written, said, strict=True)] == [
        ("hold", {"held": (False, True)}),
        ("release", {"held": (True, False)}),
        ("next", {"first": (False, True)}),
        ("in_turn", {"first": (True, False)}),
        ("acknowledge", {"acknowledged": (False, True)}),
        ("deliver", {"delivered": (True, False)}),
        ("retry", moved),
        ("rate", {"revision": (2, 3), "status": ("completed", "mistral_complete")}),
        ("cancel", {"cancel_requested": (False, True)}),
    ]


def changes(details: dict[str, Any]) -> dict[str, tuple[object, object]]:
    before, after = details["before"], details["after"]
    return {name: (before[name], after[name]) for name in before if before[name] != after[name]}


def test_each_delivered_result_is_an_entry_with_the_hash_of_its_file(store: Database) -> None:
    (task,) = born(store, birth("a"))
    completed(store, task)
    waiting = [each for each in documents.undelivered(store, 9) if each.kind is Kind.RESULT]
    deliver_all(store)
    deliver_all(store)  # marked again after a crash
    (entry,) = audit.entries(store)
    assert (entry.what, entry.actor.text) == ("delivered", audit.BY_ITSELF)
    (result,) = waiting
    assert json.loads(entry.details.text or "") == {
        "subject": f"task {task.id}",
        "before": None,
        "after": {
            "revision": 1,
            "name": result.name,
            "sha256": hashlib.sha256(result.content).hexdigest(),
        },
    }
