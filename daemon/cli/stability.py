"""`introeval stability`: how far scores move with the seed when tasks are rated again."""

import json
from typing import TYPE_CHECKING

from daemon.cli.common import configuration
from daemon.cli.declare import AsJson
from daemon.cli.lines import Line, say

if TYPE_CHECKING:
    from daemon.store.rechecks import Spread


def stability(as_json: AsJson = False) -> None:
    """Show how far the scores of the last class moved when tasks were rated again, with other seeds.

    While nothing waits, a sample of the class is rated again ([rate] idle_ratings). No result changes. The
    database is read, with a daemon or without.
    """
    from daemon.core.content.steadiness import LIMIT
    from daemon.store import open_reader, rechecks
    from daemon.system.state_folder import DATABASE

    with open_reader(configuration().paths.state / DATABASE) as db:
        spreads = rechecks.spreads(db)
    if as_json:
        print(json.dumps([each._asdict() for each in spreads], indent=2))
        return
    if not spreads:
        say(["nothing was rated again yet"])
    for each in spreads:
        say([_line(each, LIMIT)])


def _line(each: "Spread", limit: float) -> Line:
    moved = ", ".join(f"{name} {points:.2f}" for name, points in each.points.items())
    told = f"task {each.task_id} of {each.student}, {each.ratings} ratings, apart by: {moved}"
    return Line(told, "red" if any(points > limit for points in each.points.values()) else "")
