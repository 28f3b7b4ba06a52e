"""Cells of tables that people open in a spreadsheet."""

_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n")


def cell(value: object) -> str:
    """A value as a cell. Text that a spreadsheet would take for a formula is made text with an apostrophe."""
    if value is None:
        return ""
    text = str(value)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return f"'{text}" if text.startswith(_FORMULAS) and not is_number else text
