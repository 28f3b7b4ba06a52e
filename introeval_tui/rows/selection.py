"""The operator's place in the list: cursor, marks, and the visible part of the list. Pure."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from introeval_tui.rows.table import Listing

if TYPE_CHECKING:
    from daemon.contracts.wire.tasks import TaskLine


@dataclass(slots=True)
class Selection:
    """Cursor and marks. Places count in the whole list, of which `listing` is the loaded part."""

    listing: Listing = field(default_factory=Listing)
    cursor: int = 0
    first: int = 0  # the place of the first visible row
    height: int = 1  # visible rows
    marks: "dict[int, TaskLine]" = field(default_factory=dict)
    _followed: int | None = None  # the id of the task under the cursor

    def take(self, listing: Listing) -> None:
        """Set a new list. The cursor follows its task; when that is gone it keeps its place."""
        self.listing = listing
        if self._followed is not None:
            at = listing.find(self._followed)
            if at is not None and at != self.cursor:
                self.first += at - self.cursor
                self.cursor = at
        for task in listing.tasks:
            if task.id in self.marks:
                self.marks[task.id] = task
        self._settle()

    def go(self, place: int) -> None:
        """Move the cursor to a place."""
        self.cursor = place
        self._followed = None
        self._settle()

    def move(self, by: int) -> None:
        """Move the cursor by so many places."""
        self.go(self.cursor + by)

    @property
    def task(self) -> "TaskLine | None":
        """The task under the cursor."""
        return self.listing.at(self.cursor)

    @property
    def targets(self) -> "list[TaskLine]":
        """The marked tasks, or the one under the cursor."""
        if self.marks:
            return [self.marks[key] for key in sorted(self.marks)]
        task = self.task
        return [task] if task is not None else []

    def mark(self) -> None:
        """Mark the task under the cursor or remove its mark, and move down."""
        task = self.task
        if task is not None:
            if self.marks.pop(task.id, None) is None:
                self.marks[task.id] = task
            self.move(1)

    def unmark(self) -> None:
        """Remove all marks."""
        self.marks.clear()

    def wanted(self, page: int) -> int | None:
        """The offset of the page to fetch, or None when all visible rows are loaded."""
        listing = self.listing
        last = min(self.first + self.height, listing.total)
        if not listing.total or (
            self.first >= listing.offset and last <= listing.offset + len(listing.tasks)
        ):
            return None
        step = page // 4  # so that keys pressed while a page is fetched do not ask for another one
        return max(0, (self.cursor - page // 2) // step * step)

    def _settle(self) -> None:
        self.cursor = max(0, min(self.cursor, self.listing.total - 1))
        self.first = min(self.first, self.cursor)
        self.first = max(self.first, self.cursor - self.height + 1)
        self.first = max(0, min(self.first, self.listing.total - self.height))
        task = self.task
        self._followed = None if task is None else task.id
