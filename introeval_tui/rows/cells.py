"""Text in the cells of a terminal: cleaned, cut to a width, and compared with the row before.

A row is made of pieces, each a text and its style, so that text from students is never read as markup.
"""

import unicodedata
from collections.abc import Iterable, Sequence

from rich.cells import cell_len, get_character_cell_size

Piece = tuple[str, str]
"""A text that fills its cells exactly, and its style in Rich's words ("bold red", "" for plain)."""
Row = list[Piece]

_COMBINING = 2  # marks on one letter; more than any script of names needs
_HARMFUL = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_ASCII = str.maketrans("●◐○◆◇✓✗‖▶↻⊘◌■█░▁▂▃▄▅▆▇─│┌┐└┘…·•▲▼", "*oo#^+!=>~-.o#. .:-=+*-|++++~.*^v")


def clean(text: str) -> str:
    """The text without characters that move, hide or reverse other text.

    Control characters, escapes, direction marks and joiners become U+FFFD; line ends and tabs a space.
    """
    if text.isascii() and text.isprintable():
        return text
    out: list[str] = []
    marks = 0
    for char in unicodedata.normalize("NFC", text):
        kind = unicodedata.category(char)
        if char in "\n\r\t":
            out.append(" ")
        elif kind in ("Mn", "Me"):
            marks += 1
            # A variation selector changes the width of the character before it, in some terminals.
            if (
                marks <= _COMBINING
                and out
                and not "\ufe00" <= char <= "\ufe0f"
                and get_character_cell_size(char) == 0
            ):
                out.append(char)
            continue
        elif kind in _HARMFUL or (kind != "Zs" and get_character_cell_size(char) == 0):
            out.append("\ufffd")
        else:
            out.append(char)
        marks = 0
    return "".join(out)


def fit(text: object, width: int, align: str = "<") -> str:
    """The text cleaned, and cut or padded to exactly `width` cells; a cut text ends in "…"."""
    if width <= 0:
        return ""
    said = str(text)
    if not (said.isascii() and said.isprintable()):
        said = clean(said[: 4 * width + 8])
        if not said.isascii():
            return _fit_wide(said, width, align)
    if len(said) > width:
        return said[: width - 1] + "…"
    return said.rjust(width) if align == ">" else said.ljust(width)


def _fit_wide(said: str, width: int, align: str) -> str:
    length = cell_len(said)
    if length > width:
        kept, length = [], 0
        for char in said:
            size = get_character_cell_size(char)
            if length + size > width - 1:
                break
            kept.append(char)
            length += size
        said, length = "".join(kept) + "…", length + 1
    gap = " " * (width - length)
    return gap + said if align == ">" else said + gap


def wrap(text: str, width: int) -> list[str]:
    """The text in lines of at most `width` cells, broken at spaces where possible."""
    lines: list[str] = []
    for paragraph in text.splitlines() or [""]:
        line = ""
        for word in clean(paragraph).split(" "):
            rest = f"{line} {word}" if line else word
            while cell_len(rest) > width:
                if line:
                    lines.append(line)
                    line, rest = "", word
                    continue
                head = _head(rest, width)
                lines.append(head)
                rest = rest[len(head) :]
            line = rest
        lines.append(line)
    return lines


def _head(text: str, width: int) -> str:
    size = 0
    for at, char in enumerate(text):
        size += get_character_cell_size(char)
        if size > width:
            return text[: max(at, 1)]
    return text


def row(width: int, *pieces: Piece) -> Row:
    """A row of exactly `width` cells: the pieces, cut or padded."""
    out: Row = []
    left = width
    for text, style in pieces:
        size = cell_len(text)
        if size > left:
            if left > 0:
                out.append((fit(text, left), style))
            return out
        if size:
            out.append((text, style))
        left -= size
    if left:
        out.append((" " * left, ""))
    return out


def spread(width: int, left: Sequence[Piece], right: Sequence[Piece]) -> Row:
    """A row with pieces at its left and at its right end; the left ones are cut first."""
    room = width - sum(cell_len(text) for text, _ in right)
    if room <= 0:
        return row(width, *left)
    return [*row(room, *left), *right]


def to_ascii(text: str) -> str:
    """The same cells for an ASCII terminal: our signs as ASCII characters, others as "?"."""
    if text.isascii():
        return text
    text = text.translate(_ASCII)
    if text.isascii():
        return text
    return "".join(char if char.isascii() else "?" * get_character_cell_size(char) for char in text)


def changed(old: Row, new: Row) -> list[tuple[int, int]]:
    """The spans in which two rows of one width differ: (first cell, number of cells), left to right."""
    if old == new:
        return []
    same = set(_placed(old))
    spans: list[tuple[int, int]] = []
    for piece in _placed(new):
        x, size = piece[0], piece[1]
        if piece in same:
            continue
        if spans and sum(spans[-1]) == x:
            spans[-1] = (spans[-1][0], spans[-1][1] + size)
        else:
            spans.append((x, size))
    return spans


def _placed(pieces: Iterable[Piece]) -> Iterable[tuple[int, int, str, str]]:
    x = 0
    for text, style in pieces:
        size = cell_len(text)
        yield x, size, text, style
        x += size
