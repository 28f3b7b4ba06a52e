"""The log-probabilities of an answer, as each generation tells them.

They are those over the whole vocabulary, before grammar and temperature: the likeliest tokens need be none
that the schema allows, and the one that was drawn need not be the likeliest.
"""

import math
from collections.abc import Sequence
from typing import Any

MOST = 20
_DIGITS = "123456789"
_PROSE = tuple('```| word|The|\n| a|10|:|"| is|I|0|[| the|Here|.|A| and| to| of|So'.split("|"))
_SHARE = 0.6  # the likeliest has this share, and each further one of what is left


def logprobs(pieces: Sequence[str], top: int) -> list[dict[str, Any]]:
    """The entries of pieces of an answer, each with its `top` likeliest tokens."""
    return [_entry(piece, top) for piece in pieces]


def _entry(piece: str, top: int) -> dict[str, Any]:
    likeliest = [(text, math.log(_SHARE * (1 - _SHARE) ** rank)) for rank, text in enumerate(_rivals(piece))]
    entry = _told(piece, dict(likeliest)[piece])
    if top:
        entry["top_logprobs"] = [_told(text, logprob) for text, logprob in likeliest[:top]]
    return entry


def _rivals(piece: str) -> list[str]:
    """The tokens at the place of a piece, likeliest first; where the grammar forced it, it is the second."""
    digit = piece.strip(" ,")
    if digit and digit in _DIGITS:
        near = sorted(_DIGITS, key=lambda each: abs(int(each) - int(digit)))
        rivals = [piece.replace(digit, each) for each in near]
    else:
        rivals = [_PROSE[0], piece] if "{" in piece else [piece]
    return list(dict.fromkeys([*rivals, *_PROSE]))


def _told(text: str, logprob: float) -> dict[str, Any]:
    return {"token": text, "logprob": logprob, "bytes": list(text.encode())}
