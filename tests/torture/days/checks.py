"""The promises, checked from outside after each life, and in the database in the evening."""

import json
import re
from collections import Counter
from hashlib import sha256
from pathlib import Path

from daemon.app.parts import Daemon
from daemon.core.keeping import chain
from daemon.core.tasks.task import FINAL, TRANSITIONS, Event, Status
from daemon.store import audit
from daemon.store.database import Database
from tests.torture.days import outside
from tests.torture.days.lab import Lab

_SUCCESSES = ("transcribed", "unscorable", "extracted", "rated")
_KEPT = ("spool", "archive", "rejected", "received")
_OF_CLOCKS = ("clock",)
_RETENTION_S = (
    1200.0  # until it has looked twice: a disk that is away for some calls meets the first look, too
)
_AFTER_A_LOSS = (*_OF_CLOCKS, "older_database", "spool_adopted", "spool_unknown", "intake_orphan")


def at_rest(lab: Lab) -> None:
    """What must hold on the disk whenever no daemon runs: each video is somewhere, no file was changed."""
    outside.look(lab)
    inbox = lab.inbox.with_name("inbox.away") if "inbox" in lab.away else lab.inbox
    there = {
        path.read_bytes()
        for root in (inbox, *(lab.state / name for name in _KEPT))
        for path in root.rglob("*")
        if path.is_file() and not path.is_symlink()
    }
    for upload in lab.uploads:
        if upload.at is not None and upload.kind != "link" and upload.content not in there:
            lab.find("lost", f"the video of upload {upload.number} ({upload.path}) is nowhere")


def in_the_evening(lab: Lab, daemon: Daemon) -> None:
    """What must hold once all is worked off."""
    db = daemon.session.db
    outside.look(lab)
    if lab.forgot:
        _answered(lab)
    else:
        _uploads(lab, db)
        _documents(lab, db)
    _tasks(lab, db)
    _history(lab, db)
    _left_over(lab, db)
    if (fault := chain.broken(audit.entries(db))) is not None:
        lab.find("other", f"the audit is broken: {fault}")
    for alarm in daemon.alarms.all:
        fresh = alarm.code == "retention" and lab.clock.wall() - alarm.since <= _RETENTION_S
        if not fresh and alarm.code.split()[0] not in (_AFTER_A_LOSS if lab.forgot else _OF_CLOCKS):
            lab.find("left over", f"alarm {alarm.code}: {alarm.trouble.cause}")
    lab.count("evenings")


def _uploads(lab: Lab, db: Database) -> None:
    """Each upload became one task, or one refusal."""
    rows = db.execute_sql(
        "SELECT c.path, c.step, t.id, t.sha256 FROM claims c "
        "LEFT JOIN processing_tasks t ON t.claim_id = c.id"
    ).fetchall()
    done = Counter(Path(path.decode()).name for path, step, *_ in rows if step == "done")
    contents = {Path(path.decode()).name: digest for path, step, task, digest in rows if task is not None}
    for upload in lab.uploads:
        if upload.at is None:
            continue
        name = Path(upload.path).name
        if done[name] != 1:
            kind = "doubled" if done[name] else "lost"
            lab.find(kind, f"upload {upload.number} ({upload.path}) was taken {done[name]} times")
        elif name in contents and contents[name] != sha256(upload.content).hexdigest():
            lab.find("lost", f"the task of upload {upload.number} has other content")


def _answered(lab: Lab) -> None:
    """Each upload has a result or a refusal, of whichever database; or it is where an alarm or the folder of
    refused files shows it: of what was claimed in the inbox, or refused without a word, nobody else knows.
    """
    shown = {path.read_bytes() for path in lab.inbox.rglob(".introeval-*") if path.is_file()}
    shown |= {path.read_bytes() for path in (lab.state / "rejected").rglob("*") if path.is_file()}
    read = [json.loads(path.read_bytes()) for path in lab.outbox.glob("*/*.json")]
    answered = {str(each["source"]["sha256"]) for each in read if "outcome" in each}
    refused = {str(each.get("filename")) for each in read if "outcome" not in each}
    for upload in lab.uploads:
        digest, name = sha256(upload.content).hexdigest(), Path(upload.path).name
        known = digest in answered or name in refused or upload.content in shown
        if upload.at is not None and not known:
            lab.find("lost", f"upload {upload.number} ({upload.path}) has neither result nor refusal")


def _tasks(lab: Lab, db: Database) -> None:
    query = "SELECT id, status, revision, user_id, sha256, video, file_path FROM processing_tasks"
    for task_id, status, revision, student, digest, video, path in db.execute_sql(query).fetchall():
        if Status(status) not in FINAL:
            lab.find("left over", f"task {task_id} is {status}")
            continue
        if video == "archive" and sha256(Path(path).read_bytes()).hexdigest() != digest:
            lab.find("lost", f"the archived video of task {task_id} has other content")
        rows = db.execute_sql(
            "SELECT revision, content FROM documents WHERE task_id = ? AND kind = 'result'", (task_id,)
        ).fetchall()
        if sorted(number for number, _ in rows) != list(range(1, revision + 1)):
            found = sorted(number for number, _ in rows)
            kind = "lost" if len(found) < revision else "doubled"
            lab.find(kind, f"task {task_id} has revision {revision}, and results {found}")
        for number, content in rows:
            _result(lab, task_id, number, student, digest, json.loads(content))


def _result(
    lab: Lab, task_id: int, revision: int, student: str, digest: str, result: dict[str, object]
) -> None:
    """A result is of its own video, and failed only for a reason that its attempts have given."""
    source = result["source"]
    assert isinstance(source, dict)
    found = (result["task_id"], result["student_id"], result["revision"], source["sha256"])
    if found != (task_id, student, revision, digest):
        lab.find("other", f"the result {revision} of task {task_id} is of {found}")
    error = result["error"]
    if result["outcome"] != "failed" or not isinstance(error, dict):
        return
    if error["stage"] is not None and error["code"] in ("bad_answer", "server_error", "died", "server_busy"):
        faults = Counter(lab.faults.get((task_id, revision, error["stage"]), ()))
        if not (faults["task"] >= 3 or faults["death"] >= 2):
            lab.find("other", f"task {task_id}.r{revision} failed after {dict(faults)}: {error}")


def _history(lab: Lab, db: Database) -> None:
    """The history of each task is a way through the table of transitions, and no stage succeeded twice."""
    query = "SELECT task_id, revision, event, from_status, to_status FROM task_events ORDER BY id"
    contents = dict(db.execute_sql("SELECT id, user_id || ' ' || sha256 FROM processing_tasks").fetchall())
    status: dict[int, str] = {}
    successes: Counter[tuple[int, int, str]] = Counter()
    for task_id, revision, event, before, after in db.execute_sql(query).fetchall():
        if before is not None and task_id in status and before != status[task_id]:
            lab.find("other", f"task {task_id} was {status[task_id]}, and {event} from {before}")
        if before is None:  # a birth
            twins = [other for other in status if contents[other] == contents[task_id]]
            for twin in twins:
                if status[twin] not in (Status.FAILED, Status.CANCELLED):
                    lab.find("doubled", f"task {task_id} is task {twin} again, which is {status[twin]}")
        status[task_id] = after
        if event in set(Event) and before != after and TRANSITIONS.get((before, event)) != after:
            lab.find("other", f"task {task_id} went from {before} by {event} to {after}")
        if event in _SUCCESSES:
            successes[task_id, revision, event] += 1
    for (task_id, revision, event), times in successes.items():
        if times > 1:
            lab.find("repeated", f"task {task_id}.r{revision} was {event} {times} times")


def _documents(lab: Lab, db: Database) -> None:
    """Each document was delivered once, with the bytes of the database, and is there or was taken."""
    names: Counter[str] = Counter()
    query = "SELECT name, content, delivered_at FROM documents"
    for name, content, delivered in db.execute_sql(query).fetchall():
        names[name] += 1
        if delivered is None:
            lab.find("left over", f"{name} is not delivered")
            continue
        digest = sha256(content).hexdigest()
        if lab.published.get(name) != digest:
            lab.find("lost", f"{name} is not in the outbox with the bytes of the database")
        there = (lab.outbox / name).exists()
        if there and lab.taken.get(name):
            lab.find("doubled", f"{name} was delivered and taken, and is there again")
        if not there and name not in lab.taken:
            lab.find("lost", f"{name} is gone from the outbox")
    for name, times in names.items():
        if times > 1:
            lab.find("doubled", f"{times} documents are called {name}")
    claims = {claim_id for (claim_id,) in db.execute_sql("SELECT id FROM claims").fetchall()}
    for name in lab.published.keys() - names.keys():
        reason = re.match(r"_rejected/([^-]+)-.*\.reason\.json$", name)
        if reason is None or reason[1] in claims:  # else the refused file's time is over
            lab.find("left over", f"{name} is in the outbox, and in no row")
    lab.counts["results"] = sum(1 for name in names if name.endswith(".result.json"))


def _left_over(lab: Lab, db: Database) -> None:
    places = {
        "inbox": [path for path in lab.inbox.rglob("*") if not path.is_dir()],
        "spool": [*(lab.state / "spool").iterdir(), *(lab.state / "unpacked").iterdir()],
        "outbox": list(lab.outbox.rglob(".*")),
        "decoded": [path for path in (lab.state / "decoded").iterdir() if path.name != "canary.pcm"],
    }
    for place, paths in places.items():
        for path in paths:
            claimed = lab.forgot and place == "inbox" and path.name.startswith(".introeval-")
            if path.name not in (".share", ".introeval.place") and not claimed:
                lab.find("left over", f"{place}: {path.relative_to(lab.folder)}")
    query = "SELECT id, step FROM claims WHERE step IN ('seen', 'spooled')"
    for claim_id, step in db.execute_sql(query).fetchall():
        lab.find("left over", f"claim {claim_id} is {step}")
