"""The bytecode of what is measured: a user has it, as pip leaves it."""

from pathlib import Path


def kept_in(folder: Path) -> dict[str, str]:
    """The environment of a Python that keeps its bytecode, and does so in a folder of its own."""
    return {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder / "bytecode")}
