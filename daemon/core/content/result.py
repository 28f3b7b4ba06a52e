"""The composition of a result, from the dossier of a task that ended to the bytes of its file.

Pure: the same dossier gives the same bytes, whenever and wherever they are made.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from daemon.core.content.document import (
    AttemptTiming,
    ErrorPart,
    Evaluation,
    Flag,
    Profile,
    Result,
    SetAside,
    Source,
    Speaking,
    Timings,
    Transcript,
)
from daemon.core.content.profile_places import profile_places
from daemon.core.content.release import ReleaseRule, held_because
from daemon.core.content.review_flags import REVIEW_FLAGS as REVIEW_FLAGS
from daemon.core.errors import IllegalTransition
from daemon.core.tasks.task import Event, Outcome, Stage, Task
from daemon.core.timestamps import to_iso

SUCCEEDED = frozenset({Event.TRANSCRIBED, Event.UNSCORABLE, Event.EXTRACTED, Event.RATED})
"""The events by which an attempt gives its stage's outcome."""

NAME_HEARD = "name_heard"
"""The key, in the provenance of the form, of the name that was heard where the roster spells it otherwise."""


@dataclass(frozen=True, slots=True)
class Dossier:
    """Everything known of one revision of a task when it ended with the event `ended`.

    Times are seconds since the epoch; `began_at` is the claim or, for a later revision, the request for it.
    `tries` are the attempts of this revision, in their order.
    """

    task: Task
    ended: Event
    began_at: float
    generated_at: float
    error: ErrorPart | None = None
    transcript: Transcript | None = None
    speaking: Speaking | None = None
    profile: Profile | None = None
    evaluation: Evaluation | None = None
    set_aside: tuple[SetAside, ...] = ()
    flags: tuple[Flag, ...] = ()
    tries: tuple[AttemptTiming, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)
    class_name: str | None = None
    release: ReleaseRule = "flagged"


def compose(dossier: Dossier) -> Result:
    """The result document of a task that ended.

    Raises IllegalTransition when `ended` is not an event that ends a task.
    """
    task = dossier.task
    outcome = _outcome(dossier)
    rated = outcome is not Outcome.UNSCORABLE  # without speech there is nothing to grade
    heard = as_heard(dossier.profile, dossier.provenance) if rated else None
    speaking = dossier.speaking
    if speaking is not None:
        speaking = speaking.model_copy(update={"filler_words": _sorted(speaking.filler_words)})
    return Result(
        task_id=task.id,
        student_id=task.student,
        revision=task.revision,
        generated_at=to_iso(dossier.generated_at),
        outcome=outcome,
        error=dossier.error,
        flags=tuple(dict.fromkeys(dossier.flags)),
        source=Source(
            filename=task.filename,
            sha256=task.sha256 or None,
            size_bytes=task.size_bytes,
            duration_s=task.duration_s or None,
            uploaded_at=to_iso(task.claimed_at),
        ),
        transcript=dossier.transcript,
        set_aside=dossier.set_aside,
        speaking=speaking,
        profile=dossier.profile if rated else None,
        profile_evidence=profile_places(heard, dossier.transcript),
        evaluation=dossier.evaluation if rated else None,
        timings=_timings(dossier),
        provenance=_sorted(dossier.provenance),
        class_name=dossier.class_name,
        released=_is_released(outcome, dossier.flags, dossier.evaluation if rated else None, dossier.release),
    )


def revised(
    result: Result,
    evaluation: Evaluation,
    origin: Mapping[str, Any],
    at: float,
    release: ReleaseRule = "flagged",
) -> Result:
    """The next revision of a result whose rating was changed without a model. All else stays as it was.

    `origin` is the provenance of the rating.
    """
    provenance = _sorted({**result.provenance, Stage.RATE.value: origin})
    decided = result.decision is not None
    return result.model_copy(
        update={
            "revision": result.revision + 1,
            "generated_at": to_iso(at),
            "evaluation": evaluation,
            "provenance": provenance,
            "released": _is_released(result.outcome, result.flags, evaluation, release, decided=decided),
        }
    )


def _is_released(
    outcome: Outcome,
    flags: Sequence[Flag],
    evaluation: Evaluation | None,
    rule: ReleaseRule,
    *,
    decided: bool = False,
) -> bool:
    codes = [flag.code for flag in flags]
    return not held_because(outcome, codes, rule, rated=evaluation is not None, decided=decided)


def to_bytes(result: Result) -> bytes:
    """The file's bytes: UTF-8 JSON, two spaces of indent, a newline at the end."""
    text = json.dumps(result.model_dump(mode="json"), indent=2, ensure_ascii=False, allow_nan=False)
    return (text + "\n").encode()


def _outcome(dossier: Dossier) -> Outcome:
    match dossier.ended:
        case Event.FAILED:
            return Outcome.FAILED
        case Event.CANCELLED:
            return Outcome.CANCELLED
        case Event.UNSCORABLE:
            return Outcome.UNSCORABLE
        case Event.RATED:
            incomplete = dossier.profile is None or dossier.evaluation is None
            if incomplete or any(flag.code in REVIEW_FLAGS for flag in dossier.flags):
                return Outcome.NEEDS_REVIEW
            return Outcome.EVALUATED
        case event:
            raise IllegalTransition(
                f"task {dossier.task.id} was {event}, which is no end: it has no result yet"
            )


def as_heard(profile: Profile | None, provenance: Mapping[str, Any]) -> Profile | None:
    """The form with the name that is in the transcript, where that of a roster took its place."""
    heard = provenance.get(Stage.EXTRACT.value, {}).get(NAME_HEARD)
    return profile if heard is None or profile is None else profile.model_copy(update={"name": heard})


def _timings(dossier: Dossier) -> Timings:
    worked = sum(attempt.seconds for attempt in dossier.tries)
    # A clock that was set back between the claim and the end must not give a negative time.
    total = max(dossier.generated_at - dossier.began_at, worked)
    return Timings(
        total_s=round(total, 3),
        worked_s=round(worked, 3),
        waited_s=round(total - worked, 3),
        stages={attempt.stage: attempt.seconds for attempt in dossier.tries if attempt.ended in SUCCEEDED},
        attempts=dossier.tries,
    )


def _sorted(value: Any) -> Any:
    """The value with the keys of every mapping sorted, so that equal dossiers give equal bytes."""
    if isinstance(value, Mapping):
        return {str(key): _sorted(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, (list, tuple)):
        return [_sorted(part) for part in value]
    return value
