"""A score as the distribution over the levels that a model may give it.

A model rates in levels of one token each, 1 to 9, so that none is the beginning of another. At the place
of a score a server tells the likeliest tokens, before the grammar and the temperature: those that are levels
are taken together, and the rest of the mass went to what the grammar forbids. The mean over the levels is
steadier, and nearer to people, than the one level that was drawn (arXiv 2503.03064).
"""

import json
import math
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

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

    Where the text from a key on is not in the tokens, or they have no alternatives, its score is the level
    that was drawn. What stands before need not be there: servers tell the parts of a character by another
    text, or not at all, and leave out space, or the fence of a code block, that is around the object.
    """
    told = b"".join(token.text for token in tokens)
    places = {key: (begins, value) for key, begins, value in _values(text)}
    return {key: _figure(text, *places[key], told, tokens) for key in keys}


def _figure(text: str, begins: int, value: int, told: bytes, tokens: Sequence[Token]) -> Figure:
    """The figure of the level at `value`, whose key begins at `begins`."""
    level = int(text[value])
    drawn = Figure(level, in_points(level))
    at = told.rfind(_encoded(text[begins:]))
    if at < 0:
        return drawn
    index = _covering(tokens, at + len(_encoded(text[begins:value])))
    masses = _masses(tokens[index])
    if not tokens[index].alternatives or not masses[level]:
        return drawn
    if tokens[index].text[-1:].isdigit():  # "1" may have been meant as the first digit of "10"
        following = tokens[index + 1]
        if not following.alternatives:
            return drawn
        masses[level] *= 1 - _goes_on(following)
    if level != 1 and all(text.strip() != b"10" for text, _ in tokens[index].alternatives):
        # Nor can it be seen of a "1" that was not drawn, unless the model has a token for "10". What makes it
        # likelier than its neighbour counts for nothing.
        masses[1] = min(masses[1], masses[2])
    legal = sum(masses.values())
    if not legal:
        return Figure(level, in_points(level), None, 0.0)
    mean = sum(each * mass for each, mass in masses.items()) / legal
    variance = sum((each - mean) ** 2 * mass for each, mass in masses.items()) / legal
    spread = math.sqrt(max(0.0, variance)) * (in_points(2) - in_points(1))
    return Figure(level, round(in_points(mean), 4), round(spread, 4), round(min(1.0, legal), 4))


def _masses(token: Token) -> dict[int, float]:
    """The probability of each level at the place of a token. A level may be the text of several tokens."""
    masses = dict.fromkeys(LEVELS, 0.0)
    told = token.alternatives
    if all(text != token.text for text, _ in told):  # it was not among the likeliest
        told = (*told, (token.text, token.logprob))
    for text, logprob in told:
        if match := _LEVEL.fullmatch(text):
            masses[int(match[1])] += math.exp(logprob)
    return masses


def _goes_on(token: Token) -> float:
    """The probability that a number goes on with this token."""
    return min(1.0, sum(math.exp(logprob) for text, logprob in token.alternatives if text[:1].isdigit()))


def _covering(tokens: Sequence[Token], offset: int) -> int:
    """The index of the token that holds the byte at `offset`, which must be in one."""
    ends = list(accumulate(len(token.text) for token in tokens))
    return bisect_right(ends, offset)


def _values(text: str) -> Iterator[tuple[str, int, int]]:
    """The keys of a JSON object, each with the indexes at which it and its value begin."""
    decoder = json.JSONDecoder()
    at = _skip(text, 0)
    while text[at] == '"':
        begins = at
        key, at = decoder.raw_decode(text, at)
        at = _skip(text, at)
        yield key, begins, at
        _, at = decoder.raw_decode(text, at)
        at = _skip(text, at)


def _encoded(text: str) -> bytes:
    return text.encode(errors="replace")


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at
