"""The widget that draws rows of pieces, and sends only the changed pieces to the terminal."""

from collections.abc import Callable

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from introeval_tui.rows.cells import Row, changed, row, to_ascii

RowSource = Callable[[int, int], list[Row]]
"""Makes the rows for a width and a height in cells."""


class Panel(Widget):
    """Shows the rows of its source; `redraw` repaints the pieces that have changed."""

    class Pointed(Message):
        """A row was clicked, at `piece`; `twice` for a double click."""

        def __init__(self, panel: "Panel", y: int, piece: str, *, twice: bool) -> None:
            super().__init__()
            self.panel = panel
            self.y = y
            self.piece = piece
            self.twice = twice

    class Wheeled(Message):
        """The mouse wheel was turned by `by` rows."""

        def __init__(self, panel: "Panel", by: int) -> None:
            super().__init__()
            self.panel = panel
            self.by = by

    def __init__(self, source: RowSource, classes: str, *, ascii_only: bool = False) -> None:
        super().__init__(classes=classes)
        self._source = source
        self._ascii = ascii_only
        self._rows: list[Row] = []
        self._made_for = Size()

    @property
    def shown(self) -> bool:
        """Whether it is visible: it has room, and no ancestor is hidden."""
        return (
            self.is_attached
            and bool(self.size)
            and all(node.display for node in self.ancestors_with_self if isinstance(node, Widget))
        )

    def redraw(self) -> None:
        """Get the rows from the source, and repaint the changed pieces."""
        if not self.shown:
            return
        before, fitting = self._rows, self._made_for == self.size
        self._make()
        if not fitting:
            self.refresh()
            return
        regions = [
            Region(x, y, cells, 1)
            for y, (old, new) in enumerate(zip(before, self._rows, strict=True))
            for x, cells in changed(old, new)
        ]
        if regions:
            self.refresh(*regions)

    def _make(self) -> None:
        """Get the rows from the source, and fill up with empty ones."""
        width, height = self._made_for = self.size
        rows = self._source(width, height)[:height]
        self._rows = rows + [row(width)] * (height - len(rows))

    def render_line(self, y: int) -> Strip:
        """Render one row (called by Textual)."""
        if self._made_for != self.size:  # the first frame of a size comes before the event that tells of it
            self._make()
        return Strip(
            [
                Segment(
                    to_ascii(text) if self._ascii else text, Style.parse(style) if style else Style.null()
                )
                for text, style in self._rows[y]
            ]
        )

    def text(self) -> str:
        """The shown rows as text, without styles."""
        return "\n".join("".join(piece for piece, _ in pieces) for pieces in self._rows)

    def on_resize(self) -> None:
        """Redraw in the new size."""
        self.redraw()

    def on_click(self, event: events.Click) -> None:
        """Post the clicked row and piece."""
        self.post_message(self.Pointed(self, event.y, self._piece(event.x, event.y), twice=event.chain > 1))

    def _piece(self, x: int, y: int) -> str:
        """The text of the piece at a cell."""
        for text, _ in self._rows[y] if y < len(self._rows) else []:
            x -= cell_len(text)
            if x < 0:
                return text
        return ""

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Post a turn of the wheel by 3 rows."""
        event.stop()
        self.post_message(self.Wheeled(self, 3))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Post a turn of the wheel by -3 rows."""
        event.stop()
        self.post_message(self.Wheeled(self, -3))
