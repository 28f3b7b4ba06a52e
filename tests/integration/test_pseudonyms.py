"""What the log says of students: nothing, or a pseudonym by which their lines can be followed."""

import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog

from daemon.cli.run import log_to_file
from daemon.contracts.values import Ticket
from daemon.contracts.wire.words import Order, Verb
from daemon.core.alarms import KINDS, trouble
from daemon.core.errors import Blame, Fault
from daemon.core.tasks.task import Stage
from daemon.monitoring.pseudonyms import KEY_FILE, Pseudonyms
from tests.integration.test_api_routes import ask
from tests.integration.test_cli_daemon import run
from tests.support.inprocess import Lab, worked_off
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

STUDENTS = ["Zebulon.Quist", "o-brien-77", "Wilhelmina", "xavier_ossington"]
FILES = [
    "Zebulon.Quist/mein Vorstellungsvideo \N{PARTY POPPER} final (2).mp4",
    "o-brien-77/$(touch owned); `id`.mp4",
    "Wilhelmina/[bold red]caf\u0065\u0301[-] %s %d {x}.mp4",
    "xavier_ossington/hidden\ttab\nnewline.mp4",
    "Wilhelmina/notes of Wilhelmina.txt",
    "Zebulon.Quist/Hochzeitsrede.docx",
]
NAMED = re.compile(
    "zebulon|quist|brien|wilhelmina|xavier|ossington|vorstellung|owned|bold red|caf|hidden|notes of|hochzeit",
    re.IGNORECASE,
)


def odd(stage: Stage, ticket: Ticket) -> Fault | None:
    """One task fails for good, and one at its first attempt; both faults name student and file."""
    if ticket.task_id == 1 and stage is Stage.EXTRACT:
        return Fault(Blame.PERMANENT, "hopeless", "the Hochzeitsrede of Zebulon.Quist cannot be read")
    if ticket.task_id == 2 and ticket.attempt == 1:
        return Fault(Blame.TASK, "bad_answer", "the answer for o-brien-77 is no JSON")
    return None


@contextmanager
def logged(lab: Lab) -> Iterator[Path]:
    """The daemon's log, as the service writes it, to file and journal."""
    handlers = logging.getLogger().handlers[:]
    log_to_file(lab.config)
    try:
        yield lab.config.paths.state / "log"
    finally:
        structlog.reset_defaults()
        logging.basicConfig(handlers=handlers, force=True)


async def odd_class(lab: Lab) -> tuple[Path, str]:
    """A class of odd names with faults, requests, refusals, alarms, and a student who is forgotten. Gives the
    folder of the logs, and the metrics.
    """
    with logged(lab) as folder:
        async with lab.daemon() as daemon:
            await daemon.supervisor.order(Order.PAUSE)
            for name in FILES:
                lab.hand_in(name)
            await until(lambda: len(daemon.supervisor.tasks) == 4)
            for verb in (Verb.NEXT, Verb.IN_TURN, Verb.HOLD, Verb.RELEASE):
                await daemon.supervisor.ask(verb, 3, actor="Wilhelmina")
            await daemon.supervisor.order(Order.RESUME, actor="Wilhelmina")
            await worked_off(daemon)
            for kind, known in KINDS.items():
                if known.private:
                    denied = "Wilhelmina/notes.txt is denied"
                    daemon.alarms.set(trouble(f"{kind} Wilhelmina/notes.txt", denied))
            metrics = (await ask(lab, "GET", "/metrics")).text
            await run(lab, "forget", "xavier_ossington", "--yes")
            await run(lab, "backup", str(lab.folder / "class.tar"))
    return folder, metrics


def lines(folder: Path) -> list[dict[str, Any]]:
    text = (folder / "daemon.log").read_text()
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


@pytest.mark.parametrize("hash_ids", [False, True])
async def test_neither_logs_nor_metrics_name_a_student_or_a_file(tmp_path: Path, hash_ids: bool) -> None:
    lab = Lab(
        tmp_path,
        script=odd,
        settings={"logs.hash_ids": hash_ids, "retry.max_retry_count": 2, "hooks.command": ["/bin/false"]},
    )
    folder, metrics = await odd_class(lab)
    assert len(lab.results()) >= 3
    for file in folder.iterdir():
        assert not (found := NAMED.search(file.read_text(errors="replace"))), (file.name, found)
    assert not NAMED.search(metrics)
    of_tasks: dict[int, set[str]] = {}
    for line in lines(folder):
        if "task_id" in line:
            of_tasks.setdefault(line["task_id"], set()).add(line.get("student", ""))
    assert of_tasks.keys() == {1, 2, 3, 4}
    shown = [next(iter(names)) for names in of_tasks.values() if len(names) == 1]
    assert len(set(shown)) == (4 if hash_ids else 1), "one pseudonym for all lines of a student"
    assert all(re.fullmatch("[0-9a-f]{12}" if hash_ids else "", each) for each in shown)


async def test_after_a_student_was_forgotten_no_id_leads_to_an_earlier_line(tmp_path: Path) -> None:
    lab = Lab(tmp_path, settings={"logs.hash_ids": True})
    for student in ("anna", "ben"):
        lab.hand_in(f"{student}_me.mp4")
    with logged(lab) as folder:
        async with lab.daemon() as daemon:
            await worked_off(daemon)
            state = lab.config.paths.state
            before = {Pseudonyms(state)(student) for student in ("anna", "ben")}
            assert before == {line["student"] for line in lines(folder) if "student" in line}
            assert ((state / KEY_FILE).stat().st_mode & 0o777) == 0o600
            assert (await run(lab, "forget", "anna", "--yes")).exit_code == 0
            assert not (state / KEY_FILE).exists()
            lab.hand_in("anna_again.mp4")
            await worked_off(daemon)
            assert Pseudonyms(state)("anna") not in before
            assert Pseudonyms(state)("anna") in {line.get("student") for line in lines(folder)}


def test_without_a_place_for_the_key_there_is_no_pseudonym_and_no_error(tmp_path: Path) -> None:
    assert Pseudonyms(tmp_path / "missing")("anna") == ""
    (tmp_path / KEY_FILE).write_bytes(b"part")
    assert re.fullmatch("[0-9a-f]{12}", Pseudonyms(tmp_path)("anna"))
