"""Release: whether a result may leave for a grade book, and why it may not.

1. A result without a rating never leaves: there is nothing to enter.
2. A person's decision on it releases it.
3. Without one, the lab's rule decides: `all` leave; of `flagged` those with a flag that wants a person, or
   whose rater gives no grades, are held; of `none` all are held.
"""

from collections.abc import Collection

from daemon.core.class_rules import ReleaseRule as ReleaseRule
from daemon.core.content.reasons import in_words
from daemon.core.content.review_flags import REVIEW_FLAGS
from daemon.core.tasks.task import Outcome

NO_GRADES = frozenset({"demo_model", "not_for_grades"})
"""The codes of flags that say that the rater's figures are no grades."""


def held_because(
    outcome: Outcome | None,
    flag_codes: Collection[str],
    rule: ReleaseRule,
    *,
    rated: bool,
    decided: bool,
) -> str:
    """Why a result is held back, as one line; empty where it is released."""
    if outcome is None:
        return "it is in work; wait for its result"
    if not rated:  # 1
        return f"it is {outcome.value} and has no rating; give one, or have the student record it again"
    if decided or rule == "all":  # 2, 3
        return ""
    if rule == "none":
        return "nobody has decided on it"
    flags = (REVIEW_FLAGS | NO_GRADES).intersection(flag_codes)
    return in_words(flags) if flags else ""
