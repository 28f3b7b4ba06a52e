"""The panel with the selected task in detail, beside the list on a huge screen."""

import asyncio
import json
from typing import TYPE_CHECKING

from textual import work

from introeval_tui.link.client import DaemonSilent, RequestRefused
from introeval_tui.rows import header
from introeval_tui.rows.cells import Row, row
from introeval_tui.rows.table import rule
from introeval_tui.rows.target import Target
from introeval_tui.rows.words import FINAL
from introeval_tui.screens.keyed import KeyedScreen
from introeval_tui.widgets.panel import Panel

if TYPE_CHECKING:
    from daemon.contracts.wire.base import LogLine
    from daemon.contracts.wire.tasks import TaskDetail
    from introeval_tui.rows.answer_rows import ResultJson

_LOG_LINES = 40
_REST_S = 0.2


class Peek(Panel):
    """Follows the cursor: once that rests, its task is fetched and shown, with the result or the log."""

    def __init__(self, board: KeyedScreen) -> None:
        super().__init__(self._detail, "peek", ascii_only=board.dashboard.setup.ascii_only)
        self._board = board
        self._item: Target | None = None
        self._fetched: TaskDetail | None = None
        self._results: list[ResultJson] = []
        self._log: tuple[LogLine, ...] = ()
        self._at: tuple[int, int] | None = None  # which task, at which state of all tasks

    def follow(self, item: Target | None) -> None:
        """Fetch the task under the cursor when it is another one or has changed."""
        self._item, status = item, self._board.dashboard.known.status
        if item is None or item.task_id is None or status is None:
            return
        at = (item.task_id, status.seq)
        if at != self._at:
            self._at = at
            self.fetch(item.task_id)

    @work(exclusive=True, group="peek")
    async def fetch(self, task_id: int) -> None:
        """Fetch a task with its results or its log, once the cursor rests."""
        from daemon.contracts.wire.base import LogLine
        from daemon.contracts.wire.tasks import TaskDetail

        await asyncio.sleep(_REST_S)
        asks = self._board.dashboard.asks
        try:
            fetched = TaskDetail.model_validate_json(await asks.get(f"/tasks/{task_id}"))
            if fetched.status in FINAL:
                self._results, self._log = json.loads(await asks.get(f"/tasks/{task_id}/results")), ()
            else:
                params = [("source", "daemon"), ("lines", str(_LOG_LINES)), ("task_id", str(task_id))]
                lines = json.loads(await asks.get("/logs", params))
                self._results, self._log = [], tuple(LogLine.model_validate(line) for line in lines)
            self._fetched = fetched
        except (DaemonSilent, RequestRefused, ValueError):
            self._fetched = self._at = None  # the link shows what is wrong; the next change fetches it again
        self.redraw()

    def _detail(self, width: int, height: int) -> list[Row]:
        from introeval_tui.rows import answer_rows, detail_rows

        item, detail, scene, inner = self._item, self._fetched, self._board.dashboard.scene, width - 1
        rows = [rule("─Task", "", inner, focused=False)]
        keys = self._board.key_names()
        if item is not None and item.task_id is not None:
            mine = detail if detail is not None and detail.id == item.task_id else None
            task = item.task or mine
            if task is not None:
                rows += detail_rows.head_rows(task, mine, scene, inner, keys, back="")
            if mine is not None:
                rows += [
                    row(inner),
                    *detail_rows.overview_rows(mine, self._results, scene, inner),
                    row(inner),
                ]
                rows += detail_rows.log_rows(self._log, inner, wrapped=True, times=True) if self._log else []
                for result in self._results[-1:]:
                    rows += answer_rows.rating_rows(result, inner, demo=mine.demo)
                    rows += [row(inner), *detail_rows.transcript_rows(result, inner)]
        return edged(header.dimmed(scene, rows), inner, height)


def edged(rows: list[Row], width: int, height: int) -> list[Row]:
    """The rows with a line at the left, padded to `height` rows."""
    filled = rows[:height] + [row(width)] * (height - len(rows))
    return [[("│", "dim"), *pieces] for pieces in filled]
