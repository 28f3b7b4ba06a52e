"""The days of one lab, one after the other, and the lives of its daemon in them."""

import json
import random
from pathlib import Path

from tests.torture.days import checks, outside
from tests.torture.days.agenda import furnish, plan_day
from tests.torture.days.clock import Clock
from tests.torture.days.lab import Lab
from tests.torture.days.life import live

_DOWN_S = 60.0  # on average, until a killed daemon is started again


def simulate(seed: int, days: int, folder: Path, clock: Clock) -> Lab:
    """Simulate some days. The lab has what was found, and its log."""
    clock.dice = random.Random(seed)
    lab = Lab(seed, folder, clock)
    furnish(lab)
    outside.build(lab)
    _configure(lab)
    for day in range(days):
        plan_day(lab, day)
        how = ""
        while how != "evening" and not lab.findings:
            _pass(lab, clock.dice.expovariate(1 / _DOWN_S))
            if clock.dice.random() < 0.15 and not lab.calm:
                lab.kill_in = clock.dice.randrange(1, 200)  # during the recovery, too
            how, lab = live(lab, clock, folder / "handed")
            lab.count("lives")
            checks.at_rest(lab)
        if lab.findings:
            break
        lab.count("days")
    return lab


def _pass(lab: Lab, seconds: float) -> None:
    """Let time pass without a daemon. Orders find nobody."""
    until = lab.clock.now + seconds
    while lab.agenda and lab.agenda[0].at <= until and lab.agenda[0].what != "evening":
        moment = lab.agenda.pop(0)
        lab.clock.now = max(lab.clock.now, moment.at)
        outside.happen(lab, moment)
    lab.clock.now = until


def _configure(lab: Lab) -> None:
    tables: dict[str, list[str]] = {}
    for key, value in lab.settings.items():
        table, _, name = key.partition(".")
        tables.setdefault(table, []).append(f"{name} = {json.dumps(value)}")
    lines = ["\n".join([f"[{table}]", *some]) for table, some in tables.items()]
    (lab.folder / "introeval.toml").write_text("\n".join(lines) + "\n")
