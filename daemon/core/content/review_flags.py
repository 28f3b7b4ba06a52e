"""The flags for which a person must look at a result before it is used."""

from daemon.core.intake.ownership import OTHER_ACCOUNT
from daemon.core.tasks.task import SHARED_NAME

REVIEW_FLAGS = frozenset(
    {
        *("no_valid_form", "no_valid_rating", "evidence_not_found", "no_evidence", "repeats_itself"),
        *("addresses_evaluator", "moved_by_order", "unsure_score"),
        *("low_confidence", "mixed_language", "quiet"),
        *(OTHER_ACCOUNT, SHARED_NAME, "name_differs"),
    }
)
"""Their codes."""
