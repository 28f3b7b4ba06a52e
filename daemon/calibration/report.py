"""The report of a calibration: one HTML file without scripts, with pictures in it."""

from functools import cache
from statistics import fmean

import jinja2

from daemon.core.agreement.calibration import Anchor, Calibration
from daemon.core.agreement.measures import THRESHOLDS
from daemon.core.agreement.offset import moved
from daemon.core.content.document import Criterion


def report(calibration: Calibration) -> str:
    """The report of a calibration. It names tasks by their number only."""
    points = {
        criterion: [
            (anchor.task_id, person, anchor.expected[criterion], moved(anchor.expected[criterion], by.offset))
            for anchor in calibration.anchors
            if (person := _person(anchor, criterion)) is not None
        ]
        for criterion, by in calibration.criteria.items()
    }
    return _template().render(calibration=calibration, points=points, thresholds=THRESHOLDS)


def _person(anchor: Anchor, criterion: Criterion) -> float | None:
    said = [scores[criterion] for scores in anchor.people.values() if criterion in scores]
    return fmean(said) if said else None


@cache
def _template() -> jinja2.Template:
    loader = jinja2.PackageLoader("daemon.calibration")
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("report.html.j2")
