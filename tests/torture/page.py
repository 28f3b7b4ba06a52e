"""The tables of docs/promises.md, which a whole run with INTROEVAL_WRITE_DOCS=1 writes anew.

A part that did not run keeps its row.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from tests.support.checkout import REPOSITORY
from tests.torture.table import Report

PAGE = REPOSITORY / "docs" / "promises.md"
COUNTS = "counts"
GUARDS = "guards"


def write(reports: Sequence[Report], seed: int) -> None:
    """Write what the parts report into the page."""
    _fill(COUNTS, {report.part: _counts(report, seed) for report in reports})
    for report in reports:
        if report.guards:
            _fill(
                GUARDS, {guard: (guard, f"`{test}`", how) for guard, test, how in report.guards}, keep=False
            )


def rows(table: str) -> dict[str, str]:
    """The rows of one of the page's tables, by their first cell."""
    found = _block(table).search(PAGE.read_text())
    assert found is not None, f"{PAGE} has no table of the {table}"
    return {line.split("|")[1].strip(): line for line in found[2].splitlines()[2:]}


def _counts(report: Report, seed: int) -> tuple[str, ...]:
    broken = ", ".join(f"{count} {kind}" for kind, count in report.broken.items() if count) or "0"
    minutes = f"{report.seconds / 60:.0f}", f"{report.processor_s / 60:.0f}"
    return report.part, str(seed), report.done, broken, *minutes


def _fill(table: str, new: Mapping[str, Iterable[str]], *, keep: bool = True) -> None:
    lines = {first: f"| {' | '.join(cells)} |" for first, cells in new.items()}
    if keep:
        lines = rows(table) | lines
    text = PAGE.read_text()
    body = "".join(f"{line}\n" for line in lines.values())
    PAGE.write_text(_block(table).sub(lambda found: found[1] + _head(found[2]) + body + found[3], text))


def _block(table: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- {table}: [^\n]*-->\n\n)(.*?\n)(\n<!-- end of the {table} -->)", re.DOTALL)


def _head(body: str) -> str:
    return "".join(body.splitlines(keepends=True)[:2])
