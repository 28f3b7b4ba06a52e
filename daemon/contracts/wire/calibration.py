"""Calibration: the tasks that people score, their scores, and what becomes of them."""

from typing import Annotated

from pydantic import Field

from daemon.contracts.wire.base import WireModel
from daemon.core.agreement.calibration import Calibration
from daemon.core.content.document import Criterion, Profile, Score, Speaking

Rater = Annotated[str, Field(min_length=1, max_length=64)]


class AnchorTask(WireModel):
    """A task to score, without the model's figures. `video` is its path; None when it is gone."""

    id: int
    student: str
    video: str | None
    transcript: str
    speaking: Speaking | None
    profile: Profile | None


class AnchorSheet(WireModel):
    """The tasks of a class to score, and the ids of all that may be scored. `others` is the number of those
    that may not, since they were rated by another model or prompt than most.
    """

    tasks: list[AnchorTask]
    ids: list[int]
    others: int


class RaterScores(WireModel):
    """The scores of one rater, by task id."""

    rater: Rater
    scores: dict[int, dict[Criterion, Score]]


class CalibrationWanted(WireModel):
    """The scores of a class's raters. `name` is that of the class, a day such as 2026-11-26, or `current`."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    raters: Annotated[list[RaterScores], Field(min_length=1)]


class CalibrationMade(WireModel):
    """A calibration with the SHA-256 of its file, and where it and its report are."""

    calibration: Calibration
    sha256: str
    file: str
    report: str


class CalibrationLine(WireModel):
    """A calibration in a list."""

    number: int
    day: str
    made_at: str
    made_by: str | None
    raters: tuple[str, ...]


class CalibrationsKept(WireModel):
    """All calibrations, oldest first, and the number of the one in use."""

    in_use: int | None
    made: list[CalibrationLine]


class CalibrationUsed(WireModel):
    """The number of results that were revised by the calibration `number`, or back. `left` of the class keep
    the model's own figures: the keys of their provenance in `differs` are others than its.
    """

    number: int
    revised: int
    left: int = 0
    differs: tuple[str, ...] = ()
