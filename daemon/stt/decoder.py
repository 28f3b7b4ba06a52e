"""The parent of the media children: a few of them, each with a limit on what one file may cost.

A file that kills its child is retried once in a new child, since the machine may have been short of memory.
The second time the file is to blame. A file that exceeds its time limit is not retried, which would cost the
same again. If a child does not start, no file is to blame.

The limits are mainly on processor time, which does not depend on the load of the machine. A file of 900 s
with one track takes 3 to 5 s of it, and one with eight tracks, of which all but the last are silent, 28 s (on
one core of a server of 2020).
"""

import asyncio
import contextlib
import os
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, TypeVar

import structlog

from daemon.contracts.values import Decoded, Probe
from daemon.core.errors import Blame, Fault
from daemon.stt.answers import LONGEST, Probed, Sound, lacking, understood
from daemon.stt.media_faults import unreadable
from daemon.stt.memory import bytes_on_disk
from daemon.stt.slots import FairSlots
from daemon.system.child import Child, ChildDied

log = structlog.get_logger()

_CHILD = "daemon.stt.media"
# The variables that Python and its libraries need to start; the daemon's environment also has keys.
_INHERITED = ("PYTHON", "LD_LIBRARY_PATH", "LANG", "LC_")
_START_S = 120.0
_BYTES_PER_S = 20_000_000  # of a slow disk: a probe may have to read all of a large file
_MOST_READING_S = 600.0
_READING_SHARE = 0.1  # of the time of reading that is processor time
_PATIENCE = 10.0  # times the limit is allowed by the wall clock, on a busy or slow machine
_DECODE_SHARE = 0.1  # of a video's duration
_ROUNDING_S = 0.001
_SOUND_PER_S = 32_000  # bytes, as in `pcm`, which is not imported since it loads numpy

A = TypeVar("A", Probed, Sound)


class MediaReader:
    """Implements ports.Media with up to `children` processes, started when they are first needed.

    Their output goes to `log`. A video of more than `max_duration_s` is refused as `too_long`. A probe may
    take `probe_limit_s` of processor time; decoding, with all its passes, `decode_limit_s` and a tenth of the
    video's length. By the wall clock each may take twice as long, and the time to read the file's blocks. At
    most all children but one decode, so that a probe never waits for a decoding. Up to two more are started
    for accounts without a video in work while others' videos keep all children busy.
    """

    def __init__(
        self,
        log: Path,
        *,
        max_duration_s: float = 900.0,
        children: int = 2,
        probe_limit_s: float = 10.0,
        decode_limit_s: float = 30.0,
    ) -> None:
        self._log = log
        self._max_duration_s = max_duration_s
        self._probe_limit_s = probe_limit_s
        self._decode_limit_s = decode_limit_s
        self._children = children
        self._free = FairSlots(children, spare=2)
        self._free_to_decode = FairSlots(max(1, children - 1), spare=1)
        self._idle: list[Child] = []
        self._busy: set[Child] = set()
        self._closed = False
        self._told = False

    async def probe(self, path: Path, account: str | None = None) -> Probe | Fault:
        """Probe the container, and check that the file is complete."""
        async with self._free.hold((account, "probe")):
            answer = await self._ask(path, None, self._probe_limit_s, Probed)
        return answer if isinstance(answer, Fault) else answer.probe

    async def decode(self, path: Path, pcm: Path, account: str | None = None) -> Decoded | Fault:
        """Decode the takes of the sound into `pcm`, which appears whole or not at all."""
        part = pcm.with_name(pcm.name + ".part")
        async with self._free_to_decode.hold(account), self._free.hold((account, "decode")):
            probe = await self._ask(path, None, self._probe_limit_s, Probed)
            if isinstance(probe, Fault):
                return probe
            limit_s = self._decode_limit_s + _DECODE_SHARE * probe.duration_s
            try:
                answer = await self._ask(path, part, limit_s, Sound)
                if isinstance(answer, Fault):
                    return answer
                part.replace(pcm)
            except OSError as exc:
                return _no_room(exc)
            finally:
                with contextlib.suppress(OSError):  # the disk is away; the next start removes what is left
                    part.unlink(missing_ok=True)
        return Decoded(pcm, answer.found)

    async def aclose(self) -> None:
        """Stop the children, also those at work."""
        self._closed = True
        for child in self._busy:
            child.kill()
        idle, self._idle = self._idle, []
        await asyncio.gather(*(child.stop(grace_s=1.0) for child in idle))

    async def _ask(self, path: Path, part: Path | None, limit_s: float, shape: type[A]) -> A | Fault:
        """Probe the file, or with `part` decode it into that. A death of the child is retried once."""
        answer = await self._attempt(path, part, limit_s, shape)
        if isinstance(answer, Fault) and answer.died and not self._closed:
            answer = await self._attempt(path, part, limit_s, shape)
        # No suspect: it had two attempts here, and the last one counts.
        return replace(answer, died=False) if isinstance(answer, Fault) else answer

    async def _attempt(self, path: Path, part: Path | None, limit_s: float, shape: type[A]) -> A | Fault:
        if self._closed:
            return Fault(Blame.ENGINE, "decoder_failed", "the media decoder has been closed")
        try:
            child = await self._take()
        except (ChildDied, TimeoutError, OSError) as exc:
            why = str(exc) or f"it was not ready within {_START_S:.0f} s"
            return Fault(
                Blame.ENGINE, "decoder_failed", f"the media decoder does not start: {why}; see: {self._log}"
            )
        sane = False
        try:
            files = await asyncio.to_thread(_opened, path, part)
            if isinstance(files, Fault):
                sane = True
                return files
            with contextlib.ExitStack() as opened:
                descriptors = [opened.enter_context(file).fileno() for file in files]
                reading_s = min(bytes_on_disk(descriptors[0]) / _BYTES_PER_S, _MOST_READING_S)
                limit_s += _READING_SHARE * reading_s
                async with asyncio.timeout(_PATIENCE * limit_s + reading_s):
                    request = {"do": "decode" if part else "probe"}
                    message = await child.ask(request, *descriptors, cpu_limit_s=limit_s)
                spent = message.pop("spent", False)
                answer = understood(message, shape, self._max_duration_s + _ROUNDING_S)
                if isinstance(answer, Sound):
                    _check_written(descriptors[1], answer)
            sane = spent is False
            return answer
        except TimeoutError:
            why = f"the video keeps the decoder busy for more than {limit_s:.0f} s. Export or record it again"
            return Fault(Blame.PERMANENT, "decoder_hung", why)
        except ChildDied as exc:
            why = f"the video brings the decoder down ({exc}). Export or record it again"
            return Fault(Blame.PERMANENT, "decoder_died", why, died=True)
        finally:
            self._busy.discard(child)
            if sane and len(self._idle) < self._children and not self._closed:
                self._idle.append(child)
            else:  # also when cancelled: the child's next message would be the answer to this request
                child.kill()
                await child.stop()

    async def _take(self) -> Child:
        """Take a ready child, and count it as busy. Raises ChildDied, TimeoutError, OSError."""
        while self._idle:
            child = self._idle.pop()
            if child.alive:
                self._busy.add(child)
                return child
            await child.stop()
        child = await Child.spawn(
            "media decoder",
            _CHILD,
            ["--max-duration", str(self._max_duration_s)],
            log=self._log,
            env={"OPENBLAS_NUM_THREADS": "1"},  # its threads' stacks would count against the child's memory
            inherited={name: value for name, value in os.environ.items() if name.startswith(_INHERITED)},
            channel=True,
            line_limit=LONGEST,
        )
        self._busy.add(child)
        ready = False
        try:
            if self._closed:
                child.kill()
            async with asyncio.timeout(_START_S):
                lacks = lacking(await child.receive())
            ready = True
        finally:
            if not ready:
                self._busy.discard(child)
                child.kill()
                await child.stop()
        if lacks and not self._told:
            self._told = True
            log.warning("the media decoder's cage is incomplete", lacks=lacks)
        return child


def _opened(path: Path, part: Path | None) -> list[BinaryIO] | Fault:
    """Open the video, and with `part` the file for its sound: the child can open neither."""
    try:
        # Non-blocking: to open a FIFO that has replaced the video would wait for its other end.
        video = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb", buffering=0)
    except OSError as exc:
        bad = unreadable(exc)
        return Fault(bad.blame, bad.code, str(bad))
    os.set_blocking(video.fileno(), True)
    try:
        return [video, *([part.open("wb")] if part else [])]
    except OSError as exc:
        video.close()
        return _no_room(exc)


def _check_written(pcm: int, sound: Sound) -> None:
    """Raise ChildDied if the file has not as much sound as the child reported."""
    if os.fstat(pcm).st_size != sum(round(take.duration_s * _SOUND_PER_S / 2) * 2 for take in sound.takes):
        raise ChildDied("the media decoder reported more or less sound than it wrote")


def _no_room(error: OSError) -> Fault:
    message = f"the decoded sound cannot be written: {error}. Make room there"
    return Fault(Blame.ENGINE, "no_room", message)
