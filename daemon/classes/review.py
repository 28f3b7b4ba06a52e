"""The results of a class in the order of doubt: read from the database, by the daemon or without one."""

from daemon.classes.shown import class_shown
from daemon.config.records import ReviewSettings
from daemon.contracts.wire.classes import StudentLine
from daemon.contracts.wire.review import ReviewLine, ReviewPage
from daemon.contracts.wire.words import Ruling
from daemon.core.classes.doubt import Doubted, in_order
from daemon.core.classes.standing import Standing
from daemon.monitoring import queries
from daemon.store import reviewing
from daemon.store.database import Database, reads


@reads
def review_page(
    db: Database, name: str, rules: ReviewSettings, now: float, span: slice, *, every: bool
) -> ReviewPage:
    """The results of a class at these places, most doubtful first: those to decide on or, with `every`, all.

    Each is doubted in view of the whole class. Raises UnknownClass.
    """
    shown = class_shown(db, name, rules, now)
    lines = {line.counts: line for line in shown.lines if line.counts is not None}
    tasks = {task.id: task for task in queries.lines(db, list(lines), now) if Ruling.DECIDE in task.can}
    doubted = in_order(reviewing.rated(db, list(tasks)))
    left = [each for each in doubted if _is_left(lines[each.id])]
    chosen = doubted if every else left
    results = reviewing.last_results(db, [each.id for each in chosen[span]])

    def line(each: Doubted) -> ReviewLine:
        student = lines[each.id]
        return ReviewLine(
            task=tasks[each.id],
            name=student.name,
            standing=student.standing,
            held=student.held,
            doubts=[doubt.reason for doubt in each.doubts],
            result=results[each.id],
        )

    page = [line(each) for each in chosen[span] if each.id in results]
    return ReviewPage(class_name=shown.name, total=len(chosen), left=len(left), lines=page)


def _is_left(line: StudentLine) -> bool:
    return line.decided_by is None and line.standing != Standing.RELEASED
