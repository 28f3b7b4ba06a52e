"""What to do about a Whisper worker that does not start, read from what it, or a library in it, said last."""

import re
from pathlib import Path

_LIBRARIES = (
    "install CUDA's libraries, run: make setup CUDA=1 (as a service: make install CUDA=1), "
    'or set stt.device = "cpu"'
)
_DRIVER = 'see: nvidia-smi, or set stt.device = "cpu"'
_ADVICE = (
    (r"lib\S+\.so\S* is not found|lib(cu|nv)\S*\.so\S*: cannot open", _LIBRARIES),
    (r"unable to load any of|could not load library|cannot load symbol", _LIBRARIES),
    (r"no room|out of memory|alloc_failed|bad_alloc|took more", "free memory, or set a smaller stt.model"),
    (r"no cuda-capable|driver version|compiled with cuda|cuda failed", _DRIVER),
    (r"compute type", 'set stt.compute_type = "auto"'),
    (r"ended by SIG(ABRT|SEGV|ILL|BUS)", f"if it runs on a GPU, {_LIBRARIES}"),
)
_END = 4096  # bytes of a log


def advised(why: str, log: Path) -> str:
    """The reason with what to do about it, after the last "; "."""
    if "; run: " in why:
        return why
    found = (advice for sign, advice in _ADVICE if re.search(sign, why, re.IGNORECASE))
    return f"{why}; {next(found, f'see: {log}')}"


def last_words(log: Path, since: int) -> str:
    """The last line that was written to `log` after its first `since` bytes; empty when there is none."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(since, size - _END))
            lines = file.read(_END).decode(errors="replace").split("\n")
    except OSError:
        return ""
    said = [line.strip() for line in lines if line.strip()]
    return "".join(c for c in said[-1] if c.isprintable())[:200].replace("; ", ", ") if said else ""
