"""Tables that other systems export as CSV: read, and changed in single cells with every other byte kept."""

import codecs
import csv
import io
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

_DELIMITERS = ",;\t"
_FIELD = '"(?:[^"]|"")*"|[^{}\r\n]*'
_MARKED = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_UNMARKED = ("utf-8", "cp1252", "latin-1")


class SheetUnreadable(ValueError):
    """A table that cannot be read, or not be written again byte by byte. Says where, and why."""


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row: its cells as they are meant and as they are written, and its line end. `number` counts the rows
    as a spreadsheet does, from 1.
    """

    number: int
    cells: tuple[str, ...]
    written: tuple[str, ...]
    end: str

    def cell(self, column: int) -> str:
        """A cell without the spaces around it; empty where the row is too short."""
        return self.cells[column].strip() if column < len(self.cells) else ""


class TableFile:
    """A table with its encoding, its byte order mark, its delimiter and its quoting.

    A line that is empty is no row, and is kept. Raises SheetUnreadable.
    """

    def __init__(self, content: bytes) -> None:
        self._mark, self._encoding, text = _decoded(content)
        if "\0" in text:
            raise SheetUnreadable("it holds bytes that are no text; save it as CSV")
        self.delimiter = _delimiter(text)
        self._lines = tuple(_rows(text, self.delimiter))
        self.rows = tuple(row for row in self._lines if row.cells)
        if not self.rows:
            raise SheetUnreadable("it is empty")

    @property
    def titles(self) -> tuple[str, ...]:
        """The cells of the first row."""
        return tuple(cell.strip() for cell in self.rows[0].cells)

    @property
    def body(self) -> tuple[TableRow, ...]:
        """The rows below the titles."""
        return self.rows[1:]

    def changed(
        self,
        cells: Mapping[tuple[int, int], str],
        columns: Iterable[int] | None = None,
        without: Collection[int] = (),
    ) -> bytes:
        """The table with other texts in the cells at (number of the row, column), only these columns, and
        without the rows of these numbers.

        A row that is too short, since programs leave out empty cells at its end, becomes as long as it has to
        be. A text that the encoding lacks is written as HTML does it.
        """
        lengths: dict[int, int] = {}
        for number, column in cells:
            lengths[number] = max(lengths.get(number, 0), column + 1)
        kept = None if columns is None else tuple(columns)
        parts = [self._mark]
        for row in self._lines:
            if row.number in without:
                continue
            missing = lengths.get(row.number, 0) - len(row.written)
            written = [
                self._encoded(self._quoted(cells[row.number, column], old))
                if (row.number, column) in cells
                else old.encode(self._encoding)
                for column, old in enumerate((*row.written, *[""] * missing))
            ]
            chosen = written if kept is None else [written[at] for at in kept if at < len(written)]
            parts += [self.delimiter.encode(self._encoding).join(chosen), row.end.encode(self._encoding)]
        return b"".join(parts)

    def _quoted(self, text: str, old: str) -> str:
        if old.startswith('"') or re.search(rf'["\r\n{self.delimiter}]|^\s|\s$', text):
            return '"' + text.replace('"', '""') + '"'
        return text

    def _encoded(self, text: str) -> bytes:
        """A new text. One byte a letter can be any of several encodings: there it is plain ASCII."""
        one_byte = self._encoding in ("cp1252", "latin-1")
        return text.encode("ascii" if one_byte else self._encoding, "xmlcharrefreplace")


def _decoded(content: bytes) -> tuple[bytes, str, str]:
    for mark, encoding in _MARKED:
        if content.startswith(mark):
            try:
                return mark, encoding, content[len(mark) :].decode(encoding)
            except UnicodeDecodeError as exc:
                raise SheetUnreadable(f"it is no {encoding.upper()} text; save it as CSV in UTF-8") from exc
    for encoding in _UNMARKED[:-1]:
        try:
            return b"", encoding, content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return b"", _UNMARKED[-1], content.decode(_UNMARKED[-1])


def _delimiter(text: str) -> str:
    """The delimiter that makes most cells of the first row; a comma where there is but one cell."""
    return max(_DELIMITERS, key=lambda each: len(next(_parsed(text, each, strict=False), ("", []))[1]))


def _parsed(text: str, delimiter: str, *, strict: bool = True) -> Iterator[tuple[str, list[str]]]:
    """Each row as it is written, and its cells."""
    lines = io.StringIO(text, newline="").readlines()
    reader = csv.reader(iter(lines), delimiter=delimiter, strict=strict)
    begin = 0
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as exc:
            raise SheetUnreadable(f"line {begin + 1}: it is no CSV ({exc}); save it as CSV") from exc
        if cells is None:
            return
        yield "".join(lines[begin : reader.line_num]), cells
        begin = reader.line_num


def _rows(text: str, delimiter: str) -> Iterator[TableRow]:
    """The rows, with the places of their cells. `csv` reads them; the places must agree with what it read."""
    field = re.compile(_FIELD.format(delimiter))
    for number, (written, cells) in enumerate(_parsed(text, delimiter), 1):
        pieces, at = [], 0
        for _ in cells:
            found = field.match(written, at)
            pieces.append(found.group() if found else "")
            at += len(pieces[-1]) + 1
        end = written[max(at - 1, 0) :]
        if delimiter.join(pieces) + end != written or [_meant(piece) for piece in pieces] != cells:
            raise SheetUnreadable(f"row {number}: its quotes are of no kind that can be kept; save it as CSV")
        yield TableRow(number, tuple(cells), tuple(pieces), end)


def _meant(written: str) -> str:
    return written[1:-1].replace('""', '"') if written.startswith('"') else written
