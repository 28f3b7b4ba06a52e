"""Calls of the daemon that change the disk fail once, the errors in turn. Later the power may go."""

import errno
import random
from collections.abc import Iterator
from typing import Any

from tests.torture.disk.calls import Fault
from tests.torture.disk.instants import lines
from tests.torture.disk.model import Disk, Loss
from tests.torture.disk.scene import Stage, Witness
from tests.torture.disk.share import Share

_ERRORS = (errno.EIO, errno.ENOSPC, errno.EROFS, errno.ESTALE)
_WRITES_EVERY = (
    8  # most of the calls are SQLite's writes, of which a transaction has many: another seed, others
)
_CUT_EVERY = 3


def run(stage: Stage, share: Share, only: str = "") -> Iterator[dict[str, Any]]:
    """Let the calls of `share` fail, one a class. Gives findings and counts as they come. Another seed gives
    each call the next of the errors.

    `only` is `CALL:ERROR`, to run one again.
    """
    counts = {"calls": 0, "errors": 0, "power cuts": 0}
    whats, by_day = _whole(stage)
    for number, what in enumerate(whats, 1):
        if not (only or share.is_mine(number)):
            continue
        counts["calls"] += 1
        if what == "write" and not only and (number + stage.seed) % _WRITES_EVERY:
            continue
        for error in _ERRORS if only else [_ERRORS[(number + stage.seed) % len(_ERRORS)]]:
            where = f"{number}:{errno.errorcode[error]}"
            if only and only != where:
                continue
            found, cut = _fail(stage, number, error, where, night=number > by_day)
            counts["errors"] += 1
            counts["power cuts"] += cut
            yield from found
        yield dict(counts)
    yield dict(counts)


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


def _fail(
    stage: Stage, number: int, error: int, where: str, *, night: bool
) -> tuple[list[dict[str, Any]], bool]:
    """One class with one error. What was found, and whether the power was cut in the end."""
    lab = stage.begin()
    disk, witness = Disk(stage.world), Witness()
    fault = Fault(fails=number, error=error)
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
    cut = not found and number % _CUT_EVERY == 0
    if cut:
        dice = random.Random(where)
        stage.clear()
        disk.lay_out(disk.after(Loss.ALL, dice), stage.world, stage.originals)
        again = stage.live(stage.resume(witness, dice))
        found += lines(again.findings, where, f"{told}, and a power cut in the evening")
    stage.clear()
    return found, cut
