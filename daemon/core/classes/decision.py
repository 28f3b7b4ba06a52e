"""Decisions of people on results: accepting one, or changing its figures and texts."""

from typing import Annotated, Any

from pydantic import Field, ValidationError

from daemon.core.content.document import (
    CRITERIA,
    Criterion,
    DocumentPart,
    Evaluation,
    HumanDecision,
    Profile,
    Result,
    Score,
)
from daemon.core.content.release import ReleaseRule, held_because
from daemon.core.errors import IllegalTransition
from daemon.core.tasks.task import Outcome
from daemon.core.timestamps import to_iso

Words = Annotated[str, Field(max_length=4000)]


class Wanted(DocumentPart):
    """What a person wants of a result. Without a change it is accepted as it is; a change needs a reason.

    `by` is who answers for it; empty: the account. `profile` has the fields of the form to replace.
    `revision` is that of the result that the person has seen; None: whichever is the present one.
    """

    scores: dict[Criterion, Score] = Field(default_factory=dict)
    feedback: Words | None = None
    suggestions: tuple[Words, ...] | None = None
    profile: dict[str, Any] = Field(default_factory=dict)
    by: Annotated[str, Field(max_length=200)] = ""
    reason: Words = ""
    revision: int | None = None

    @property
    def changes(self) -> bool:
        """Whether it changes anything."""
        return bool(self.scores or self.profile) or self.feedback is not None or self.suggestions is not None


def decided(result: Result, wanted: Wanted, account: str | None, at: float) -> Result:
    """The next revision of a result, by a person's decision. What the model said stays in it.

    Raises IllegalTransition for a result that cannot be decided on, another revision than the person has
    seen, a change without a reason, and for one without a rating that is not given all four scores.
    """
    if wanted.revision not in (None, result.revision):
        told = f"task {result.task_id} has another result since, revision {result.revision}"
        raise IllegalTransition(f"{told}; look at it again, then decide")
    if result.outcome is Outcome.CANCELLED:
        raise IllegalTransition(f"task {result.task_id} is cancelled; to go on with it, run: introeval retry")
    if wanted.changes and not wanted.reason.strip():
        raise IllegalTransition("a change needs a reason; add: --reason TEXT")
    evaluation = _evaluation(result, wanted)
    profile = _profile(result, wanted)
    before = _before(result, evaluation, profile)
    decision = HumanDecision(
        kind="changed" if before else "accepted",
        by=wanted.by.strip() or account or "",
        account=account,
        at=to_iso(at),
        reason=wanted.reason.strip(),
        before=before,
    )
    return result.model_copy(
        update={
            "revision": result.revision + 1,
            "generated_at": to_iso(at),
            "outcome": Outcome.EVALUATED,
            "error": None,
            "evaluation": evaluation,
            "profile": profile,
            "decision": decision,
            "released": True,
        }
    )


def taken_back(own: Result, revision: int, at: float, rule: ReleaseRule) -> Result:
    """The revision after `revision`, which has what the model gave in `own`, a result without a decision."""
    codes = [flag.code for flag in own.flags]
    held = held_because(own.outcome, codes, rule, rated=own.evaluation is not None, decided=False)
    return own.model_copy(update={"revision": revision + 1, "generated_at": to_iso(at), "released": not held})


def _evaluation(result: Result, wanted: Wanted) -> Evaluation:
    rating = result.evaluation
    if rating is None:
        if missing := [criterion for criterion in CRITERIA if criterion not in wanted.scores]:
            told = f"task {result.task_id} has no rating, so all four scores are needed"
            raise IllegalTransition(f"{told}; give also: {', '.join(missing)}")
        texts = {"feedback": "", "suggestions": (), "evidence": ()}
        rating = Evaluation.model_validate({**texts, **wanted.scores})
    changed = {key: score for key, score in wanted.scores.items() if getattr(rating, key) != score}
    by_person = {
        key: rating.scores[key].model_copy(
            update={"expected": float(score), "interval": None, "source": "person"}
        )
        for key, score in changed.items()
        if key in rating.scores
    }
    update: dict[str, Any] = {
        **{str(key): score for key, score in changed.items()},
        "scores": {**rating.scores, **by_person},
    }
    if wanted.feedback is not None:
        update["feedback"] = wanted.feedback
    if wanted.suggestions is not None:
        update["suggestions"] = wanted.suggestions
    return rating.model_copy(update=update)


def _profile(result: Result, wanted: Wanted) -> Profile | None:
    if not wanted.profile:
        return result.profile
    known = result.profile.model_dump() if result.profile else {}
    if unknown := sorted(wanted.profile.keys() - Profile.model_fields.keys()):
        raise IllegalTransition(
            f"the form has no field {unknown[0]}; it has {', '.join(Profile.model_fields)}"
        )
    try:
        return Profile.model_validate({**known, **wanted.profile})
    except ValidationError as exc:
        field = ".".join(map(str, exc.errors()[0]["loc"]))
        raise IllegalTransition(f"{field} of the form cannot be this; {exc.errors()[0]['msg']}") from exc


def _before(result: Result, evaluation: Evaluation, profile: Profile | None) -> dict[str, Any]:
    """The model's own values of what is another now, by path; null where it gave nothing."""
    was, now = _fields(result.evaluation, result.profile), _fields(evaluation, profile)
    own = {**was, **(result.decision.before if result.decision else {})}
    return {path: own.get(path) for path in now if now[path] != own.get(path)}


def _fields(evaluation: Evaluation | None, profile: Profile | None) -> dict[str, Any]:
    """All that a person may change, by path."""
    rating = evaluation.model_dump(mode="json") if evaluation else {}
    form = profile.model_dump(mode="json") if profile else {}
    return {
        **{f"evaluation.{key}": rating[key] for key in (*CRITERIA, "feedback", "suggestions") if rating},
        **{f"profile.{key}": value for key, value in form.items()},
    }
