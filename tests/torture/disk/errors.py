"""Calls of the daemon that change the disk fail once, the errors in turn. Later the power may go."""

import errno
import random
from collections.abc import Iterator
from typing import Any

from tests.torture.days.lab import Moment
from tests.torture.disk.calls import Fault
from tests.torture.disk.instants import lines
from tests.torture.disk.model import Disk, Loss
from tests.torture.disk.scene import EVENING_S, Stage, Witness
from tests.torture.disk.share import Share

_ERRORS = (errno.EIO, errno.ENOSPC, errno.EROFS, errno.ESTALE)
_WRITES_EVERY = 8  # of them: a transaction of SQLite's has many, and another seed takes others
_CUT_EVERY = 3
_AWAY_EVERY = 8  # calls that fail, of which the disk goes away at one
_AWAY = (5, 20, 60)  # calls until it is back
_GONE = errno.ESTALE


def run(stage: Stage, share: Share, only: str = "") -> Iterator[dict[str, Any]]:
    """Let the calls of `share` fail, one a class. Gives findings and counts as they come. Another seed gives
    each call the next of the errors.

    `only` is `CALL:ERROR`, to run one again.
    """
    counts = {"calls": 0, "errors": 0, "away": 0, "power cuts": 0}
    whats, by_day = _whole(stage)
    if not only:
        yield from _slow(stage)
    for number, what in enumerate(whats, 1):
        if not (only or share.is_mine(number)):
            continue
        counts["calls"] += 1
        if what == "write" and not only and (number + stage.seed) % _WRITES_EVERY:
            continue
        for fault in _faults(stage, number, counts["errors"], whether_all=bool(only)):
            where = f"{number}:{errno.errorcode[fault.error]}x{fault.times}"
            if only and only != where:
                continue
            found, cut = _fail(stage, fault, where, night=number > by_day)
            counts["errors" if fault.times == 1 else "away"] += 1
            counts["power cuts"] += cut
            yield from found
        yield dict(counts)
    yield dict(counts)


def _faults(stage: Stage, number: int, before: int, *, whether_all: bool) -> list[Fault]:
    """The next of the errors; at some calls the disk goes away as well, the third time for longest."""
    once = _ERRORS if whether_all else [_ERRORS[(number + stage.seed) % len(_ERRORS)]]
    away = _AWAY if whether_all else _AWAY[before // _AWAY_EVERY % len(_AWAY) :][: before % _AWAY_EVERY == 0]
    faults = [Fault(fails=number, error=error) for error in once]
    return faults + [Fault(fails=number, error=_GONE, times=times) for times in away]


def _slow(stage: Stage) -> Iterator[dict[str, Any]]:
    """A class whose disk takes seconds for everything."""
    lab = stage.live(stage.begin(Moment(0.0, "slow disk", EVENING_S)))
    yield from lines(lab.findings, "0:slow", "on a slow disk")
    stage.clear()


def _whole(stage: Stage) -> tuple[list[str], int]:
    """The calls of a class in which none fails, and how many of them are made before the night."""
    lab = stage.live(stage.begin(), Fault())
    by_day = sum(call.what != "mark" for call in stage.calls())
    stage.clear()
    lab = stage.live_on(stage.begin(), Fault())
    assert not lab.findings, lab.findings
    whats = [call.what for call in stage.calls() if call.what != "mark"]
    stage.clear()
    return whats, by_day


def _fail(stage: Stage, fault: Fault, where: str, *, night: bool) -> tuple[list[dict[str, Any]], bool]:
    """One class with one error. What was found, and whether the power was cut in the end."""
    lab = stage.begin()
    disk, witness = Disk(stage.world), Witness()
    lab = stage.live_on(lab, fault) if night else stage.live(lab, fault)
    failed = None
    for call in stage.calls():
        if call.what == "mark":
            witness.hear(call)
            continue
        failed = call if call.error and call.what != "none" else failed
        disk.play(call)
    told = f"call {where} ({failed.what} {failed.name.decode(errors='replace')})" if failed else where
    found = list(lines(lab.findings, where, told))
    if failed is None:
        found.append({"kind": "other", "where": where, "told": "the daemon did not come to that call"})
    cut = not found and fault.fails % _CUT_EVERY == 0
    if cut:
        dice = random.Random(where)
        stage.clear()
        disk.lay_out(disk.after(Loss.ALL, dice), stage.world, stage.originals)
        again = stage.live(stage.resume(witness, dice))
        found += lines(again.findings, where, f"{told}, and a power cut in the evening")
    stage.clear()
    return found, cut
