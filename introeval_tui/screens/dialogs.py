"""The screens over the board: a confirmation, and help."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.screen import ModalScreen

from introeval_tui.rows.cells import Row, clean, fit, row, wrap
from introeval_tui.widgets.panel import Panel

T = TypeVar("T")

_WIDEST = 72
_KEYS = 10  # cells
_EDGE = "bold cyan"


def box(heading: str, inner: Sequence[Row], width: int) -> list[Row]:
    """The rows, each `width - 4` cells wide, in a frame with a heading."""
    top = fit(f"┌─ {heading} ", min(width - 1, len(heading) + 4))
    rows: list[Row] = [[(top + "─" * (width - 1 - len(top)) + "┐", _EDGE)]]
    rows += [[("│ ", _EDGE), *pieces, (" │", _EDGE)] for pieces in inner]
    rows.append([("└" + "─" * (width - 2) + "┘", _EDGE)])
    return rows


class Box(ModalScreen[T]):
    """A box over the board, as tall as its rows."""

    def __init__(self, *, ascii_only: bool) -> None:
        super().__init__(classes="box")
        self._ascii = ascii_only

    def compose(self) -> ComposeResult:
        """Yield one panel."""
        yield Panel(self._rows, "box", ascii_only=self._ascii)

    def on_mount(self) -> None:
        """Fit the box to its text."""
        width = min(_WIDEST, self.app.size.width)
        panel = self.query_one(Panel)
        panel.styles.width = width
        panel.styles.height = min(self.app.size.height, len(self._rows(width, 100)))

    def _rows(self, width: int, height: int) -> list[Row]:
        raise NotImplementedError


class Question(Box[bool]):
    """A confirmation. The first line is its heading, and "no" the default."""

    BINDINGS = [
        Binding("y", "answer(True)", "yes"),
        Binding("n,escape,q", "answer(False)", "no"),
        Binding("left,right,tab,h,l", "other", "the other button"),
        Binding("enter", "chosen", "the lit button"),
    ]

    def __init__(self, lines: Sequence[str], *, ascii_only: bool) -> None:
        super().__init__(ascii_only=ascii_only)
        self._lines = lines
        self._yes = False

    def _rows(self, width: int, height: int) -> list[Row]:
        inner = width - 4
        head, *more = self._lines
        said = [row(inner, (line, "")) for text in more for line in wrap(text, inner)][: max(1, height - 4)]
        no = ("  No (n)  ", "" if self._yes else "reverse")
        yes = ("  Yes (y)  ", "reverse" if self._yes else "")
        return box(
            head, [*said, row(inner), row(inner, (" " * max(0, inner - 24), ""), no, ("   ", ""), yes)], width
        )

    def action_answer(self, yes: bool) -> None:
        """Close with an answer."""
        _ = self.dismiss(yes)

    def action_other(self) -> None:
        """Select the other button."""
        self._yes = not self._yes
        self.query_one(Panel).redraw()

    def action_chosen(self) -> None:
        """Close with the selected answer."""
        _ = self.dismiss(self._yes)


class Notice(Box[None]):
    """Some rows to read."""

    BINDINGS = [Binding("escape,q,enter,space", "close", "close")]

    def __init__(self, heading: str, rows: Callable[[int], list[Row]], *, ascii_only: bool) -> None:
        super().__init__(ascii_only=ascii_only)
        self._heading = heading
        self._source = rows

    def _rows(self, width: int, height: int) -> list[Row]:
        heading = clean(self._heading[:40])
        return box(f"{heading} - Esc closes", self._source(width - 4)[: max(1, height - 2)], width)

    def action_close(self) -> None:
        """Close."""
        _ = self.dismiss(None)


class Help(ModalScreen[None]):
    """The keys that work now."""

    BINDINGS = [
        Binding("escape,q,question_mark,f1,enter", "close", "close"),
        Binding("down,j,pagedown,space", "scroll(1)", "down", show=False),
        Binding("up,k,pageup", "scroll(-1)", "up", show=False),
    ]

    def __init__(
        self,
        groups: Sequence[tuple[str, Sequence[tuple[str, str]]]],
        notes: Sequence[str],
        *,
        ascii_only: bool,
    ) -> None:
        super().__init__(classes="box")
        self._groups = groups
        self._notes = notes
        self._ascii = ascii_only
        self._first = 0

    def compose(self) -> ComposeResult:
        """Yield one panel over the whole screen."""
        yield Panel(self._rows, "whole", ascii_only=self._ascii)

    def _rows(self, width: int, height: int) -> list[Row]:
        inner = width - 4
        two = inner >= 76
        room = inner // 2 if two else inner
        cells: list[Row] = []
        for group, keys in self._groups:
            cells.append(row(room, (group, "bold")))
            for key, what in keys:
                said = (fit(what, max(0, room - _KEYS - 3)), "")
                cells.append(row(room, (" " + fit(key, _KEYS) + " ", "bold cyan"), said))
        if two:
            half = (len(cells) + 1) // 2
            cells = [
                row(inner, *cells[at], *(cells[half + at] if half + at < len(cells) else []))
                for at in range(half)
            ]
        cells += [
            row(inner),
            *(row(inner, (line, "dim")) for note in self._notes for line in wrap(note, inner)),
        ]
        room = max(1, height - 2)
        self._first = max(0, min(self._first, len(cells) - room))
        shown = cells[self._first : self._first + room]
        shown += [row(inner)] * (room - len(shown))
        return box("Keys - Esc closes", shown, width)

    def action_close(self) -> None:
        """Close."""
        _ = self.dismiss(None)

    def action_scroll(self, by: int) -> None:
        """Scroll by `5 * by` rows."""
        self._first = max(0, self._first + 5 * by)
        self.query_one(Panel).redraw()
