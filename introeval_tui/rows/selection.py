"""The operator's place in the list: cursor, marks, and the visible part of the list. Pure."""

from dataclasses import dataclass, field

from introeval_tui.rows.target import Listing, Target


@dataclass(slots=True)
class Selection:
    """Cursor and marks. Places count in the whole list, of which `listing` is the loaded part."""

    listing: Listing = field(default_factory=Listing)
    cursor: int = 0
    first: int = 0  # the place of the first visible row
    height: int = 1  # visible rows
    marks: dict[str, Target] = field(default_factory=dict)
    _followed: str | None = None  # the key of the item under the cursor

    def take(self, listing: Listing) -> None:
        """Set a new list. The cursor follows its item; when that is gone it keeps its place."""
        self.listing = listing
        if self._followed is not None:
            at = listing.find(self._followed)
            if at is not None and at != self.cursor:
                self.first += at - self.cursor
                self.cursor = at
        for item in listing.items:
            if item.key in self.marks:
                self.marks[item.key] = item
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
    def current(self) -> Target | None:
        """The item under the cursor."""
        return self.listing.at(self.cursor)

    @property
    def targets(self) -> list[Target]:
        """The marked items in the order of their ids, or the one under the cursor."""
        if self.marks:
            return sorted(self.marks.values(), key=lambda item: (item.task_id or 0, item.key))
        return [self.current] if self.current is not None else []

    def mark(self) -> None:
        """Mark the item under the cursor or remove its mark, and move down."""
        item = self.current
        if item is not None:
            if self.marks.pop(item.key, None) is None:
                self.marks[item.key] = item
            self.move(1)

    def restart(self) -> None:
        """Begin at the top of another list, with nothing marked."""
        self.listing, self.cursor, self.first, self._followed = Listing(), 0, 0, None
        self.marks.clear()

    def unmark(self) -> None:
        """Remove all marks."""
        self.marks.clear()

    def wanted(self, page: int) -> int | None:
        """The offset of the page to fetch, or None when all visible rows are loaded."""
        listing = self.listing
        last = min(self.first + self.height, listing.total)
        if not listing.total or (
            self.first >= listing.offset and last <= listing.offset + len(listing.items)
        ):
            return None
        step = page // 4  # so that keys pressed while a page is fetched do not ask for another one
        return max(0, (self.cursor - page // 2) // step * step)

    def _settle(self) -> None:
        self.cursor = max(0, min(self.cursor, self.listing.total - 1))
        self.first = min(self.first, self.cursor)
        self.first = max(self.first, self.cursor - self.height + 1)
        self.first = max(0, min(self.first, self.listing.total - self.height))
        self._followed = None if self.current is None else self.current.key
