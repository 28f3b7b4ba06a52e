"""The ratings that were made again while nothing waited: of the last class alone, and beside its results."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from daemon.core.content.document import Profile, Speaking, Transcript
from daemon.core.content.steadiness import Expected, next_again, spread
from daemon.core.tasks.task import Status
from daemon.store import codec, settings
from daemon.store.database import Database, reads, writes
from daemon.store.models import TaskRow

_KEY = "rechecks"


@dataclass(frozen=True, slots=True)
class Again:
    """A rating to make again: the `times`-th time of this task's revision."""

    task_id: int
    revision: int
    times: int
    transcript: Transcript
    speaking: Speaking
    profile: Profile | None


class Spread(NamedTuple):
    """How far the ratings of one task lie apart, in points by criterion; its own rating is one of them."""

    task_id: int
    student: str
    ratings: int
    points: dict[str, float]


@reads
def next_one(db: Database, since: float, times: int) -> Again | None:
    """The next of the tasks that came since then (epoch seconds); None when nothing is left to do."""
    rows = {row.id: row for row in _rated(db, since)}
    kept = _kept(db)
    done = {task: len(_of(kept, row)) for task, row in rows.items()}
    task = next_again(rows, done, times)
    if task is None:
        return None
    row = rows[task]
    transcript, speaking = codec.read_stt(row.stt_result)
    assert transcript is not None
    assert speaking is not None
    return Again(task, row.revision, done[task] + 1, transcript, speaking, codec.read_form(row))


@writes
def add(db: Database, since: float, again: Again, expected: Expected) -> None:
    """Keep a rating that was made again. What is kept of tasks from before `since` is dropped."""
    kept = _kept(db)
    mine = {str(row.id): {"revision": row.revision, "ratings": _of(kept, row)} for row in _rated(db, since)}
    if (entry := mine.get(str(again.task_id))) is not None and entry["revision"] == again.revision:
        entry["ratings"] = [*entry["ratings"], dict(expected)]
    settings.put(db, _KEY, {task: entry for task, entry in mine.items() if entry["ratings"]})


@reads
def spreads(db: Database) -> list[Spread]:
    """What is known of each task that was rated again, by id."""
    kept = _kept(db)
    found = []
    mine = TaskRow.id.in_([int(task) for task in kept])
    for row in TaskRow.select().where(mine).order_by(TaskRow.id).execute(db):
        ratings = [rating for rating in (_first(row), *_of(kept, row)) if rating]
        if len(ratings) > 1:
            found.append(Spread(row.id, row.user_id, len(ratings), spread(ratings)))
    return found


def _rated(db: Database, since: float) -> list[Any]:
    done = (TaskRow.status == Status.COMPLETED.value) & (TaskRow.upload_timestamp >= since)
    by_model = TaskRow.llama_result.is_null(False) & TaskRow.error_code.is_null()
    rows = TaskRow.select().where(done & by_model).execute(db)
    return [row for row in rows if codec.read_evaluation(row.llama_result) is not None]


def _kept(db: Database) -> dict[str, Any]:
    kept: dict[str, Any] = settings.get(db, _KEY, {})
    return kept


def _of(kept: dict[str, Any], row: Any) -> list[Expected]:
    entry = kept.get(str(row.id))
    return entry["ratings"] if entry is not None and entry["revision"] == row.revision else []


def _first(row: Any) -> Expected:
    evaluation = codec.read_evaluation(row.llama_result)
    scores = {} if evaluation is None else evaluation.scores
    return {name: scored.model_expected for name, scored in scores.items()}
