"""What happens on a simulated day: classes, what people order, and what goes wrong, all from the seed."""

import random
from collections.abc import Callable

from tests.torture.days.lab import Lab, Moment, Upload

HOUR_S = 3600.0
DAY_S = 8 * HOUR_S
_RESIDENCIES = [
    [["stt"], ["extract"], ["rate"]],
    [["stt"], ["extract", "rate"]],
    [["stt", "extract", "rate"]],
]
_KINDS = (
    ["good"] * 240 + ["deadly"] + 3 * "again twin text damaged poison silent unnamed odd link growing".split()
)
_VERBS = ["retry"] * 4 + ["rate"] * 3 + ["cancel"] * 3 + ["hold", "release"] * 2 + ["next"] * 2
_VERBS += ["in_turn", "deliver", "acknowledge"]
_KILLED_CLAIMS = 0.02  # uploads whose claim is likely to be cut short
_ORDERS = ["pause", "pause now", "resume", "drain", "go", "go", "deadline"]


def furnish(lab: Lab) -> None:
    """Draw the settings of a lab."""
    dice = lab.chance("settings")
    lab.outlive = dice.random() < 0.5
    lab.settings = {
        "gpu.residency": dice.choice(_RESIDENCIES),
        "batch.size": dice.choice(["auto", 2, 5, 10]),
        "batch.order": dice.choice(["fair", "fair", "first_come", "shortest"]),
        "intake.rescan_s": dice.choice([30.0, 120.0]),
        "intake.poll": False,
        "intake.min_free_mb": 0,
        "intake.resubmission": dice.choice(["all", "all", "all", "newest", "reject"]),
        "stt.parallel": dice.choice([1, 2]),
        "extract.parallel": dice.choice([1, 2, 4]),
        "rate.parallel": dice.choice([1, 2, 4]),
        "rate.idle_ratings": dice.choice([0, 0, 2]),
    }


def plan_day(lab: Lab, day: int) -> None:
    """Fill the agenda of a day that begins now, with its evening at the end."""
    dice, begins = lab.chance("day", day), lab.clock.now
    moments: list[Moment] = []
    classes: list[float] = []
    at = begins + dice.uniform(5.0, 600.0)
    while at < begins + DAY_S - HOUR_S:
        classes.append(at)
        moments += _class(lab, dice, at)
        at += dice.uniform(0.5, 1.8) * HOUR_S

    def some_time() -> float:
        """Mostly while a class is worked on."""
        busy = dice.choice(classes) + dice.expovariate(1 / 900.0)
        return min(busy if dice.random() < 0.8 else begins + dice.uniform(0.0, DAY_S), begins + DAY_S)

    moments += _people(dice, some_time)
    moments += _trouble(dice, some_time)
    moments.append(Moment(begins + DAY_S, "evening"))
    lab.agenda = sorted(moments, key=lambda moment: moment.at)
    lab.calm = False


def _class(lab: Lab, dice: random.Random, at: float) -> list[Moment]:
    """A class: most hand in within minutes, some late."""
    size = dice.choice([1, 3, 6, 12, 20, 30])
    within = dice.choice([1.0, 60.0, 600.0, 1800.0])
    moments = []
    for _ in range(size):
        upload = _upload(lab, dice)
        lab.uploads.append(upload)
        comes = at + dice.uniform(0.0, within)
        if upload.kind == "growing":
            moments.append(Moment(comes, "half", upload.number))
            comes += dice.uniform(0.1, 1.5)
        moments.append(Moment(comes, "upload", upload.number))
        if dice.random() < _KILLED_CLAIMS:
            moments.append(Moment(comes + dice.uniform(1.9, 3.5), "kill", dice.randrange(60)))
    return moments


def _upload(lab: Lab, dice: random.Random) -> Upload:
    number, kind = len(lab.uploads), dice.choice(_KINDS)
    student = f"s{dice.randrange(60):03d}"
    name = f"{student}_intro{number}.mp4"
    content = f"{dice.uniform(8.0, 200.0):.1f} {kind} #{number}"
    if kind == "text":
        content = f"text {number} #{number}"
    elif kind == "damaged":
        content = f"damaged {number} #{number}"
    elif kind == "unnamed":
        name = f"IMG_{number:04d}.mp4"
    elif kind == "odd":
        name = f"{student}/[b]$(reboot)/../ok {number};.webm".replace("/../", "-")
    elif kind in ("again", "twin") and lab.uploads:
        first = dice.choice(lab.uploads)
        content = first.content.decode()
        if kind == "again":
            name = f"{first.path.split('_')[0].split('/')[0]}_again{number}.mp4"
    return Upload(number, name, content.encode(), kind)


def _people(dice: random.Random, some_time: Callable[[], float]) -> list[Moment]:
    """What the operator asks, and the lab's tools that take results out of the outbox."""
    moments = [
        Moment(some_time(), "ask", (dice.choice(_VERBS), dice.random())) for _ in range(dice.randrange(4, 40))
    ]
    for _ in range(dice.randrange(8)):
        at, order = some_time(), dice.choice(_ORDERS)
        moments.append(Moment(at, "order", order))
        if order in ("pause", "pause now", "drain"):
            moments.append(Moment(at + dice.expovariate(1 / 600.0), "order", "resume"))
    moments += [Moment(some_time(), "take", dice.random()) for _ in range(dice.randrange(6))]
    return moments


def _trouble(dice: random.Random, some_time: Callable[[], float]) -> list[Moment]:
    """What goes wrong. Each is over by itself some minutes later."""
    moments = [Moment(some_time(), "kill", _steps(dice)) for _ in range(dice.randrange(12))]
    moments += [Moment(some_time(), "stop") for _ in range(dice.randrange(4))]
    for share in ("inbox", "outbox"):
        for _ in range(dice.randrange(4)):
            at = some_time()
            moments.append(Moment(at, "away", (share,)))
            moments.append(Moment(at + dice.expovariate(1 / 400.0), "back", (share,)))
    for _ in range(dice.randrange(4)):
        stage, long = dice.choice(["stt", "extract", "rate"]), dice.expovariate(1 / 300.0)
        moments.append(Moment(some_time(), "sick", (stage, long)))
    for _ in range(dice.randrange(3)):
        moments.append(Moment(some_time(), "slow disk", dice.expovariate(1 / 200.0)))
        moments.append(Moment(some_time(), "full disk", dice.expovariate(1 / 120.0)))
    for _ in range(dice.randrange(3)):
        turned = dice.choice([-1.0, 1.0]) * dice.choice([5.0, 3600.0, 86_400.0, 40 * 86_400.0])
        moments.append(Moment(some_time(), "clock", turned))
    return moments


def _steps(dice: random.Random) -> int:
    """In how many steps of the daemon it is killed: at once, or soon in the midst of its work."""
    return dice.choice([0, dice.randrange(8), dice.randrange(60), dice.randrange(600)])
