"""The class of a scripted daemon: its students, its results in the order of doubt, and decisions on them."""

import copy
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from daemon.contracts.wire.classes import ClassShown, StudentLine
from daemon.contracts.wire.review import ReviewLine, ReviewPage
from daemon.core.timestamps import to_iso

if TYPE_CHECKING:
    from daemon.contracts.wire.tasks import TaskLine
    from tests.tui.fake_daemon import FakeDaemon

STANDINGS = ("missing", "in_work", "unreadable", "needs_review", "held", "released")


def standing_of(line: "TaskLine") -> str:
    """Where a task leaves its student."""
    if line.outcome is None:
        return "in_work"
    if line.decided_by is not None:
        return "released"
    return {"evaluated": "held", "needs_review": "needs_review"}.get(line.outcome, "unreadable")


def shown(fake: "FakeDaemon", name: str) -> ClassShown:
    """The class with one student for each task, and two who have handed in nothing."""
    students = [
        StudentLine(
            student=line.student,
            name=f"Student {line.id}",
            standing=standing_of(line),
            held="nobody has decided on it" if standing_of(line) == "held" else "",
            tasks=[line.id],
            counts=line.id,
            rating=line.rating,
            decided_by=line.decided_by,
        )
        for line in fake.tasks
    ]
    students += [StudentLine(student=f"s09{n}", name="Ana Berg", standing="missing") for n in (1, 2)]
    counts = dict.fromkeys(STANDINGS, 0) | Counter(line.standing for line in students)
    counts |= {"handed_in": len(fake.tasks), "doubled": 0, "unknown": 0, "late": 0}
    return ClassShown(
        name="intro" if name == "current" else name,
        opened_at=to_iso(1_699_990_000.0),
        students=len(students),
        counts=counts,
        lines=students,
    )


def review(fake: "FakeDaemon", name: str, params: dict[str, list[str]]) -> ReviewPage:
    """The results that ended, the first the most doubtful."""
    ended = [fake.offering(line) for line in fake.tasks if line.status == "completed"]
    left = [line for line in ended if line.decided_by is None]
    chosen = ended if params.get("every") == ["true"] else left
    offset, limit = int(params.get("offset", ["0"])[0]), int(params.get("limit", ["100"])[0])
    lines = [
        ReviewLine(
            task=line,
            name=f"Student {line.id}",
            standing=standing_of(line),
            doubts=fake.doubts if line.outcome == "needs_review" else [],
            result=fake.results_of(line)[-1],
        )
        for line in chosen[offset : offset + limit]
    ]
    return ReviewPage(class_name="intro", total=len(chosen), left=len(left), lines=lines)


def decide(fake: "FakeDaemon", number: int, body: bytes) -> str | None:
    """Record a decision; why it is refused."""
    line = next(each for each in fake.tasks if each.id == number)
    wanted: dict[str, Any] = json.loads(body)
    if wanted.get("revision") not in (None, line.revision):
        return f"task {number} has another result since, revision {line.revision}"
    results = fake.results_of(line)
    result = copy.deepcopy(results[-1])
    own = result.get("evaluation") or {"feedback": "", "suggestions": []}
    changed = {key: value for key, value in (wanted.get("scores") or {}).items() if own.get(key) != value}
    if wanted.get("feedback"):
        changed["feedback"] = wanted["feedback"]
    result["decision"] = {
        "kind": "changed" if changed else "accepted",
        "by": wanted.get("by") or "roe",
        "account": "roe",
        "at": to_iso(1_700_000_000.0),
        "reason": wanted.get("reason", ""),
        "before": {f"evaluation.{key}": own.get(key) for key in changed},
    }
    result |= {"evaluation": own | changed, "revision": line.revision + 1, "outcome": "evaluated"}
    fake.results[number] = [*results, result]
    rating = result["evaluation"].get("overall_rating")
    fake.change(number, revision=line.revision + 1, outcome="evaluated", decided_by="roe", rating=rating)
    return None


def undo(fake: "FakeDaemon", number: int) -> None:
    """Take a decision back."""
    line = next(each for each in fake.tasks if each.id == number)
    results = fake.results_of(line)
    own = copy.deepcopy(next(each for each in reversed(results) if not each.get("decision")))
    fake.results[number] = [*results, own | {"revision": line.revision + 1}]
    fake.change(
        number,
        revision=line.revision + 1,
        outcome=own["outcome"],
        decided_by=None,
        rating=(own.get("evaluation") or {}).get("overall_rating"),
    )
