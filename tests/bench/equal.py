"""`equal`: one recording ten times in a class of thirty, with a restart in the middle.

With the embedded model, and with a real Ollama where there is one.
"""

import contextlib
import shutil
import tempfile
from pathlib import Path

from tests.bench.figures import Figure, Options, Skipped, at_most
from tests.bench.real_ollama import real_ollama, settings
from tests.support.copies import hand_in_class, spread, worked_with_a_restart
from tests.support.process_lab import ProcessLab

COPIES, STUDENTS = 10, 30
RECORDINGS = ("s001_introduction.mp4", "s002_about_me.mp4")
_LONG_S = 3600.0


def measure(options: Options) -> list[Figure]:
    """How far the copies' expected scores lie apart, and in how many criteria their integers differ."""
    if shutil.which("ffmpeg") is None:
        raise Skipped("ffmpeg is not installed (Debian has a package of this name)")
    runtimes = {"embedded": f'[stt]\nmodel = "{options.whisper}"\n'}
    with contextlib.suppress(Skipped):
        runtimes["docker"] = settings(real_ollama(), options.whisper)
    return [
        figure
        for runtime, configured in runtimes.items()
        for recording in RECORDINGS
        for figure in _measured(recording, runtime, configured)
    ]


def _measured(recording: str, runtime: str, configured: str) -> list[Figure]:
    with tempfile.TemporaryDirectory() as name:
        lab = ProcessLab(Path(name), configured)
        same, files = hand_in_class(lab, recording, COPIES, STUDENTS)
        worked_with_a_restart(lab, files, _LONG_S, runtime)
        found = spread([lab.results()[student] for student in same])
    title = f"{runtime}: {COPIES} copies of {recording} in {STUDENTS}"
    return [
        Figure(f"{title}: expected scores apart", found.expected, "points", at_most(0.1)),
        Figure(f"{title}: integers that differ", found.integers, "of 4", at_most(0)),
        Figure(f"{title}: different transcripts", found.transcripts, ""),
    ]
