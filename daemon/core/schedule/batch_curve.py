"""How much faster several requests at a time are than one: a first guess, and what a machine's work shows.

The guess is of another machine: llama.cpp's batched benchmark of Qwen2 7B in Q8_0 on Apple's Metal, answers
after prompts of 512 tokens (ggml-org/llama.cpp#16894). It has no figure for eight: that one continues the
line from two to four. So it counts only until this machine's own attempts tell.

An attempt beside others goes at a share of its speed alone. The shares are estimated from the seconds that
each attempt spent at each level:

1. Each attempt did one attempt's work; its levels did parts of it in proportion to their present speeds.
   The speed of a level is the work done there over the seconds spent there. Repeated, that is the likeliest
   set of speeds (Richardson 1972, Lucy 1974).
2. Before a level has shown much, it is believed to lie on the guess, stretched to the levels that have.
3. More company never makes an attempt faster.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

LEVELS = (1, 2, 4, 8)
"""The requests at a time for which a speed is learnt; between them it changes evenly."""

Spent = tuple[float, ...]
"""The seconds of an attempt at each of LEVELS; those between two levels are shared among them."""

_BELIEF = 2.0  # attempts' worth of work, for which the stretched guess stands at each level
_SAME_SHAPE = 0.05  # as many attempts' worth, squared: the guess's shape before two levels were seen
_SHORTEST = 1e-3  # of the longest attempt: a shorter one tells nothing
_ROUNDS = 30
_SAME = 0.97  # of the highest speed is as good with fewer requests


@dataclass(frozen=True, slots=True)
class BatchCurve:
    """The speed of one request at each of LEVELS, as a share of its speed alone: 1 first, never rising."""

    shares: tuple[float, ...]

    def share(self, at_once: float) -> float:
        """The speed of one of `at_once` requests. Beyond the last level all together get no faster."""
        if at_once >= LEVELS[-1]:
            return self.shares[-1] * LEVELS[-1] / at_once
        return sum(part * share for part, share in zip(_parts(at_once), self.shares, strict=True))

    def speedup(self, at_once: float) -> float:
        """The factor by which more requests are answered in a time than one after the other."""
        return at_once * self.share(at_once)

    @property
    def speedups(self) -> dict[int, float]:
        """The factor at each of LEVELS."""
        return {level: self.speedup(level) for level in LEVELS}

    def best(self, most: int) -> int:
        """The smallest level up to `most` that is about as fast as the fastest; `most` itself is one."""
        levels = [*(level for level in LEVELS if level < most), most]
        fastest = max(map(self.speedup, levels))
        return next(level for level in levels if self.speedup(level) >= _SAME * fastest)


_AT_TWO, _AT_FOUR = 2 / 1.73, 4 / 2.84  # times as long as alone
FIRST_GUESS = BatchCurve((1.0, 1 / _AT_TWO, 1 / _AT_FOUR, 1 / (3 * _AT_FOUR - 2 * _AT_TWO)))
"""The published figures of two and four; eight goes on in a line."""

ONE_AFTER_ANOTHER = BatchCurve(tuple(1.0 / level for level in LEVELS))
"""The first guess on a processor, whose cores one request keeps busy."""


def spent(seconds: float, at_once: float) -> Spent:
    """The seconds of an attempt that had so many beside it all the while, itself included."""
    return tuple(seconds * part for part in _parts(at_once))


def spent_beside(span: tuple[float, float], spans: Sequence[tuple[float, float]]) -> Spent:
    """The seconds of the attempt `span` (begin, end) at each level; `spans` are all attempts, it included."""
    began, ended = span
    inside = [(max(began, b), min(ended, e)) for b, e in spans if b < ended and e > began]
    times = sorted({began, ended, *(at for each in inside for at in each)})
    totals = [0.0] * len(LEVELS)
    for here, there in pairwise(times):
        count = sum(b <= here and e >= there for b, e in inside)
        for level, seconds in enumerate(spent(there - here, max(1, count))):
            totals[level] += seconds
    return tuple(totals)


def learn_curve(attempts: Sequence[Spent], guess: BatchCurve = FIRST_GUESS) -> BatchCurve:
    """The curve that attempts show, by the rules of this module; the guess until two had company."""
    longest = max(map(sum, attempts), default=0.0)
    if longest <= 0.0:
        return guess
    known = [tuple(s / longest for s in each) for each in attempts if sum(each) > _SHORTEST * longest]
    seconds = [sum(column) for column in zip(*known, strict=True)]
    if sum(seconds[1:]) * len(known) < _BELIEF * sum(seconds):
        return guess
    speeds, done = list(guess.shares), [0.0] * len(LEVELS)
    for _ in range(_ROUNDS):
        done = [0.0] * len(LEVELS)
        for each in known:
            work = [s * speed for s, speed in zip(each, speeds, strict=True)]
            whole = sum(work)
            for level, part in enumerate(work):
                done[level] += part / whole
        believed = _stretched(guess, done, seconds)
        speeds = [
            (d + _BELIEF) / (s + _BELIEF / speed) for d, s, speed in zip(done, seconds, believed, strict=True)
        ]
    falling = _never_rising(speeds, [d + _BELIEF for d in done])
    return BatchCurve(tuple(speed / falling[0] for speed in falling))


def _parts(at_once: float) -> tuple[float, ...]:
    """The weights of the levels at `at_once`: those of its two neighbours, together 1."""
    n = min(max(at_once, LEVELS[0]), LEVELS[-1])
    parts = [0.0] * len(LEVELS)
    place = max(i for i, level in enumerate(LEVELS) if level <= n)
    if place == len(LEVELS) - 1:
        parts[place] = 1.0
    else:
        parts[place + 1] = (n - LEVELS[place]) / (LEVELS[place + 1] - LEVELS[place])
        parts[place] = 1.0 - parts[place + 1]
    return tuple(parts)


def _stretched(guess: BatchCurve, done: Sequence[float], seconds: Sequence[float]) -> list[float]:
    """The guess with what company costs made more or less by one factor, so that it meets the levels seen.

    The seconds of an attempt are a line over the guess's cost of company; fitted by least squares. All
    together are never slower than one after the other.
    """
    cost = [1.0 / share - 1.0 for share in guess.shares]
    highest = (LEVELS[-1] - 1.0) / cost[-1]
    usual = sum(seconds) / sum(done)
    a11 = a12 = a22 = b1 = b2 = 0.0
    for c, d, s in zip(cost, done, seconds, strict=True):
        if d > 0.0 and s > 0.0:
            weight, took = d * (usual * d / s) ** 2, s / d / usual
            a11, a12, a22 = a11 + weight, a12 + weight * c, a22 + weight * c * c
            b1, b2 = b1 + weight * took, b2 + weight * c * took
    a11, a12, a22 = a11 + _SAME_SHAPE, a12 - _SAME_SHAPE, a22 + _SAME_SHAPE
    alone, rise = b1 * a22 - b2 * a12, b2 * a11 - b1 * a12
    factor = min(max(rise / alone, 0.0), highest) if alone > 0.0 else highest
    shares = [1.0 / (1.0 + factor * c) for c in cost]
    scale = sum(done) / sum(s * share for s, share in zip(seconds, shares, strict=True))
    return [scale * share for share in shares]


def _never_rising(values: Sequence[float], weights: Sequence[float]) -> list[float]:
    """The nearest values that never rise: neighbours in the wrong order become their mean."""
    pools: list[tuple[float, float, int]] = []
    for value, weight in zip(values, weights, strict=True):
        pools.append((value, weight, 1))
        while len(pools) > 1 and pools[-2][0] < pools[-1][0]:
            (v, w, n), (u, x, m) = pools[-2:]
            pools[-2:] = [((v * w + u * x) / (w + x), w + x, n + m)]
    return [value for value, _, count in pools for _ in range(count)]
