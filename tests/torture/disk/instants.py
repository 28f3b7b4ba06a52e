"""A cut after every call of the daemon that changes the disk, with each loss, and a second in the recovery.

A kill before or after a call is the cut that loses nothing. States that are alike are recovered once.
"""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from typing import Any

from tests.torture.days.lab import Finding
from tests.torture.disk.alike import Reader
from tests.torture.disk.calls import Fault
from tests.torture.disk.mishaps import Mishap
from tests.torture.disk.model import Disk, Loss, State
from tests.torture.disk.scene import Stage, Witness
from tests.torture.disk.share import Share

_SECOND_EVERY = 7  # states, of which each second cut comes from
_SECOND_CUTS = 2
_MISHAP_EVERY = 4  # states
_DRAWN_EVERY = 4  # writes
_ALIKE_EVERY = 50  # of the states that are like another, of which one is recovered all the same


def run(stage: Stage, share: Share, only: str = "") -> Iterator[dict[str, Any]]:
    """Cut after the calls of `share`, and recover. Gives findings as they come, then the counts.

    `only` is `CALL:LOSS`, to run one cut again.
    """
    yield from _Cuts(stage, share, only).run()


class _Cuts:
    def __init__(self, stage: Stage, share: Share, only: str) -> None:
        self._stage, self._share, self._only = stage, share, only
        self._reader = Reader(stage.folder)
        self._seen: Counter[bytes] = Counter()
        self._counts = {"calls": 0, "cuts": 0, "states": 0, "recovered": 0, "second": 0}
        self._counts |= {f"without {mishap}": 0 for mishap in Mishap if mishap}

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
            if call.what == "none" or not (self._only or self._share.has_call(counts["calls"])):
                continue
            for loss in self._losses(counts["calls"], call.what):
                where = f"{counts['calls']}:{loss}"
                if self._only and self._only != where:
                    continue
                dice = random.Random(f"{stage.seed}/{where}")
                state = disk.after(loss, dice)
                if self._is_mine(state, witness):
                    yield from self._recover(disk, state, loss, witness, dice, where, call.what)
                    yield dict(counts)
        yield dict(counts)

    def _losses(self, number: int, what: str) -> list[Loss]:
        """Each loss; a drawn one not after each of SQLite's many writes: another seed takes others."""
        drawn = self._only or what != "write" or (number + self._stage.seed) % _DRAWN_EVERY == 0
        return [loss for loss in Loss if drawn or loss is not Loss.SOME]

    def _is_mine(self, state: State, witness: Witness) -> bool:
        """Whether this worker recovers a state: all that are alike are one worker's, which takes the first of
        them, and a few of the others, since that they are alike is only what we believe.
        """
        key = sha256(self._reader.key(state) + repr(sorted(witness.committed)).encode()).digest()
        if not (self._only or self._share.has_key(key)):
            return False
        self._seen[key] += 1
        self._counts["cuts"] += 1
        self._counts["states"] = len(self._seen)
        return self._seen[key] % _ALIKE_EVERY == 1

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
        self._counts["recovered"] += 1
        twice = bool(self._only) or self._counts["recovered"] % _SECOND_EVERY == 0
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
        for mishap in self._mishaps():
            disk.lay_out(state, stage.world, stage.originals)
            lab = stage.resume(witness, random.Random(f"{stage.seed}/{where}/{mishap}"), mishap)
            if not lab.findings:
                lab = stage.live(lab)
            self._counts[f"without {mishap}"] += 1
            yield from lines(lab.findings, where, f"cut after call {where} ({what}), {mishap} away")
            stage.clear()

    def _mishaps(self) -> list[Mishap]:
        """What befalls the lab besides the cut, in lives of their own."""
        all_, number = [each for each in Mishap if each], self._counts["recovered"]
        if self._only:
            return all_
        return [all_[number // _MISHAP_EVERY % len(all_)]] if number % _MISHAP_EVERY == 0 else []

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
