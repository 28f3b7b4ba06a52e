"""The report of a calibration."""

from statistics import fmean

from daemon.core.agreement.calibration import Anchor, Calibration
from daemon.core.agreement.measures import THRESHOLDS
from daemon.core.agreement.offset import moved
from daemon.core.content.document import Criterion
from daemon.publishing.pages import page


def calibration_report(calibration: Calibration) -> bytes:
    """The report of a calibration. It names tasks by their number only."""
    points = {
        criterion: [
            (anchor.task_id, person, anchor.expected[criterion], moved(anchor.expected[criterion], by.offset))
            for anchor in calibration.anchors
            if (person := _person(anchor, criterion)) is not None
        ]
        for criterion, by in calibration.criteria.items()
    }
    return page("calibration.html.j2", calibration=calibration, points=points, thresholds=THRESHOLDS)


def _person(anchor: Anchor, criterion: Criterion) -> float | None:
    said = [scores[criterion] for scores in anchor.people.values() if criterion in scores]
    return fmean(said) if said else None
