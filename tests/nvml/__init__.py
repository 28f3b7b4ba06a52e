"""A GPU for tests: a stub of the driver's library, compiled here, whose figures stand in a file.

A process that is started with `card.environ` finds it as any process finds the real one; what the card
shows is changed at any time with `card.show`.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.docker.engine import absent

GPU_IS_LOST, NOT_SUPPORTED, DRIVER_NOT_LOADED, MISMATCH = 15, 3, 9, 18
_SOURCE = Path(__file__).with_name("stub.c")


def build_library(folder: Path) -> Path:
    """Compile the stub into `folder`, once. The test is skipped where there is no compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        absent("there is no C compiler for the stub of NVML")
    library = folder / "libnvidia-ml.so.1"
    if not library.exists():
        flags = ["-shared", "-fPIC", "-Wall", "-Wextra", "-Werror"]
        subprocess.run([compiler, *flags, "-o", library, _SOURCE], check=True, timeout=60)
    return library


@dataclass
class StubCard:
    """A card whose figures are in `file`, and the library that shows them."""

    library: Path
    file: Path

    @property
    def environ(self) -> Mapping[str, str]:
        """The environment of a process that is to find this card."""
        kept = {name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"}
        return {**kept, "LD_LIBRARY_PATH": str(self.library.parent), "NVML_STUB_FILE": str(self.file)}

    def show(
        self,
        total_mb: int = 8192,
        used_mb: int = 0,
        *,
        reserved_mb: int = 0,
        compute: Mapping[int, int] | None = None,
        graphics: Mapping[int, int] | None = None,
        fail: Mapping[str, int] | None = None,
        lines: Sequence[str] = (),
    ) -> None:
        """What the card shows from now on; processes are MB by PID, -1 for "not available"."""
        text = [
            "name NVIDIA GeForce RTX 3060 Ti",
            f"total {total_mb}",
            f"used {used_mb}",
            f"reserved {reserved_mb}",
            "utilisation 42",
            "temperature 61",
            "power 120500",
            "limit 200000",
            *(f"compute {pid} {mb}" for pid, mb in (compute or {}).items()),
            *(f"graphics {pid} {mb}" for pid, mb in (graphics or {}).items()),
            *(f"fail {call} {answer}" for call, answer in (fail or {}).items()),
            *lines,
        ]
        fresh = self.file.with_suffix(".new")
        fresh.write_text("\n".join(text) + "\n")
        fresh.replace(self.file)  # a reading sees the old card or the new one, never half of it


def stub_card(folder: Path) -> StubCard:
    """An empty 8 GB card below `folder`."""
    card = StubCard(build_library(folder), folder / "card")
    card.show()
    return card
