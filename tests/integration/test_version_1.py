"""Results and rows of before schema version 2, as everything of ours reads them."""

import asyncio
import json
import sqlite3
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from daemon.cli.common import Chosen
from daemon.contracts.wire.words import Verb
from daemon.core.content.document import VERSION_1, result_schema
from tests.support.commands import Ended, invoke
from tests.support.inprocess import Lab, worked_off

pytestmark = pytest.mark.anyio

STORED = Path(__file__).parents[1] / "data" / "result.v1.json"
OLD: dict[str, Any] = json.loads(STORED.read_text())


def aged(lab: Lab) -> None:
    """Make the database's only result and the row of its task what a program of before version 2 wrote."""
    (database,) = lab.folder.rglob("introeval.db")
    with sqlite3.connect(database) as db:
        changed = db.execute(
            "UPDATE documents SET content = ? WHERE kind = 'result'", (STORED.read_bytes(),)
        ).rowcount
        assert changed == 1
        db.execute("UPDATE processing_tasks SET llama_result = ?", (json.dumps(OLD["evaluation"]),))
    db.close()


async def said(lab: Lab, *arguments: str) -> Ended:
    Chosen.file = lab.folder / "introeval.toml"
    done = await asyncio.to_thread(invoke, *arguments)
    assert done.exit_code == 0, done.output
    return done


def test_the_stored_result_is_of_version_1_and_of_no_other() -> None:
    jsonschema.validate(OLD, json.loads(VERSION_1.read_text()))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(OLD, result_schema())


def test_the_schema_of_each_version_can_be_printed() -> None:
    assert invoke("schema", "1").stdout == VERSION_1.read_text()
    assert json.loads(invoke("schema").stdout) == result_schema()
    assert invoke("schema", "3").exit_code != 0


async def test_an_old_rating_is_shown_rated_again_and_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lab = Lab(tmp_path)
    lab.hand_in("s001_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
    aged(lab)
    shown = (await said(lab, "task", "1")).stdout
    assert "  overall rating     7/10\n" in shown
    assert "  hobbies       chess\n" in shown
    assert "7/10" in (await said(lab, "tasks")).stdout
    async with lab.daemon() as daemon:
        await daemon.supervisor.ask(Verb.RATE, 1)
        await worked_off(daemon)
        compared = json.loads((await said(lab, "compare", "1", "--json")).stdout)
        assert "+0.00  (7.00 > 7.00)  0 of 1 changed\n" in (await said(lab, "compare", "1")).stdout
        new = (await said(lab, "task", "1")).stdout
    (task,) = compared["tasks"]
    assert (task["scores"], task["expected"], task["changed"]) == ({}, {}, [])
    assert {shift["by_expected"] for shift in compared["criteria"]} == {0}
    assert "  overall rating     7/10  expected 7.2, spread 0.6\n" in new
    assert '                    "I like chess" at 0:00.0\n' in new
    assert "  hobbies       chess  at 0:00.0\n" in new
    assert max(map(len, new.splitlines())) <= 80
    results = sorted(lab.results().values(), key=lambda each: int(each["revision"]))
    assert results[-1]["schema_version"] == 2
    assert results[-1]["profile_evidence"]["name"][0]["quote"] == "My name is Ada"
