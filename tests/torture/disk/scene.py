"""A class with one of everything, and the daemon's lives in it, on a disk whose every change is logged."""

import json
import random
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.torture.days import checks, outside
from tests.torture.days.clock import Clock
from tests.torture.days.engines import FAULTS
from tests.torture.days.lab import Lab, Moment, Upload
from tests.torture.days.life import live
from tests.torture.days.warm import warm
from tests.torture.disk.calls import Call, Fault, Shim, read_log
from tests.torture.disk.mishaps import Mishap, befall

EVENING_S = 1200.0
NIGHT_S = 3600.0
_ARCHIVE_S = 1500.0
_MOST_LIVES = 4
_SETTINGS: dict[str, Any] = {
    "gpu.residency": [["stt"], ["extract"], ["rate"]],
    "intake.rescan_s": 300.0,
    "intake.poll": False,
    "intake.min_free_mb": 0,
    "retention.archive_days": _ARCHIVE_S / 86_400,
}
_UPLOADS = [
    ("s001_intro0.mp4", "10.5 good #0"),
    ("s002/[b] ok;1.webm", "20.5 good #1"),
    ("s003_intro2.mp4", "damaged #2"),
    ("s004_intro3.mp4", "12.0 silent #3"),
    ("s005_intro4.mp4", "15.0 poison #4"),
    ("s006_intro5.mp4", "30.0 good #5"),
    ("s001_again6.mp4", "10.5 good #0"),  # a duplicate: refused
    ("IMG_0007.mp4", "11.0 unnamed #7"),  # nobody's: refused
]
_AGENDA = [
    Moment(600.0, "decide", 1),
    Moment(650.0, "ask", ("retry", 0.0)),
    Moment(700.0, "ask", ("rate", 0.0)),
]
_COMMITTED = re.compile(r" task (\d+)\.r(\d+)\.a\d+ \S+ (transcribed|unscorable|extracted|rated) ")
_BEGUN = re.compile(r"(stt|extract|rate) begins with (\d+)\.r(\d+)\.")
_ENDED = re.compile(r" (stt|extract|rate) ends with (\d+)\.r(\d+)\.a\d+: (\w+)")
_STAGES = {"transcribed": "stt", "unscorable": "stt", "extracted": "extract", "rated": "rate"}

Success = tuple[int, int, str]
"""A task, its revision, and a stage whose outcome is committed."""

_shim = Shim()


@dataclass
class CutLab(Lab):
    """A lab that writes its log between the calls of the daemon, and knows what was committed before."""

    committed: frozenset[Success] = frozenset()

    def log(self, line: str) -> None:
        super().log(line)
        _shim.mark(self.lines[-1])
        if (begun := _BEGUN.match(line)) and self.success(begun) in self.committed:
            self.find("repeated", f"{line}, whose outcome was committed before the cut")

    @staticmethod
    def success(begun: re.Match[str]) -> Success:
        return int(begun[2]), int(begun[3]), begun[1]


@dataclass
class Witness:
    """What had been seen of a life from outside, up to one of its calls."""

    now: float = 0.0
    committed: set[Success] = field(default_factory=set)
    faults: dict[Success, list[str]] = field(default_factory=dict)

    def hear(self, call: Call) -> None:
        """Take a mark."""
        line = call.data.decode()
        self.now = max(self.now, float(line[:12]))
        if found := _COMMITTED.search(line):
            self.committed.add((int(found[1]), int(found[2]), _STAGES[found[3]]))
        if (ended := _ENDED.search(line)) and ended[4] in FAULTS:
            run = int(ended[2]), int(ended[3]), ended[1]
            self.faults = {**self.faults, run: [*self.faults.get(run, ()), ended[4]]}


class Stage:
    """Where lives are played: one folder for each, all on one file system in memory."""

    def __init__(self, folder: Path, seed: int, clock: Clock) -> None:
        self.folder, self.seed, self.clock = folder, seed, clock
        self.originals = folder / "originals"
        self.log = folder / "log"
        self.world = folder / "world"
        """The lab's folder: always the same, since the database has absolute paths."""
        self.originals.mkdir(exist_ok=True)
        warm()

    def begin(self, *moments: Moment) -> CutLab:
        """A class whose files are all handed in, and no daemon has run yet. `moments` happen besides."""
        world, lab = self.world, self._lab(Witness())
        outside.build(lab)
        (world / "introeval.toml").write_text(_toml())
        for upload in lab.uploads:
            outside.happen(lab, Moment(0.0, "upload", upload.number))
        for path in world.rglob("*"):
            if path.is_file():
                (self.originals / str(path.stat().st_ino)).hardlink_to(path)
        lab.agenda = sorted([*lab.agenda, *moments], key=lambda moment: moment.at)
        return lab

    def resume(self, witness: Witness, dice: random.Random, mishap: Mishap = Mishap.NONE) -> CutLab:
        """The same class after a cut, of which the state was laid out."""
        lab = self._lab(replace(witness, now=witness.now + dice.random()))
        checks.at_rest(lab)
        befall(lab, mishap, dice)
        if lab.forgot:
            lab.committed = frozenset()
        return lab

    def live(self, lab: CutLab, fault: Fault | None = None) -> CutLab:
        """Let the daemon live until the evening; after a kill, or where it gave up, again. With a fault every
        life is logged.
        """
        most = _MOST_LIVES + (fault.times if fault else 0)  # without its disk it may not even start
        for _ in range(most):
            how, after = live(lab, self.clock, self.folder / "handed", self._arming(lab, fault))
            assert isinstance(after, CutLab)
            lab = after
            if how == "evening" or lab.findings:
                return lab
            self.clock.now += 10.0
        lab.find("hung", f"{most} lives, and it is not yet evening")
        return lab

    def live_on(self, lab: CutLab, fault: Fault) -> CutLab:
        """The day, and the night in which what has been kept for its time is deleted."""
        after = self.live(lab, fault)
        if not after.findings:
            log = self.log.rename(self.log.with_suffix(".day"))
            night = self._lab(Witness(max(self.clock.now, EVENING_S), faults=dict(after.faults)))
            log.rename(self.log)
            night.lines, night.published = after.lines, after.published
            after = self.live(night, fault)
        return after

    def clear(self) -> None:
        """Remove the lab's folder."""
        shutil.rmtree(self.world)

    def calls(self) -> list[Call]:
        """The log of the lives since the last `begin` or `resume`."""
        return list(read_log(self.log)) if self.log.exists() else []

    def _arming(self, lab: CutLab, fault: Fault | None) -> Callable[[], None]:
        def prepare() -> None:
            if fault is not None:
                already = sum(call.what != "mark" for call in self.calls())
                _shim.arm(self.log, (lab.inbox, lab.outbox, lab.state), fault, already)

        return prepare

    def _lab(self, witness: Witness) -> CutLab:
        now = witness.now
        self.log.unlink(missing_ok=True)
        self.clock.now, self.clock.dice = now, random.Random(self.seed)
        day = now < EVENING_S
        uploads = [
            Upload(number, path, content.encode(), content.split()[-2], at=0.0 if day else None)
            for number, (path, content) in enumerate(_UPLOADS)
        ]
        agenda = [moment for moment in _AGENDA if moment.at > now]
        agenda.append(Moment(EVENING_S if day else NIGHT_S, "evening"))
        lab = CutLab(self.seed, self.world, self.clock, _SETTINGS, agenda, uploads)
        lab.committed, lab.faults = frozenset(witness.committed), dict(witness.faults)
        return lab


def _toml() -> str:
    tables: dict[str, list[str]] = {}
    for key, value in _SETTINGS.items():
        table, _, name = key.partition(".")
        tables.setdefault(table, []).append(f"{name} = {json.dumps(value)}")
    return "\n".join(line for table, some in tables.items() for line in (f"[{table}]", *some)) + "\n"
