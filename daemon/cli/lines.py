"""Lines for people: cleaned, in colours on a terminal, wrapped to its width, and whole into a pipe."""

import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from typing import NamedTuple

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
_LEAST = 10


class Line(NamedTuple):
    """A line of text in a style; what does not fit is continued `indent` cells further in."""

    text: str
    style: str = ""
    indent: int = 2


def width() -> int | None:
    """The columns of the output; None where it has no width. `COLUMNS` goes before the terminal's own."""
    known = os.environ.get("COLUMNS", "").isdecimal() or sys.stdout.isatty()
    return shutil.get_terminal_size().columns if known else None


def say(lines: Iterable[Line | str], *, error: bool = False) -> None:
    """Print lines to the output, or to stderr."""
    out = sys.stderr if error else sys.stdout
    coloured = out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    columns = width()
    for line in lines:
        text, style, indent = line if isinstance(line, Line) else Line(line)
        for part in wrapped(text, columns, indent):
            print(f"\x1b[{_CODES[style]}m{part}\x1b[0m" if coloured and style else part, file=out)


def wrapped(text: str, columns: int | None, indent: int = 2) -> list[str]:
    """The lines of a text; all but the first are indented."""
    from rich.cells import cell_len  # no help needs it, and each reads the module of its command

    from introeval_tui.rows.cells import clean, wrap

    said = clean(text)
    if columns is None or cell_len(said) <= columns:
        return [said]
    lead = " " * (len(said) - len(said.lstrip()))
    first = wrap(said.lstrip(), max(columns - len(lead), _LEAST))[0]
    rest = said.lstrip()[len(first) :].lstrip()
    margin = lead + " " * indent
    return [
        (lead + first).rstrip(),
        *(margin + line for line in wrap(rest, max(columns - len(margin), _LEAST)) if line),
    ]


def table(rows: Sequence[Sequence[str]], columns: int | None, *, right: Sequence[int] = (0,)) -> list[str]:
    """One line for each row, in aligned columns; none is wider than a third, and the last is cut at the end.

    `right` are the columns that are aligned to the right.
    """
    from rich.cells import cell_len

    from introeval_tui.rows.cells import clean, fit

    cleaned = [[clean(cell) for cell in row] for row in rows]
    widths = [max(map(cell_len, cells)) for cells in zip(*cleaned, strict=True)]
    if columns is not None:
        widths = [min(each, columns // 3) for each in widths]
    lines = []
    for row in cleaned:
        *cells, last = row
        parts = [fit(cell, widths[at], ">" if at in right else "<") for at, cell in enumerate(cells)]
        line = "  ".join([*parts, last]).rstrip()
        lines.append(line if columns is None or cell_len(line) <= columns else fit(line, columns))
    return lines
