"""The rules of a lab for its classes, by their names in the configuration."""

from typing import Literal

ReleaseRule = Literal["all", "flagged", "none"]
"""Which results leave for a grade book without a person's decision; see `core.content.release`."""

CountingRule = Literal["newest", "first"]
"""Which of several videos of one student counts."""
