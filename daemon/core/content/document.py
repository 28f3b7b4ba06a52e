"""The result document that other tools read, and the parts it is made of.

Every model here is frozen and forbids unknown keys. `Result` is schema version 2; its JSON Schema
is generated from these classes and published in the package, beside that of version 1. Times in seconds
end in `_s`, points in time are UTC in ISO 8601.
"""

import json
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from daemon.core.tasks.task import Outcome

Score = Annotated[int, Field(ge=1, le=10)]
Points = Annotated[float, Field(ge=1, le=10)]
Criterion = Literal["overall_rating", "clarity_of_speech", "content_quality", "confidence_level"]
CRITERIA: tuple[Criterion, ...] = get_args(Criterion)


class DocumentPart(BaseModel):
    """Base of all parts: frozen, with no unknown key. Built when first used: most commands use none."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Flag(DocumentPart):
    """Something that a person should know of this result. `field` names the part concerned."""

    code: str
    field: str | None = None
    detail: str = ""


class Segment(DocumentPart):
    """One stretch of speech with the gauges that Whisper gives for it.

    `avg_logprob` is the mean log probability of its tokens, `no_speech_prob` lies in 0..1 and
    `compression_ratio` is that of its text by zlib: above 2.4 it repeats itself.
    """

    start_s: float
    end_s: float
    text: str
    avg_logprob: float
    no_speech_prob: float
    compression_ratio: float


class Transcript(DocumentPart):
    """What was said. `language` is detected, as an ISO 639-1 code."""

    text: str
    language: str | None
    language_probability: float | None
    segments: tuple[Segment, ...] = ()


class Speaking(DocumentPart):
    """What the audio alone shows of the delivery."""

    speech_s: float
    words_per_minute: float
    pause_ratio: float
    longest_pause_s: float
    filler_words: dict[str, int] = Field(default_factory=dict)


class Profile(DocumentPart):
    """The form. What was not said is null or empty."""

    name: str | None = None
    age: int | None = None
    hobbies: tuple[str, ...] = ()
    career_goals: str | None = None
    strengths: tuple[str, ...] = ()
    experience: str | None = None


class Evidence(DocumentPart):
    """A quote from the transcript, and where it was said; null times when it was not found."""

    quote: str
    start_s: float | None = None
    end_s: float | None = None


class SetAside(DocumentPart):
    """Words that speak to the grader, or may, with the time at which they were said.

    `found_by` has `rules`, `model` or both, and `rules` the ids of the rules. `cut`: no model was shown the
    words where it gave the form and the rating.
    """

    quote: str
    start_s: float | None = None
    end_s: float | None = None
    found_by: tuple[Literal["rules", "model"], ...]
    rules: tuple[str, ...] = ()
    cut: bool


class Scored(DocumentPart):
    """How one score came about. All figures are points, 1 to 10.

    `expected` is the mean over the levels that the model may give, corrected where `source` is `calibrated`
    or `person`; the integer beside it is made from it. `spread` is the standard deviation over the levels.
    `interval` holds the score that people would give in 90 % of the cases; null before a calibration.
    `legal_mass` is the probability, 0 to 1, that the model gave to all levels together: where it is small,
    the figure means little. Both are null where the server tells no probabilities. `quote` is the sentence
    that the score rests on. `model_score` and `model_expected` are the model's own, whatever was made of
    them. `with_set_aside` and `without_set_aside` are the model's, too: with all words left in, and without
    those that speak to the grader; null where there are none.
    """

    expected: Points
    spread: float | None = None
    interval: tuple[Points, Points] | None = None
    legal_mass: Annotated[float, Field(ge=0, le=1)] | None = None
    quote: Evidence | None = None
    source: Literal["model", "calibrated", "person"] = "model"
    model_score: Score
    model_expected: Points
    with_set_aside: Points | None = None
    without_set_aside: Points | None = None


class Evaluation(DocumentPart):
    """The rating. The four scores are integers from 1 to 10; `scores` tells how each came about: not
    where a person gave it and the model none, nor in a rating of before version 2.
    """

    overall_rating: Score
    clarity_of_speech: Score
    content_quality: Score
    confidence_level: Score
    feedback: str
    suggestions: tuple[str, ...]
    evidence: tuple[Evidence, ...]
    scores: dict[Criterion, Scored] = Field(default_factory=dict)


class Source(DocumentPart):
    """The video as it was claimed."""

    filename: str
    sha256: str | None
    size_bytes: int
    duration_s: float | None
    uploaded_at: str


class ErrorPart(DocumentPart):
    """Why there is no rating. `attempts` is their number at `stage`."""

    code: str
    stage: str | None
    message: str
    attempts: int


class AttemptTiming(DocumentPart):
    """One attempt at one stage, and its outcome."""

    stage: str
    attempt: int
    seconds: float
    ended: str


class Timings(DocumentPart):
    """Where the time went.

    `total_s` is from the claim to the outcome, `worked_s` the sum of the attempts, `waited_s` the
    rest. `stages` has the seconds of the attempt that counted, by stage.
    """

    total_s: float
    worked_s: float
    waited_s: float
    stages: dict[str, float] = Field(default_factory=dict)
    attempts: tuple[AttemptTiming, ...] = ()


class HumanDecision(DocumentPart):
    """A person's decision on a result. `by` is who answers for it, `account` who typed it. `before` has the
    model's own value of each changed field, by its path: `evaluation.overall_rating`, `profile.name`.
    """

    kind: Literal["accepted", "changed"]
    by: str
    account: str | None
    at: str
    reason: str
    before: dict[str, Any] = Field(default_factory=dict)


VERSION: Final = 2
"""The version of the schema of `Result`."""


class Result(DocumentPart):
    """One JSON file of the outbox: all that became of one revision of one task.

    `profile_evidence` tells by field of the profile where each of its values was said, in their order; a
    field without a value is left out.
    `set_aside` has what the transcript says to the grader. `class_name` is null in the class of a day.
    `released`: by its decision, or the lab's rule, it may leave for a grade book.
    """

    schema_version: Literal[2] = VERSION
    task_id: int
    student_id: str
    revision: int
    generated_at: str
    outcome: Outcome
    error: ErrorPart | None = None
    flags: tuple[Flag, ...] = ()
    source: Source
    transcript: Transcript | None = None
    set_aside: tuple[SetAside, ...] = ()
    speaking: Speaking | None = None
    profile: Profile | None = None
    profile_evidence: dict[str, tuple[Evidence, ...]] = Field(default_factory=dict)
    evaluation: Evaluation | None = None
    timings: Timings
    provenance: dict[str, Any] = Field(default_factory=dict)
    class_name: str | None = None
    decision: HumanDecision | None = None
    released: bool = False


def read_result(content: bytes) -> Result:
    """A result of any version as one of the present: version 1 has no key that version 2 has not."""
    return Result.model_validate({**json.loads(content), "schema_version": VERSION})


VERSION_1 = Path(__file__).parents[1] / "result.v1.schema.json"
"""The published schema of the results of before version 2. It never changes."""


def result_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a result file."""
    schema = Result.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "IntroEval result"}
