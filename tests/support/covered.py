"""How much of each room the last tests with `--cov` ran: `python -m tests.support.covered`."""

from collections import Counter
from pathlib import Path

from coverage import Coverage

from tests.support.checkout import REPOSITORY


def room(file: Path) -> str:
    """The folder below daemon/ or introeval_tui/, or one of these two."""
    parts = file.relative_to(REPOSITORY).parts
    return "/".join(parts[: 2 if len(parts) > 2 else 1])


def main() -> None:
    """Print a line a room, and one for all."""
    measured = Coverage()
    measured.load()
    lines: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    for file in measured.get_data().measured_files():
        _, statements, _, missing, _ = measured.analysis2(file)
        for name in (room(Path(file)), "all"):
            lines[name] += len(statements)
            missed[name] += len(missing)
    for name in sorted(lines, key=lambda name: (name == "all", name)):
        print(f"{name:24}{lines[name]:7} lines{1 - missed[name] / max(1, lines[name]):6.0%}")


if __name__ == "__main__":
    main()
