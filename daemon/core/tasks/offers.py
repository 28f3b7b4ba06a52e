"""The one rule of what a person may ask for a task now: what it refuses is offered nowhere.

A request that would change nothing is refused, too. `refusal` gives the line that says why: the cause, the
task, and what to do.
"""

from dataclasses import dataclass
from enum import StrEnum

from daemon.core.errors import IllegalTransition
from daemon.core.tasks.task import FINAL, RUNNING, Outcome, Status, Task


class Verb(StrEnum):
    """A request for one task."""

    RETRY = "retry"
    RATE = "rate"
    CANCEL = "cancel"
    HOLD = "hold"
    RELEASE = "release"
    NEXT = "next"
    IN_TURN = "in_turn"
    DELIVER = "deliver"
    ACKNOWLEDGE = "acknowledge"


class Ruling(StrEnum):
    """A person's word on the result of one task."""

    DECIDE = "decide"
    UNDO = "undo"


WANTING = (Outcome.FAILED, Outcome.UNSCORABLE, Outcome.NEEDS_REVIEW)
"""The outcomes that want a person."""

OF_THE_FILE = frozenset(
    {"damaged", "empty", "empty_transcript", "no_audio", "not_media", "too_large", "too_long", "truncated"}
)
"""The codes of failures that lie in the bytes of the file: the same program finds the same again."""

ANSWER_FLAGS = frozenset(
    {"evidence_not_found", "no_evidence", "no_valid_form", "no_valid_rating", "repeats_itself"}
)
"""The codes of flags that come from a model's answer, which is another one at a retry."""

_NOTHING_LEFT = {"addresses_evaluator", "no_valid_form", "no_valid_rating"}
"""The flags of a transcript with nothing in it but words to the grader: no model was asked."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What files are judged by: the program with its version, and the limits of the configuration."""

    program: str = ""
    max_duration_s: float = 900.0
    max_size_mb: float = 4096.0
    oldest_wait_s: float = 3600.0

    def judging(self, code: str) -> str:
        """The terms that a failure of this code depends on, as they are kept with it."""
        limits = {"too_long": self.max_duration_s, "too_large": self.max_size_mb}
        return f"{self.program}; at most {limits[code]:g}" if code in limits else self.program

    def may_differ(self, code: str, judged: str | None) -> bool:
        """Whether the same file may fare better than by the terms `judged`: None, when they are not known."""
        if judged is None:
            return True
        (program, _, most), (now, _, allowed) = (
            text.partition("; at most ") for text in (judged, self.judging(code))
        )
        return program != now or (allowed != "" and float(allowed) > float(most or "inf"))


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """A task, as far as requests for it are judged.

    `form_tried`: extraction gave an outcome, also one without a form. `error_code` stays where a person rates
    what came to nothing; `judged_by`: the terms under which it failed. `video_kept`: False where no copy is
    left, or ever was. `is_first`: a person put it first. `decided_by`: who answers for the decision on its
    result.
    """

    id: int
    status: Status
    outcome: Outcome | None
    revision: int
    held: bool
    cancel_requested: bool
    claimed_at: float
    has_transcript: bool
    form_tried: bool
    has_form: bool
    error_code: str | None
    judged_by: str | None
    video_kept: bool
    acknowledged: bool
    flag_codes: tuple[str, ...]
    is_first: bool
    decided_by: str | None


def offered(task: TaskFacts, terms: Terms, now: float) -> list[Verb | Ruling]:
    """The requests that are accepted for a task."""
    return [verb for verb in (*Verb, *Ruling) if refusal(task, verb, terms, now) is None]


def check(task: TaskFacts, verb: Verb | Ruling, terms: Terms, now: float) -> None:
    """Raise IllegalTransition, with what to do instead, for a request that is not accepted."""
    told = refusal(task, verb, terms, now)
    if told is not None:
        raise IllegalTransition(told)


def check_revision(task: TaskFacts) -> None:
    """Raise IllegalTransition, with what to do instead, for a task whose rating cannot be revised: it was
    never rated, or is open.
    """
    told = _no_rating(task)
    if told is not None:
        raise IllegalTransition(told)


def refusal(task: TaskFacts, verb: Verb | Ruling, terms: Terms, now: float) -> str | None:
    """Why a request is not accepted for a task, in one line; None where it is."""
    match verb:
        case Verb.RETRY:
            return _no_retry(task, terms)
        case Verb.RATE:
            return _no_rating(task)
        case Verb.CANCEL | Verb.HOLD | Verb.RELEASE:
            return _no_order(task, Verb(verb))
        case Verb.NEXT | Verb.IN_TURN:
            return _no_place(task, Verb(verb))
        case Verb.DELIVER:
            if task.status in FINAL or task.revision > 1:
                return None
            return f"task {task.id} has no result yet; wait for it"
        case Verb.ACKNOWLEDGE:
            return _no_acknowledging(task, terms, now)
        case Ruling.DECIDE | Ruling.UNDO:
            return _no_ruling(task, Ruling(verb))


def waits_long(task: Task | TaskFacts, terms: Terms, now: float) -> bool:
    """Whether an open task has waited longer than the configuration allows. A later revision is no wait."""
    if now - task.claimed_at <= terms.oldest_wait_s or task.held or task.revision > 1:
        return False
    return task.status not in FINAL and task.status not in RUNNING


def _no_retry(task: TaskFacts, terms: Terms) -> str | None:
    this = f"task {task.id}"
    if task.status not in FINAL:
        return f"{this} is still open; wait for its result, or cancel it"
    if task.outcome is Outcome.EVALUATED:
        again = f"to rate it again, run: introeval rate {task.id}"
        return _no_rating(task) or f"{this} is evaluated: there is nothing to retry; {again}"
    if task.outcome is Outcome.UNSCORABLE:
        return f"{this} is unscorable, and the same recording stays so; have the student record it again"
    if task.outcome is Outcome.NEEDS_REVIEW:
        if not ANSWER_FLAGS.isdisjoint(task.flag_codes) and not _NOTHING_LEFT.issubset(task.flag_codes):
            return None
        check_it = f"check it, then run: introeval acknowledge {task.id}"
        return f"{this} needs review for what a retry does not change; {check_it}"
    if task.error_code in OF_THE_FILE and not terms.may_differ(task.error_code or "", task.judged_by):
        return f"{this} failed because of its file, which would fail again; have the student send another one"
    if not task.has_transcript and not task.video_kept:
        return f"no copy of the video of {this} is left; have the student send it again"
    return None


def _no_rating(task: TaskFacts) -> str | None:
    this = f"task {task.id}"
    if task.outcome in (Outcome.EVALUATED, Outcome.NEEDS_REVIEW):
        if task.error_code is None:
            return None
        take_back = f"to take that back, run: introeval decide {task.id} --undo"
        return f"{this} came to nothing and was rated by a person alone; {take_back}"
    if task.status not in FINAL:
        return f"{this} is still open; wait for its result"
    if task.outcome is Outcome.UNSCORABLE:
        return f"{this} is unscorable, so there is nothing to rate; have the student record it again"
    return f"{this} is {task.status} and was not rated; to see why, run: introeval task {task.id}"


def _no_order(task: TaskFacts, verb: Verb) -> str | None:
    this = f"task {task.id}"
    if task.status in FINAL:
        return f"{this} is {task.status}, so that there is nothing to {verb}; see: introeval task {task.id}"
    if task.cancel_requested:
        return f"{this} is being cancelled; wait until its attempt ends"
    if verb is Verb.HOLD and task.held:
        return f"{this} is held already; to let it start, run: introeval release {task.id}"
    if verb is Verb.RELEASE and not task.held:
        return (
            f"{this} is not held, so there is nothing to release; to hold it, run: introeval hold {task.id}"
        )
    return None


def _no_place(task: TaskFacts, verb: Verb) -> str | None:
    this = f"task {task.id}"
    if task.status in FINAL or task.cancel_requested:
        state = task.outcome or "being cancelled"
        return f"{this} is {state} and waits for no turn; see: introeval task {task.id}"
    if verb is Verb.IN_TURN:
        told = f"{this} is in its turn already; to put it first, run: introeval next {task.id}"
        return None if task.is_first else told
    if task.is_first:
        return f"{this} is put first already; to undo that, run: introeval next --undo {task.id}"
    if task.held:
        return f"{this} is held, so that it cannot be next; first run: introeval release {task.id}"
    if task.status is Status.LLAMA_PROCESSING:
        return f"{this} is being rated, and nothing comes before that; wait for its result"
    return None


def _no_acknowledging(task: TaskFacts, terms: Terms, now: float) -> str | None:
    this = f"task {task.id}"
    if task.outcome not in WANTING and not waits_long(task, terms, now):
        return f"{this} is {task.outcome or task.status} and wants nobody; see: introeval attention"
    if task.acknowledged:
        return f"{this} is acknowledged already; see: introeval attention"
    return None


def _no_ruling(task: TaskFacts, verb: Ruling) -> str | None:
    this = f"task {task.id}"
    if task.status not in FINAL:
        return f"{this} is still open; wait for its result, or cancel it"
    if task.status is Status.CANCELLED:
        told = f"{this} is cancelled, so there is no result to decide on"
        return f"{told}; to begin it anew, run: introeval retry {task.id}"
    if verb is Ruling.UNDO and task.decided_by is None:
        return (
            f"nobody has decided on {this}, so there is nothing to take back; see: introeval task {task.id}"
        )
    return None
