"""Simulated classes: what people and a biased model say of each student, and what calibrating does."""

import random
from dataclasses import dataclass
from statistics import fmean, median

from daemon.core.agreement.anchors import pick
from daemon.core.agreement.offset import half_width, moved, offset
from daemon.core.content.levels import whole

BIAS = -1.5


@dataclass(frozen=True)
class Kind:
    """How a class is: its students, their spread, and the noise of people and of the model, in points."""

    students: int = 30
    spread: float = 1.6
    middle: float = 6.5
    people: float = 0.7
    model: float = 0.8


@dataclass(frozen=True)
class Corrected:
    """`left` is the bias after the correction, `held` the share of the others' scores in their intervals."""

    left: float
    held: float | None


def simulated(seed: int, anchors: int, kind: Kind | None = None) -> Corrected:
    """One class, of which a person scores `anchors` of the picked tasks, or as many as are picked."""
    kind, chance = kind or Kind(), random.Random(seed)
    true = [chance.gauss(kind.middle, kind.spread) for _ in range(kind.students)]
    people = [whole(each + chance.gauss(0, kind.people)) for each in true]
    model = [moved(each + BIAS + chance.gauss(0, kind.model), 0) for each in true]
    picked = pick(dict(enumerate(model)))
    scored = chance.sample(picked, min(anchors, len(picked)))
    apart = [people[at] - model[at] for at in scored]
    by, half = offset(apart), half_width(apart)
    held = None
    if half is not None:
        others = (at for at in range(kind.students) if at not in scored)
        held = fmean(model[at] + by - half <= people[at] <= model[at] + by + half for at in others)
    return Corrected(abs(BIAS + by), held)


def many(anchors: int, first_seed: int, kind: Kind | None = None, classes: int = 1000) -> tuple[float, float]:
    """The median of the bias that is left over many classes, and the share that their intervals held."""
    found = [simulated(seed, anchors, kind) for seed in range(first_seed, first_seed + classes)]
    held = [each.held for each in found if each.held is not None]
    return median(each.left for each in found), fmean(held) if held else 0.0
