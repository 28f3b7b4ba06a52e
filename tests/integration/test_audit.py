"""`introeval audit`: the entries, the bundle of a class, and both after a student is forgotten."""

import hashlib
import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
import structlog.testing

from daemon.core.errors import AuditBroken, UsageError
from daemon.core.keeping.bundle import verify
from daemon.core.tasks.task import Stage
from daemon.llm.prompts import OURS
from daemon.system.state_folder import DATABASE
from tests.integration.test_api_routes import ask
from tests.integration.test_cli_daemon import run
from tests.support.inprocess import Lab, worked_off

pytestmark = pytest.mark.anyio
TEMPLATE = OURS / "rate.v4.j2"
TODAY = time.strftime("%Y-%m-%d")


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


async def a_class(lab: Lab) -> None:
    """Three students, one of them of yesterday, with some orders."""
    calibration = lab.config.paths.state / "calibrations" / "1.json"
    calibration.parent.mkdir(parents=True)
    calibration.write_text('{"number": 1}')
    named = {"prompt_sha256": digest(TEMPLATE), "schema_sha256": digest(calibration)}
    async with lab.daemon() as daemon:
        lab.engines[Stage.RATE].provenance = named
        for name in ("s001_selfie.mp4", "s002_me.mp4", "s003_me.mp4"):
            lab.hand_in(name)
        await worked_off(daemon)
        for path in ("/pause", "/resume", "/tasks/1/deliver", "/tasks/3/deliver"):
            assert (await ask(lab, "POST", path)).status_code == 200, path
        await worked_off(daemon)
    with closing(sqlite3.connect(lab.config.paths.state / DATABASE)) as database, database:
        values = ("2026-01-01T12:00:00.000000Z", "s003")
        database.execute("UPDATE processing_tasks SET upload_timestamp = ? WHERE user_id = ?", values)


async def test_a_class_is_bundled_verified_and_still_whole_once_a_student_is_forgotten(
    tmp_path: Path,
) -> None:
    lab = Lab(tmp_path)
    await a_class(lab)
    bundle = tmp_path / "class.tar"
    written = await run(lab, "audit", "today", "--to", str(bundle))
    assert written.exception is None, written.stderr
    head = written.stdout.split()[-1]
    found = verify(bundle.read_bytes())
    calibration = lab.config.paths.state / "calibrations" / "1.json"
    assert f"rubric/{digest(TEMPLATE)}.j2" in found.manifest.members
    assert f"calibration/{digest(calibration)}.json" in found.manifest.members
    assert {each.name.split("/")[0] for each in found.manifest.results} == {"s001", "s002"}
    assert [entry.what for entry in found.entries] == [
        "in force", "delivered", "delivered", "pause", "resume", "deliver", "delivered",
    ]  # fmt: skip
    assert (len(found.hashes), found.unrecorded) == (10, [])
    assert bundle.stat().st_mode & 0o077 == 0
    again = await run(lab, "audit", TODAY, "--to", str(bundle))
    assert again.stdout == written.stdout, "the same bytes, and so no second file"
    verified = await run(lab, "audit", "--verify", str(bundle), "--head", head)
    assert verified.stdout == written.stdout

    changed = tmp_path / "changed.tar"
    changed.write_bytes(bundle.read_bytes().replace(b'"rating"', b'"Rating"', 1).replace(b"s002", b"s009", 1))
    done = await run(lab, "audit", "--verify", str(changed))
    assert isinstance(done.exception, AuditBroken)
    assert done.exception.exit_code == 27
    for words, error in (
        (("--verify", str(bundle), "2026-01-01"), AuditBroken),
        (("--verify", str(bundle), "--head", "0" * 64), AuditBroken),
        (("--verify", str(tmp_path / "none.tar")), UsageError),
        (("2026-01-01", "--to", str(bundle)), UsageError),
        (("--to", str(bundle)), UsageError),
    ):
        done = await run(lab, "audit", *words)
        assert isinstance(done.exception, error), words
        assert "\n" not in str(done.exception)

    assert (await run(lab, "forget", "s001", "--yes")).exception is None
    content = b"".join(path.read_bytes() for path in lab.config.paths.state.rglob("*") if path.is_file())
    assert b"s001" not in content
    assert b"selfie" not in content
    after = tmp_path / "after.tar"
    assert (await run(lab, "audit", "today", "--to", str(after), "--head", head)).exception is None
    assert b"s001" not in after.read_bytes()
    found = verify(after.read_bytes())
    assert [each.name.split("/")[0] for each in found.manifest.results] == ["s002"]
    assert [(entry.what, entry.details.text is None) for entry in found.entries] == [
        ("in force", False), ("delivered", True), ("delivered", False), ("pause", False), ("resume", False),
        ("deliver", True), ("delivered", True), ("forget", False),
    ]  # fmt: skip
    (tmp_path / "outbox" / found.manifest.results[0].name).write_text("{}")
    said = await run(lab, "audit", "today", "--to", str(after))
    assert "is not what was delivered" in said.stderr


async def test_the_entries_are_shown_in_80_columns_and_a_changed_database_is_told(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    await a_class(lab)
    shown = await run(lab, "audit")
    assert shown.exception is None
    lines = shown.stdout.splitlines()
    assert all(len(line) <= 80 for line in lines), lines
    assert [line.split()[0] for line in lines] == ["entry", *map(str, range(1, 11)), "head"]
    entries = json.loads((await run(lab, "audit", "--json", "--limit", "5")).stdout)
    assert sorted(each["what"] for each in entries[1:]) == ["deliver"] * 2 + ["delivered"] * 2
    assert (entries[0]["what"], entries[0]["before"]["paused"]) == ("resume", True)
    with closing(sqlite3.connect(lab.config.paths.state / DATABASE)) as database, database:
        database.execute("DROP TRIGGER audit_changed")
        database.execute("UPDATE audit SET actor = 'nobody' WHERE what = 'pause'")
    for words in ((), ("today",), ("2026-01-01",)):
        done = await run(lab, "audit", *words)
        assert isinstance(done.exception, AuditBroken)
        assert "entry 5 of the audit" in str(done.exception)


async def test_what_is_in_force_is_an_entry_at_a_start_and_whenever_it_changes(tmp_path: Path) -> None:
    rubric = tmp_path / "rubric"
    rubric.mkdir()
    template = TEMPLATE.read_text()
    (rubric / "rate.v4.j2").write_text(template)
    lab = Lab(
        tmp_path,
        settings={
            "prompts.folder": str(rubric),
            "rate.seed": 1,
            "alerts.webhook": "http://a:secret@b",
            "hooks.webhook": "http://a:secret@b",
            "hooks.secret_file": "key",
        },
    )
    for _ in range(2):
        async with lab.daemon():
            pass
    lab.settings["rate.seed"] = 2
    lab.hand_in("s001_me.mp4")
    with structlog.testing.capture_logs() as logged:
        async with lab.daemon() as daemon:
            await worked_off(daemon)
            (rubric / "rate.v4.j2").write_text(template + "Be just.\n")
            daemon.rubric.renew()
    entries = json.loads((await run(lab, "audit", "--json")).stdout)
    first, seed, delivered, changed = entries
    assert {first["what"], seed["what"], changed["what"]} == {"in force"}
    assert (first["before"], first["after"]["rate.seed"]) == (None, 1)
    assert "secret" not in json.dumps(entries)
    assert (seed["before"], seed["after"]) == ({"rate.seed": 1}, {"rate.seed": 2})
    assert changed["after"] == {"rubric.rate": digest(rubric / "rate.v4.j2")}
    (head,) = [line for line in logged if line["event"] == "the audit at the end of the class"]
    assert (head["entry"], head["hash"]) == (3, delivered["hash"])
