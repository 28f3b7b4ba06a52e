"""Pages as PDF, printed by the Chromium of this machine."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from daemon.core.errors import UsageError

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_LIMIT_S = 120.0


def chromium() -> str | None:
    """The path of this machine's Chromium; None without one."""
    return next((found for name in _PROGRAMS if (found := shutil.which(name))), None)


def printed(page: bytes) -> bytes:
    """The PDF of a page. Raises UsageError where no Chromium is there, or it does not print."""
    program = chromium()
    if program is None:
        raise UsageError("a PDF is printed by Chromium, which is not here; run: apt install chromium")
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "page.html", Path(folder) / "page.pdf"
        source.write_bytes(page)
        options = [
            "--headless",
            "--disable-gpu",
            "--no-pdf-header-footer",
            f"--user-data-dir={folder}/profile",
        ]
        if os.getuid() == 0:
            options.append("--no-sandbox")  # it refuses to make one for the superuser
        command = [program, *options, f"--print-to-pdf={out}", source.as_uri()]
        instead = "print the HTML file from a browser instead"
        try:
            done = subprocess.run(command, capture_output=True, check=False, timeout=_LIMIT_S)
        except subprocess.TimeoutExpired as exc:
            raise UsageError(f"{program} printed no page in {_LIMIT_S:.0f} s; {instead}") from exc
        if done.returncode or not out.is_file():
            said = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
            raise UsageError(f"{program} printed no page ({said[:200]}); {instead}")
        return out.read_bytes()
