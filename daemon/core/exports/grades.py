"""A score of 1 to 10 as a grade book writes its grades."""

import re
from decimal import Decimal

_NUMBER = re.compile(r"\d+(?:[.,]\d+)?")
_LEAST = Decimal("0.01")


def is_number(text: str) -> bool:
    """Whether a cell is a plain number, with a decimal point or comma."""
    return _NUMBER.fullmatch(text) is not None


def scaled(score: int, maximum: str) -> str:
    """A score on a scale that ends at `maximum`, written as that is: with its decimal mark and places."""
    whole, mark, places = maximum.partition("," if "," in maximum else ".")
    grade = (score * Decimal(f"{whole}.{places or 0}") / 10).quantize(_LEAST).normalize()
    digits = max(len(places), -int(grade.as_tuple().exponent), 0)
    return f"{grade:.{digits}f}".replace(".", mark or ".")
