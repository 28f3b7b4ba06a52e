"""Cells of tables that people open in a spreadsheet.

A spreadsheet takes a text for a formula by its first sign, also behind spaces and in full width, and runs it.
Such a text gets an apostrophe in front. So does one that begins with an apostrophe: what `text_of` reads back
is then what was written, whatever it was.
"""

_FORMULAS = (
    *("=", "+", "-", "@", "\N{FULLWIDTH EQUALS SIGN}", "\N{FULLWIDTH PLUS SIGN}"),
    *("\N{FULLWIDTH HYPHEN-MINUS}", "\N{FULLWIDTH COMMERCIAL AT}"),
)
_CONTROLS = ("\t", "\r", "\n")
_MARK = "'"
_HIDDEN = " \N{NO-BREAK SPACE}\N{IDEOGRAPHIC SPACE}\N{ZERO WIDTH SPACE}\N{ZERO WIDTH NO-BREAK SPACE}\x00"


def cell(value: object) -> str:
    """A value as a cell: empty for None, a number as it is, and a text so that it stays one."""
    if value is None:
        return ""
    text = str(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return text
    risky = text.startswith((*_CONTROLS, _MARK)) or text.lstrip(_HIDDEN).startswith(_FORMULAS)
    return _MARK + text if risky else text


def text_of(cell: str) -> str:
    """The text of a cell of `cell`."""
    return cell.removeprefix(_MARK)
