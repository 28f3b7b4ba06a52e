"""What the parts of the torture report, and the one table at its end."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

BROKEN = ("lost", "doubled", "repeated", "left over", "hung", "exclusion", "other")


@dataclass
class Report:
    """A part's work in words, what broke by kind, how each failure is run again, and what it took."""

    part: str
    done: str
    broken: Counter[str] = field(default_factory=Counter)
    again: list[str] = field(default_factory=list)
    seconds: float = 0.0
    processor_s: float = 0.0
    guards: list[tuple[str, str, str]] = field(default_factory=list)
    """Of the mutations: each guard, its test, and whether that caught it."""

    @property
    def failed(self) -> bool:
        """Whether a promise was broken."""
        return bool(self.broken.total() or self.again)


def show(reports: Sequence[Report], console: Console) -> None:
    """Print the table, and below it how to repeat what failed."""
    table = Table(title="torture")
    table.add_column("part")
    table.add_column("done")
    for kind in BROKEN:
        table.add_column(kind, justify="right")
    table.add_column("s", justify="right")
    table.add_column("processor s", justify="right")
    for report in reports:
        figures = [str(report.broken[kind]) for kind in BROKEN]
        table.add_row(
            report.part, report.done, *figures, f"{report.seconds:.0f}", f"{report.processor_s:.0f}"
        )
    console.print(table)
    for report in reports:
        for command in report.again:
            console.print(f"again: {command}", markup=False, highlight=False, soft_wrap=True)
