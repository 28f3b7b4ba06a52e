"""The nodes of a class as they are shown: this machine's, and those of the machines that lend their GPU."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from daemon.contracts.ports import SupervisorSource
from daemon.contracts.values import Change
from daemon.contracts.wire.status import NodeLine
from daemon.core.schedule.decision import LOCAL, View
from daemon.core.tasks.task import FINAL, RUNNING


class NodeLines:
    """Gives a line for each node. `here` is this machine's, `lenders` are the others', without their work."""

    def __init__(
        self,
        work: SupervisorSource,
        here: Callable[[], NodeLine],
        lenders: Callable[[], Iterable[NodeLine]],
    ) -> None:
        self._work, self._here, self._lenders = work, here, lenders
        self._done = Counter[str]()

    def committed(self, changes: Sequence[Change]) -> None:
        """Count the tasks that an attempt has ended."""
        ended = (c for c in changes if c.seconds is not None and c.after.status in FINAL)
        self._done.update(change.node or LOCAL for change in ended)

    def switched(self, group: str, seconds: float) -> None:
        """Switches are not counted."""

    def __call__(self) -> list[NodeLine]:
        """The lines, this machine's first."""
        view = self._work.view
        in_hand = Counter(view.node_of(task) for task in view.tasks if task.status in RUNNING)
        return [self._working(line, view, in_hand[line.name]) for line in (self._here(), *self._lenders())]

    def _working(self, line: NodeLine, view: View, in_hand: int) -> NodeLine:
        phase, figures = view.nodes.get(line.name), {"in_hand": in_hand, "done": self._done[line.name]}
        if phase is None:
            return line.model_copy(update=figures)
        to = sorted(phase.last_group or ()) if phase.switching else None
        return line.model_copy(update={**figures, "group": sorted(phase.group or ()), "to": to})
