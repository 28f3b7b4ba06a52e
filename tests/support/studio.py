"""Makes recordings as students make them, of synthetic voices, with flite, espeak-ng and ffmpeg."""

import shutil
import subprocess
import threading
from pathlib import Path

from tests.docker.engine import absent

PROGRAMS = ("flite", "espeak-ng", "ffmpeg")
FLITE = frozenset({"slt", "rms", "awb", "kal16", "kal"})
PICTURE = ("-f", "lavfi", "-i", "testsrc=s=320x240:r=10")
H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
AAC = ("-c:a", "aac")
PCM = ("-c:a", "pcm_s16le")


def must_be_equipped() -> None:
    """Skip the tests on a machine that lacks one of the programs; fail them in CI."""
    if missing := [program for program in PROGRAMS if shutil.which(program) is None]:
        absent(f"{' and '.join(missing)} not installed (Debian has packages of these names)")


class Studio:
    """Speaks texts into files of a folder; what was spoken once is used again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._spoken: dict[tuple[str, str, int], Path] = {}
        self._speaking = threading.Lock()

    def speech(self, text: str, voice: str = "slt", pace: int = 150) -> Path:
        """A wav of the text, in a voice of flite, or of espeak-ng at `pace` words a minute."""
        key = text, voice, pace
        with self._speaking:
            if key not in self._spoken:
                self._spoken[key] = wav = self.folder / f"spoken{len(self._spoken)}.wav"
                if voice in FLITE:
                    run("flite", "-voice", voice, "-t", text, "-o", wav)
                else:
                    run("espeak-ng", "-v", voice, "-s", pace, "-w", wav, text)
            return self._spoken[key]


def ffmpeg(*arguments: object) -> None:
    """Run ffmpeg; the last argument is the file that it makes."""
    run("ffmpeg", "-v", "error", "-nostdin", "-y", *arguments)


def run(*command: object) -> None:
    """Run a program to its end; a failure shows its words."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command[0]}: {done.stderr[-500:]}"
