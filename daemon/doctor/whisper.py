"""Whether Whisper starts as configured: in the same child as the daemon's, and on the same probe clip."""

import asyncio
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from daemon.contracts.ports import Transcriber
from daemon.core.errors import EngineError, ModelError
from daemon.doctor.facts import Facts
from daemon.doctor.finding import Finding, fail, ok, warn

LIMIT_S = 15.0

MakeWhisper = Callable[[Path], Transcriber]
"""Makes the engine; the folder is for its lock and its log. Raises ModelError without the model."""


async def whisper(facts: Facts, make: MakeWhisper, limit_s: float = LIMIT_S) -> list[Finding]:
    """Load Whisper once and transcribe the probe clip, unless a daemon runs: the GPU is its own.

    A server elsewhere is asked in any case.
    """
    if not isinstance(facts.daemon, str) and not facts.config.stt.url:
        why = f"not tried: the daemon (process {facts.daemon.pid}) runs, and the GPU is its own"
        return [ok("whisper", f"{why}; its alarms say how its last start went")]
    with tempfile.TemporaryDirectory(prefix="introeval-doctor-") as folder:
        try:
            return [await _tried(make(Path(folder)), limit_s)]
        except TimeoutError:
            text = f"Whisper has not transcribed its probe clip in {limit_s:g} s; the daemon waits longer"
            return [warn("whisper", text, "run: introeval doctor again when the machine is idle")]
        except (EngineError, ModelError, OSError) as exc:
            text, _, fix = str(exc).rpartition("; ")
            if not text or folder in fix:  # the log is gone with the folder; its last line is in the text
                text, fix = text or fix, "check stt.model, stt.device and stt.compute_type"
            return [fail("whisper", text, fix)]


async def _tried(engine: Transcriber, limit_s: float) -> Finding:
    began = time.monotonic()
    try:
        async with asyncio.timeout(limit_s):
            await engine.start()
        took_s, report = time.monotonic() - began, engine.report()
    finally:
        await engine.stop()
    text = f"{report.model} on {report.detail} transcribed the probe clip {took_s:.1f} s after its start"
    return ok("whisper", text)
