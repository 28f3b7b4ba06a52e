"""Cells of tables that people open in a spreadsheet.

A spreadsheet takes a text for a formula by its first sign, also behind spaces and in full width, and runs it.
Such a text gets an apostrophe in front. So does one that begins with an apostrophe: what `text_of` reads back
is then what was written, whatever it was. Where `;` separates cells, as in many languages, the spreadsheet
splits a text in the midst, also at the end of a line, and each part is a cell: one that would be a formula
gets an apostrophe, too.
"""

import re

_SIGNS = (
    "=+@-\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}"
    "\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}"
)
_CONTROLS = ("\t", "\r", "\n")
_MARK = "'"
_HIDDEN = " \N{NO-BREAK SPACE}\N{IDEOGRAPHIC SPACE}\N{ZERO WIDTH SPACE}\N{ZERO WIDTH NO-BREAK SPACE}\x00"
_BEFORE_FORMULA = rf"(?=['{_HIDDEN}]*[{re.escape(_SIGNS)}])"
_SPLIT = re.compile(rf"(?<=[;\t\r\n]){_BEFORE_FORMULA}")
_MARKED = re.compile(rf"(?<=[;\t\r\n]){_MARK}{_BEFORE_FORMULA}")


def cell(value: object) -> str:
    """A value as a cell: empty for None, a number as it is, and a text so that it stays one."""
    if value is None:
        return ""
    text = str(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return text
    risky = text.startswith((*_CONTROLS, _MARK)) or text.lstrip(_HIDDEN).startswith(tuple(_SIGNS))
    return (_MARK if risky else "") + _SPLIT.sub(_MARK, text)


def text_of(cell: str) -> str:
    """The text of a cell of `cell`."""
    return _MARKED.sub("", cell.removeprefix(_MARK))
