"""Transitions: every change of a task's status but its birth and its reopening is committed here."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from daemon.contracts.documents import Document, Kind
from daemon.contracts.values import (
    Change,
    Extracted,
    Failed,
    Provenance,
    Rated,
    StageOutcome,
    Transcribed,
    Unscorable,
)
from daemon.core.content.document import ErrorPart, Flag
from daemon.core.content.result import Dossier, compose, to_bytes
from daemon.core.errors import Fault, IllegalTransition
from daemon.core.intake.naming import result_name
from daemon.core.tasks.task import FINAL, Event, Stage, next_status, phase_of
from daemon.store import calibration, classes, codec, history
from daemon.store.database import Database, writes
from daemon.store.documents import add_document
from daemon.store.found import find
from daemon.store.heard_names import with_roster_name
from daemon.store.models import TaskRow
from daemon.store.statements import update

_ANSWERS: dict[Event, type[StageOutcome]] = {
    Event.TRANSCRIBED: Transcribed,
    Event.UNSCORABLE: Unscorable,
    Event.EXTRACTED: Extracted,
    Event.RATED: Rated,
    Event.FAILED: Failed,
}
_FLAG_ORDER = ("intake", *Stage)
_UNSEEN = {"acknowledged_at": None, "acknowledged_by": None}  # what was seen is that it waited
_ASKED = ("held", "cancel_requested")
"""Columns written only by a change that sets them: an older view must not undo a request made meanwhile."""


@writes
def commit(db: Database, changes: Sequence[Change], note: Mapping[str, Any] | None = None) -> None:
    """Apply the changes in their order, with payloads and history, and freeze the result of each task that
    ends. `note` is added to the detail of each line of history.

    Raises IllegalTransition or UnknownTask; then no change was made.
    """
    for change in changes:
        _apply(db, change, note or {})


def _apply(db: Database, change: Change, note: Mapping[str, Any]) -> None:
    _verify(change)
    before, after = change.before, change.after
    ends = after.status in FINAL
    # A cancel beats the outcome, which is then not stored.
    outcome = None if change.event is Event.CANCELLED else change.outcome
    columns: dict[str, Any] = {
        "status": after.status.value,
        "phase": phase_of(before.stage if ends else after.stage).value,
        "batch_id": after.batch_id,
        "attempt": after.attempt,
        "retry_count": after.retry_count,
        "suspicion": after.suspicion,
        "deaths_alone": after.deaths_alone,
        "not_before": after.not_before or None,
        "last_updated": change.at,
        **({"ended_at": change.at, **_UNSEEN} if ends else {}),
        **(_columns_of(db, outcome, find(db, before.id), change) if outcome is not None else {}),
        **{name: getattr(after, name) for name in _ASKED if getattr(after, name) != getattr(before, name)},
    }
    expected = {
        "id": before.id,
        "status": before.status.value,
        "attempt": before.attempt,
        "revision": before.revision,
    }
    if update(db, TaskRow, columns, **expected) != 1:
        row = find(db, before.id)
        raise IllegalTransition(
            f"task {before.id} is {row.status} in attempt {row.attempt} of revision {row.revision}, not "
            f"{before.status} in attempt {before.attempt} of revision {before.revision}; nothing was changed"
        )
    detail = {**note, **_at(change), **_detail(change.outcome)}
    history.record(
        db, after, change.event.value, change.at, before=before.status, seconds=change.seconds, detail=detail
    )
    if ends:
        _freeze(db, change)


def _verify(change: Change) -> None:
    """Raise IllegalTransition when the change contradicts itself or the table of transitions."""
    before, after, event = change.before, change.after, change.event
    if next_status(before.status, event) is not after.status:
        raise IllegalTransition(f"a task that is {before.status} and {event} is not {after.status}")
    attempt = before.attempt + (event is Event.STARTED)
    if (after.id, after.revision, after.attempt) != (before.id, before.revision, attempt):
        raise IllegalTransition(
            f"task {before.id} cannot change its id, revision or attempt when it is {event}"
        )
    if event is Event.CANCELLED:
        return
    outcome = change.outcome
    answers: tuple[type[StageOutcome], ...] = (_ANSWERS[event],) if event in _ANSWERS else ()
    if event is Event.RELEASED:
        fits = outcome is None or isinstance(outcome, Failed)
    else:
        fits = isinstance(outcome, answers) if answers else outcome is None
    if not fits:
        raise IllegalTransition(f"task {before.id} cannot be {event} by {type(outcome).__name__}")
    if outcome is not None:
        ticket = outcome.ticket
        if (ticket.task_id, ticket.revision, ticket.attempt) != (before.id, before.revision, before.attempt):
            raise IllegalTransition(f"the outcome is of {ticket}, not of the attempt of task {before.id}")


def _columns_of(db: Database, outcome: StageOutcome, row: TaskRow, change: Change) -> dict[str, Any]:
    """The values of the columns that an outcome fills, by name."""
    at = _at(change)
    match outcome:
        case Transcribed():
            payload = {"stt_result": codec.stt_text(outcome.transcript, outcome.speaking)}
            return {**payload, **_merged(row, Stage.STT, outcome.flags, outcome.provenance, at)}
        case Unscorable():
            payload = {"stt_result": codec.stt_text(outcome.transcript, outcome.speaking)}
            said = {"error_code": outcome.code, "error_message": codec.printable_text(outcome.message)}
            return {**payload, **said, **_merged(row, Stage.STT, (), outcome.provenance, at)}
        case Extracted():
            outcome = with_roster_name(db, row, outcome)
            form = outcome.profile
            payload = {
                "mistral_result": codec.dumps(form and form.model_dump()),
                "set_aside": codec.set_aside_text(outcome.set_aside),
            }
            return {**payload, **_merged(row, Stage.EXTRACT, outcome.flags, outcome.provenance, at)}
        case Rated():
            rating, origin = outcome.evaluation, outcome.provenance
            if rating is not None:
                rating, origin = calibration.as_rated(rating, origin, calibration.in_use(db))
            payload = {
                "llama_result": codec.dumps(rating and rating.model_dump()),
                "set_aside": codec.set_aside_text(outcome.set_aside),
            }
            return {**payload, **_merged(row, Stage.RATE, outcome.flags, origin, at)}
        case Failed(fault=fault) if change.event is Event.FAILED:
            return {
                "failed_stage": change.before.stage.value,
                "error_code": fault.code,
                "error_message": codec.printable_text(fault.message),
                "judged_by": db.terms.judging(fault.code),
            }
        case _:
            return {}


def _at(change: Change) -> dict[str, str]:
    """What history and provenance say of where an attempt was made; nothing where that is this machine."""
    return {} if change.node is None else {"node": change.node}


def _merged(
    row: TaskRow, stage: Stage, flags: Sequence[Flag], provenance: Provenance, at: Mapping[str, str]
) -> dict[str, str]:
    """The columns `flags` and `provenance`, with one stage's part replaced."""
    by_stage = {**codec.read_flags(row.flags), stage.value: tuple(flags)}
    origin = {**json.loads(row.provenance), stage.value: {**provenance, **at}}
    return {"flags": codec.flags_text(by_stage), "provenance": codec.dumps(origin)}


def _detail(outcome: StageOutcome | None) -> dict[str, Any]:
    """The part of an outcome that its line of history keeps."""
    match outcome:
        case Failed(fault=fault):
            return {"blame": fault.blame, "code": fault.code, "message": fault.message, "died": fault.died}
        case Unscorable(code=code, message=message):
            return {"code": code, "message": message}
        case _:
            return {}


def _freeze(db: Database, change: Change) -> None:
    """Compose the result of a task that ended, and store its bytes for the outbox."""
    row = find(db, change.after.id)
    task = codec.to_task(row)
    transcript, speaking = codec.read_stt(row.stt_result)
    flags = codec.read_flags(row.flags)
    result = compose(
        Dossier(
            task=task,
            ended=change.event,
            began_at=row.began_at,
            generated_at=change.at,
            error=_error(db, change),
            transcript=transcript,
            speaking=speaking,
            profile=codec.read_profile(row.mistral_result),
            evaluation=codec.read_evaluation(row.llama_result),
            set_aside=codec.read_set_aside(row.set_aside),
            flags=tuple(flag for origin in _FLAG_ORDER for flag in flags.get(origin, ())),
            tries=history.tries(db, task),
            provenance={**db.provenance, **json.loads(row.provenance)},
            class_name=classes.name_of(db, row.class_id),
            release=db.release,
        )
    )
    name = result_name(task.student, task.id, task.filename, task.revision)
    document = Document(0, Kind.RESULT, name, to_bytes(result), task.id)
    add_document(db, document, created_at=change.at, revision=task.revision)
    TaskRow.update(outcome=result.outcome.value).where(TaskRow.id == task.id).execute(db)


def _error(db: Database, change: Change) -> ErrorPart | None:
    """Why there is no rating; None if the task was rated or cancelled."""
    match change.outcome:
        case Failed(fault=Fault(code=code, message=message)) if change.event is Event.FAILED:
            pass
        case Unscorable(code=code, message=message) if change.event is Event.UNSCORABLE:
            pass
        case _:
            return None
    stage = change.before.stage
    return ErrorPart(
        code=code,
        stage=stage.value,
        message=codec.printable_text(message),
        attempts=history.starts(db, change.before, stage),
    )
