"""A cut after every call of the daemon that changes the disk, and a second one in the recovery."""

import random
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from typing import Any

from tests.torture.days.lab import Finding
from tests.torture.disk.calls import Fault
from tests.torture.disk.model import Disk, Loss, State
from tests.torture.disk.scene import Stage, Witness

_SECOND_EVERY = 7  # states, of which each second cut comes from
_SECOND_CUTS = 2


def run(stage: Stage, share: range, only: str = "") -> Iterator[dict[str, Any]]:
    """Cut after the calls of `share`, and recover. Gives findings as they come, then the counts.

    `only` is `CALL:LOSS`, to run one cut again.
    """
    yield from _Cuts(stage, share, only).run()


class _Cuts:
    def __init__(self, stage: Stage, share: range, only: str) -> None:
        self._stage, self._share, self._only = stage, share, only
        self._seen: set[bytes] = set()
        self._counts = {"calls": 0, "cuts": 0, "states": 0, "second": 0}

    def run(self) -> Iterator[dict[str, Any]]:
        stage, counts = self._stage, self._counts
        lab = stage.begin()
        disk, witness = Disk(stage.world), Witness()
        yield from lines(stage.live_on(lab, Fault()).findings, "0:nothing", "without a cut")
        calls = stage.calls()
        stage.clear()
        for call in calls:
            if call.what == "mark":
                witness.hear(call)
                continue
            disk.play(call)
            counts["calls"] += 1
            if call.what == "none" or not (self._only or counts["calls"] in self._share):
                continue
            for loss in self._losses(counts["calls"]):
                where = f"{counts['calls']}:{loss}"
                if self._only and self._only != where:
                    continue
                dice = random.Random(f"{stage.seed}/{where}")
                counts["cuts"] += 1
                state = disk.after(loss, dice)
                if self._is_new(state, witness):
                    yield from self._recover(disk, state, loss, witness, dice, where, call.what)
            yield dict(counts)
        yield dict(counts)

    def _losses(self, number: int) -> list[Loss]:
        """The extremes after every call, and one of the others: another seed takes the next of them."""
        if self._only:
            return list(Loss)
        between = [Loss.NAMES, Loss.CONTENT, Loss.TORN, Loss.SOME]
        return [Loss.NOTHING, Loss.ALL, between[(number + self._stage.seed) % len(between)]]

    def _is_new(self, state: State, witness: Witness) -> bool:
        key = sha256(state.digest + repr(sorted(witness.committed)).encode()).digest()
        new = key not in self._seen
        self._seen.add(key)
        return new

    def _recover(
        self,
        disk: Disk,
        state: State,
        loss: Loss,
        witness: Witness,
        dice: random.Random,
        where: str,
        what: str,
    ) -> Iterator[dict[str, Any]]:
        stage = self._stage
        self._counts["states"] += 1
        twice = bool(self._only) or self._counts["states"] % _SECOND_EVERY == 0
        inodes = disk.lay_out(state, stage.world, stage.originals)
        # After a kill the kernel still has what was not synced: a power cut may take it later.
        again = disk.on(inodes) if loss is Loss.NOTHING else Disk(stage.world)
        lab = stage.resume(witness, dice)
        if not lab.findings:
            lab = stage.live(lab, Fault() if twice else None)
        yield from lines(lab.findings, where, f"cut after call {where} ({what})")
        stage.clear()
        if twice and not lab.findings:
            yield from self._cut_again(again, witness, dice, where)

    def _cut_again(
        self, disk: Disk, witness: Witness, dice: random.Random, where: str
    ) -> Iterator[dict[str, Any]]:
        stage = self._stage
        calls = stage.calls()
        places = [number for number, call in enumerate(calls) if call.what != "mark"]
        cuts = sorted(dice.sample(places, min(_SECOND_CUTS, len(places))))
        seen = replace(witness, committed=set(witness.committed))
        for number, call in enumerate(calls):
            if call.what == "mark":
                seen.hear(call)
                continue
            disk.play(call)
            if number not in cuts:
                continue
            loss = dice.choice(list(Loss))
            disk.lay_out(disk.after(loss, dice), stage.world, stage.originals)
            lab = stage.resume(seen, dice)
            if not lab.findings:
                lab = stage.live(lab)
            self._counts["second"] += 1
            told = f"cut after call {where}, and again after {number}:{loss}"
            yield from lines(lab.findings, where, told)
            stage.clear()


def lines(findings: list[Finding], where: str, told: str) -> Iterator[dict[str, Any]]:
    """Findings as lines of output, with the place of the fault."""
    for finding in findings:
        yield {"kind": finding.kind, "where": where, "told": f"{told}: {finding.told}"}
