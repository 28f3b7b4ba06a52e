"""Who gave an order: in the events, in the task's history and in the log; and how a student is left out."""

import os
import pwd
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import structlog.testing

from daemon.api.errors import account_of
from daemon.core.keeping.chain import broken
from daemon.store import audit
from daemon.system.state_folder import DATABASE
from tests.integration.test_api_routes import ask
from tests.support.inprocess import Lab, worked_off

ME = pwd.getpwuid(os.geteuid()).pw_name


def asked(logged: list[Any]) -> list[tuple[str, str]]:
    return [(line["actor"], line["what"]) for line in logged if line["event"] == "asked"]


@pytest.mark.anyio
async def test_orders_say_who_gave_them_and_forget_a_student_who_did(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.hand_in("s001_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        with structlog.testing.capture_logs() as logged:
            for path in ("/pause", "/resume", "/accept/outbox", "/tasks/1/deliver", "/tasks/1/rate"):
                assert (await ask(lab, "POST", path)).status_code == 200, path
            assert (await ask(lab, "POST", "/deadline", {"at": "2040-01-01T10:45:00Z"})).status_code == 200
            await ask(lab, "POST", "/forget/s002")
        assert asked(logged) == [
            (ME, what)
            for what in "pause,resume,accept outbox,tasks 1 deliver,tasks 1 rate,deadline,forget".split(",")
        ]
        await worked_off(daemon)
        events = daemon.events.recent(1000)
        orders = [event for event in events if event.kind == "order"]
        assert {event.actor for event in orders} == {ME}
        assert not any("2040" in event.message for event in orders), "no time of another zone"
        (rated,) = [event for event in events if "is rated again" in event.message]
        assert rated.actor == ME
        assert all(event.actor is None for event in events if event.kind == "phase")
        history = (await ask(lab, "GET", "/tasks/1")).json()["history"]
        assert [line["event"] for line in history if line["actor"] == ME] == ["deliver_again", "rated_again"]
        assert {line["actor"] for line in history} == {ME, None}
        entries = await daemon.session(audit.entries)
        assert [
            (entry.what, entry.actor.text) for entry in entries if entry.actor.text != audit.BY_ITSELF
        ] == [(what, ME) for what in ("pause", "resume", "deliver", "rate", "deadline")], (
            "nothing was accepted, and nobody forgotten"
        )

        lab.hand_in(f"{ME}_me.mp4")
        await worked_off(daemon)
        with structlog.testing.capture_logs() as logged:
            await ask(lab, "POST", "/pause")
            answer = await ask(lab, "POST", f"/forget/{ME}")
        assert ME not in str(logged)
        assert asked(logged) == [(f"uid {os.geteuid()}", "pause"), (f"uid {os.geteuid()}", "forget")]
        assert answer.json()["tasks"] == 1
        assert all(place.endswith(".account") for place in answer.json()["left"]), (
            "whose files the others' are"
        )
        assert {event.actor for event in daemon.events.recent(1000)} == {None}
        entries = await daemon.session(audit.entries)
        assert broken(entries) is None
        assert ME not in {entry.actor.text for entry in entries}
    with closing(sqlite3.connect(lab.config.paths.state / DATABASE)) as database:
        for table in ("task_events", "events"):
            assert database.execute(f"SELECT DISTINCT actor FROM {table}").fetchall() == [(None,)]


def test_a_user_without_an_account_is_a_number() -> None:
    assert account_of(os.geteuid()) == ME
    assert account_of(4_000_000_123) == "uid 4000000123"
