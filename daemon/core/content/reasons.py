"""Why a task wants a person, and what the person does: in words for those who read no code."""

from collections.abc import Collection
from dataclasses import dataclass

from daemon.core.content.review_flags import REVIEW_FLAGS
from daemon.core.tasks.offers import TaskFacts, Terms, Verb, refusal, waits_long
from daemon.core.tasks.task import STAGE_OF, Outcome

IN_WORDS = {
    "addresses_evaluator": "words in it may address the grader",
    "audio_track": "another track of its sound than the first was used",
    "degraded": "an engine worked slower or worse than it was configured to",
    "demo_model": "a demonstration model rated it, so the figures are no grades",
    "dropped_segments": "passages without clear speech were left out of the transcript",
    "end_missing": "the end of the recording may be missing",
    "evidence_not_found": "the rating quotes words that the transcript does not have",
    "low_confidence": "the speech was not heard with certainty, so words may be wrong",
    "mixed_language": "a part is not in the expected language and was left out",
    "moved_by_order": "a score is another one with the words to the grader left in",
    "name_differs": "another name was said than the student's on the roster",
    "no_evidence": "the rating quotes nothing that was said",
    "no_valid_form": "the model gave no valid form",
    "no_valid_rating": "the model gave no valid rating",
    "not_for_grades": "its rater is not shown to treat all alike, so the figures are no grades",
    "one_channel": "only one channel of its sound was used",
    "other_account": "another account has handed in for this student as well",
    "quiet": "the recording is very quiet, so words may be missing",
    "repeats_itself": "the rating's text says the same again and again",
    "same_content": "another student has handed in the same recording",
    "shared_name": "several videos came at once under this name, perhaps of several students",
    "skipped_packets": "damaged pieces of the sound were left out",
    "ungrounded": "entries of the form that were not said were removed",
    "unsure_score": "the model's answer was hardly a score",
}
"""A sentence for each code of a flag."""

_OWNER = frozenset({"name_differs", "other_account", "shared_name"})
_GRADER = frozenset({"addresses_evaluator", "moved_by_order"})


@dataclass(frozen=True, slots=True)
class Advice:
    """Why a thing wants a person, and what is next. `verb` is the request that does it, if there is one."""

    reason: str
    next: str
    verb: Verb | None = None


def advice(task: TaskFacts, error_message: str | None, terms: Terms, now: float) -> Advice | None:
    """Why a task wants a person, acknowledged or not, and what to do; None where it wants nobody."""
    again = refusal(task, Verb.RETRY, terms, now) is None
    match task.outcome:
        case Outcome.FAILED if again:
            return Advice(_line(error_message), "retry it", Verb.RETRY)
        case Outcome.FAILED | Outcome.UNSCORABLE:
            return Advice(_line(error_message), "tell the student, who has to send another recording")
        case Outcome.NEEDS_REVIEW:
            return _review(REVIEW_FLAGS.intersection(task.flag_codes), again=again)
    if waits_long(task, terms, now):
        waited = f"it has waited {(now - task.claimed_at) / 60:.0f} min for {STAGE_OF[task.status]}"
        return Advice(waited, "see what the work waits for; run: introeval status")
    return None


def in_words(codes: Collection[str]) -> str:
    """The sentences of flags, as one line."""
    return "; ".join(IN_WORDS.get(code, code) for code in sorted(codes))


def _review(flags: frozenset[str], *, again: bool) -> Advice:
    reason = in_words(flags) or "a part of the result is missing"
    if again:
        return Advice(reason, "retry it, which asks the model with another seed", Verb.RETRY)
    if flags & _OWNER:
        return Advice(reason, "find out whose video it is before the rating is used")
    if flags & _GRADER:
        return Advice(reason, "read the transcript, and check the rating")
    return Advice(reason, "listen to the video, and check the transcript and the rating")


def _line(message: str | None) -> str:
    return " ".join((message or "no reason was recorded").split())
