"""A score as the distribution over the levels that a model may give it.

A model rates in levels of one token each, 1 to 9, so that none is the beginning of another. At the place
of a score a server tells the likeliest tokens, before the grammar and the temperature: those that are levels
are taken together, and the rest of the mass went to what the grammar forbids. The mean over the levels is
steadier, and nearer to people, than the one level that was drawn (arXiv 2503.03064).
"""

import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

LEVELS = range(1, 10)
"""The levels of a model's score: each a single digit, and so a single token, for every tokenizer known."""

LEVELS_IN_WORDS = f"{LEVELS[0]} to {LEVELS[-1]}"

ALTERNATIVES = 20
"""The tokens that are asked for at each place: the most that servers give."""

LOW_MASS = 0.5
"""Below it more of a score's mass is on what is no level than on the levels: its figure means little."""

_LEVEL = re.compile(rb"[\s:]*([1-9])[\s,}]*")
_SPACE = re.compile(r"[\s:,{]*")


@dataclass(frozen=True, slots=True)
class Token:
    """One token of an answer. `alternatives` are the likeliest tokens at its place; log-probabilities are
    natural, over the whole vocabulary.
    """

    text: bytes
    logprob: float
    alternatives: tuple[tuple[bytes, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Figure:
    """One score. `level` is the one that was drawn, `expected` the mean over the levels and `spread` their
    standard deviation, both in points (1 to 10), `legal_mass` the probability of all levels together.

    `spread` and `legal_mass` are None where the server gave no alternatives; `expected` then is the level's.
    """

    level: int
    expected: float
    spread: float | None = None
    legal_mass: float | None = None

    @property
    def score(self) -> int:
        """The integer of the plan, 1 to 10."""
        return whole(self.expected)


def in_points(level: float) -> float:
    """A level, or a mean of levels, on the scale of the result: 1 stays 1 and 9 becomes 10."""
    return 1 + (level - LEVELS[0]) * 9 / (LEVELS[-1] - LEVELS[0])


def whole(expected: float) -> int:
    """The integer from 1 to 10 that is nearest; a half is rounded up."""
    return min(10, max(1, math.floor(expected + 0.5)))


def figures(text: str, tokens: Sequence[Token], keys: Iterable[str]) -> dict[str, Figure]:
    """The scores of a whole answer, a JSON object whose `keys` hold levels.

    Where the text is not in the tokens, or they have no alternatives, a score is the level that was drawn.
    """
    places = dict(_values(text))
    # Servers leave out space, or the fence of a code block, that the tokens have around the object.
    begins = b"".join(token.text for token in tokens).find(text.encode())
    found = {}
    for key in keys:
        start = places[key]
        level = int(text[start])
        at = _covering(tokens, begins + len(text[:start].encode())) if begins >= 0 else None
        found[key] = Figure(level, in_points(level)) if at is None else _figure(level, tokens, at)
    return found


def _figure(level: int, tokens: Sequence[Token], at: int) -> Figure:
    """The figure of the level that was drawn as the token at this place."""
    token = tokens[at]
    masses = dict.fromkeys(LEVELS, 0.0)
    for text, logprob in {token.text: token.logprob, **dict(token.alternatives)}.items():
        if match := _LEVEL.fullmatch(text):
            masses[int(match[1])] += math.exp(logprob)
    if not token.alternatives or not masses[level]:
        return Figure(level, in_points(level))
    if at + 1 < len(tokens):  # "1" may have been meant as the first digit of "10", which the grammar cut
        masses[level] *= 1 - _goes_on(tokens[at + 1])
    legal = sum(masses.values())
    if not legal:
        return Figure(level, in_points(level), None, 0.0)
    mean = sum(each * mass for each, mass in masses.items()) / legal
    variance = sum((each - mean) ** 2 * mass for each, mass in masses.items()) / legal
    spread = math.sqrt(max(0.0, variance)) * (in_points(2) - in_points(1))
    return Figure(level, round(in_points(mean), 4), round(spread, 4), round(min(1.0, legal), 4))


def _goes_on(token: Token) -> float:
    """The probability that a number goes on with this token."""
    return min(1.0, sum(math.exp(logprob) for text, logprob in token.alternatives if text[:1].isdigit()))


def _covering(tokens: Sequence[Token], offset: int) -> int | None:
    """The index of the token that holds the byte at `offset`."""
    end = 0
    for index, token in enumerate(tokens):
        end += len(token.text)
        if offset < end:
            return index
    return None


def _values(text: str) -> Iterator[tuple[str, int]]:
    """The keys of a JSON object, each with the index at which its value begins."""
    decoder = json.JSONDecoder()
    at = _skip(text, 0)
    while text[at] == '"':
        key, at = decoder.raw_decode(text, at)
        at = _skip(text, at)
        yield key, at
        _, at = decoder.raw_decode(text, at)
        at = _skip(text, at)


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at
