"""A person's decision changes what they said, and keeps what the model said."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.classes.decision import Wanted, decided, taken_back
from daemon.core.content.document import CRITERIA, Evaluation, Profile, Result, Scored, Source, Timings
from daemon.core.errors import IllegalTransition
from daemon.core.tasks.task import Outcome


def result(outcome: Outcome = Outcome.EVALUATED, *, rated: bool = True) -> Result:
    scored = Scored(expected=6.4, model_score=6, model_expected=6.4, interval=(5.0, 8.0))
    evaluation = Evaluation(
        overall_rating=6,
        clarity_of_speech=6,
        content_quality=6,
        confidence_level=6,
        feedback="Clear.",
        suggestions=("Go on.", "Slow down."),
        evidence=(),
        scores=dict.fromkeys(CRITERIA, scored),
    )
    return Result(
        task_id=1,
        student_id="s1",
        revision=1,
        generated_at="2026-01-31T12:00:00.000000Z",
        outcome=outcome,
        source=Source(filename="me.mp4", sha256="0", size_bytes=1, duration_s=1.0, uploaded_at=""),
        profile=Profile(name="Ana") if rated else None,
        evaluation=evaluation if rated else None,
        timings=Timings(total_s=1, worked_s=1, waited_s=0),
    )


wanted = st.builds(
    Wanted,
    scores=st.dictionaries(st.sampled_from(CRITERIA), st.integers(1, 10)),
    feedback=st.none() | st.sampled_from(["Clear.", "Better."]),
    profile=st.sampled_from([{}, {"name": "Ana"}, {"name": "Anna"}, {"hobbies": ("chess",)}]),
    reason=st.just("I heard it"),
)


@given(st.lists(wanted, min_size=1, max_size=4))
def test_after_any_decisions_what_the_model_said_can_be_read(some: list[Wanted]) -> None:
    own = last = result()
    for revision, each in enumerate(some, 2):
        last = decided(last, each, "ta1", 1e9)
        assert last.revision == revision
    assert last.evaluation is not None
    assert last.decision is not None
    now: dict[str, Any] = last.model_dump(mode="json")
    for path, before in last.decision.before.items():
        part, _, key = path.partition(".")
        assert now[part][key] != before
        now[part][key] = before
    was = own.model_dump(mode="json")
    for key in ("feedback", "suggestions", *CRITERIA):
        assert now["evaluation"][key] == was["evaluation"][key]
    assert now["profile"] == was["profile"]
    for criterion in CRITERIA:
        scored = last.evaluation.scores[criterion]
        assert (scored.model_score, scored.model_expected) == (6, 6.4)
        by_person = f"evaluation.{criterion}" in last.decision.before
        assert not by_person or scored.source == "person"
    back = taken_back(own, last.revision, 1e9, "none")
    assert back == own.model_copy(update={"revision": back.revision, "generated_at": back.generated_at})


def test_accepting_changes_nothing_and_settles_a_review() -> None:
    last = decided(result(Outcome.NEEDS_REVIEW), Wanted(by="Dr. Roe"), "ta1", 1e9)
    assert last.decision is not None
    assert (last.decision.kind, last.decision.by, last.decision.account) == ("accepted", "Dr. Roe", "ta1")
    assert (last.outcome, last.released) == (Outcome.EVALUATED, True)
    assert last.evaluation == result().evaluation


@pytest.mark.parametrize(
    ("outcome", "asked", "told"),
    [
        (Outcome.EVALUATED, Wanted(feedback="x"), "needs a reason"),
        (Outcome.UNSCORABLE, Wanted(), "all four scores"),
        (Outcome.UNSCORABLE, Wanted(scores={"overall_rating": 3}, reason="r"), "clarity_of_speech"),
        (Outcome.CANCELLED, Wanted(), "is cancelled"),
        (Outcome.EVALUATED, Wanted(profile={"nose": "big"}, reason="r"), "no field nose"),
        (Outcome.EVALUATED, Wanted(profile={"age": "old"}, reason="r"), "age of the form cannot be"),
    ],
)
def test_what_cannot_be_decided_is_refused_with_what_to_do(
    outcome: Outcome, asked: Wanted, told: str
) -> None:
    with pytest.raises(IllegalTransition, match=told):
        decided(result(outcome, rated=outcome is Outcome.EVALUATED), asked, None, 1e9)


def test_a_person_can_rate_what_no_model_has_rated() -> None:
    scores = dict.fromkeys(CRITERIA, 5)
    last = decided(
        result(Outcome.UNSCORABLE, rated=False), Wanted(scores=scores, reason="I heard it"), None, 1e9
    )
    assert last.evaluation is not None
    assert (last.outcome, last.evaluation.overall_rating) == (Outcome.EVALUATED, 5)
    assert last.decision is not None
    assert last.decision.before["evaluation.overall_rating"] is None
