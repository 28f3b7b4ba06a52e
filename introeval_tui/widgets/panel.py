"""The one widget that draws: rows of pieces, of which only the changed ones are sent to the terminal."""

from collections.abc import Callable

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from introeval_tui.rows.cells import Row, changed, row, to_ascii

RowSource = Callable[[int, int], list[Row]]
"""Gives the rows for a width and a height in cells."""


class Panel(Widget):
    """Shows what its source gives for its size; `redraw` repaints the pieces that differ from before."""

    class Pointed(Message):
        """A row was clicked."""

        def __init__(self, panel: "Panel", y: int, *, twice: bool) -> None:
            super().__init__()
            self.panel = panel
            self.y = y
            self.twice = twice

    class Wheeled(Message):
        """The wheel was turned, by so many rows."""

        def __init__(self, panel: "Panel", by: int) -> None:
            super().__init__()
            self.panel = panel
            self.by = by

    def __init__(self, source: RowSource, classes: str, *, ascii_only: bool = False) -> None:
        super().__init__(classes=classes)
        self._source = source
        self._ascii = ascii_only
        self._rows: list[Row] = []

    @property
    def shown(self) -> bool:
        """Whether it is on its screen now: it has room, and nothing around it is hidden."""
        return (
            self.is_attached
            and bool(self.size)
            and all(node.display for node in self.ancestors_with_self if isinstance(node, Widget))
        )

    def redraw(self) -> None:
        """Ask the source, and repaint what changed."""
        width, height = self.size
        if not self.shown:
            return
        rows = self._source(width, height)[:height]
        blank = row(width)
        rows += [blank] * (height - len(rows))
        before, self._rows = self._rows, rows
        if len(before) != height or (before and _cells(before[0]) != width):
            self.refresh()
            return
        regions = [
            Region(x, y, cells, 1)
            for y, (old, new) in enumerate(zip(before, rows, strict=True))
            for x, cells in changed(old, new)
        ]
        if regions:
            self.refresh(*regions)

    def render_line(self, y: int) -> Strip:
        """One line, for Textual."""
        if y >= len(self._rows):
            return Strip.blank(self.size.width, Style.null())  # the filters of colours need a style
        return Strip(
            [
                Segment(
                    to_ascii(text) if self._ascii else text, Style.parse(style) if style else Style.null()
                )
                for text, style in self._rows[y]
            ]
        )

    def text(self) -> str:
        """What it shows, without styles."""
        return "\n".join("".join(piece for piece, _ in pieces) for pieces in self._rows)

    def on_resize(self) -> None:
        """Fill the new size."""
        self.redraw()

    def on_click(self, event: events.Click) -> None:
        """Say which row was clicked."""
        self.post_message(self.Pointed(self, event.y, twice=event.chain > 1))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Say that the wheel was turned."""
        event.stop()
        self.post_message(self.Wheeled(self, 3))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Say that the wheel was turned."""
        event.stop()
        self.post_message(self.Wheeled(self, -3))


def _cells(pieces: Row) -> int:
    """Cells of a row."""
    return sum(Segment(text).cell_length for text, _ in pieces)
