"""Each call of the daemon that changes the disk fails once, the errors in turn. Then the power goes."""

import errno
import random
from collections.abc import Iterator
from typing import Any

from tests.torture.disk.calls import Fault
from tests.torture.disk.instants import lines
from tests.torture.disk.model import Disk, Loss
from tests.torture.disk.scene import Stage, Witness

_ERRORS = (errno.EIO, errno.ENOSPC, errno.EROFS, errno.ESTALE)


def run(stage: Stage, share: range, only: str = "") -> Iterator[dict[str, Any]]:
    """Let the calls of `share` fail, one a class. Gives findings and counts as they come. Another seed gives
    each call the next of the errors.

    `only` is `CALL:ERROR`, to run one again.
    """
    counts = {"calls": 0, "errors": 0, "power cuts": 0}
    number = 0
    while True:
        number += 1
        if number not in share and not only:
            continue
        for error in _ERRORS if only else [_ERRORS[(number + stage.seed) % len(_ERRORS)]]:
            where = f"{number}:{errno.errorcode[error]}"
            if only and only != where:
                continue
            met, findings = _fail(stage, number, error, where)
            if not met:
                yield dict(counts)
                return
            counts["errors"] += 1
            counts["power cuts"] += 1
            yield from findings
        counts["calls"] += 1
        yield dict(counts)
        if only and number > int(only.partition(":")[0]):
            yield dict(counts)
            return


def _fail(stage: Stage, number: int, error: int, where: str) -> tuple[bool, list[dict[str, Any]]]:
    """One class with one error. Whether the daemon came to that call at all, and what was found."""
    lab = stage.begin()
    disk, witness = Disk(stage.world), Witness()
    lab = stage.live_on(lab, Fault(fails=number, error=error))
    failed = None
    for call in stage.calls():
        if call.what == "mark":
            witness.hear(call)
            continue
        failed = call if call.error and call.what != "none" else failed
        disk.play(call)
    found: list[dict[str, Any]] = []
    if failed is not None:
        told = f"call {where} ({failed.what} {failed.name.decode(errors='replace')})"
        found += lines(lab.findings, where, told)
        if not found:
            dice = random.Random(where)
            stage.clear()
            disk.lay_out(disk.after(Loss.ALL, dice), stage.world, stage.originals)
            again = stage.live(stage.resume(witness, dice))
            found += lines(again.findings, where, f"{told}, and a power cut in the evening")
    stage.clear()
    return failed is not None, found
