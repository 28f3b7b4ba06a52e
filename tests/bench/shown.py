"""A run as tables that read well in 80 columns and in a pipe."""

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table

from tests.bench.figures import Figure
from tests.bench.record import Run, differences, verdict

_RIGHT = frozenset({"value", "spread", "then", "ratio"})


def tables(run: Run, then: Run | None = None) -> RenderableType:
    """The figures of each benchmark with their goals, or beside those of an earlier run."""
    machine = "; ".join(f"{key} {value}" for key, value in run.machine.items())
    parts: list[RenderableType] = [f"{run.at}, commit {run.commit}", machine]
    if run.load > int(run.machine["cores"]) / 4:
        parts.append(f"busy: the load was {run.load:.1f} before it began; figures of time are too high")
    alike = True
    if then is not None:
        apart = differences(then.machine, run.machine)
        alike = not apart
        parts += [f"against {then.at}, commit {then.commit}", *differences(then.versions, run.versions)]
        parts += [*apart, *(["another machine: nothing is called better or worse"] if apart else [])]
    header = ("value", "unit", "spread", *(("goal", "") if then is None else ("then", "ratio", "")))
    table = _table(header)
    for name, made in run.figures.items():
        table.add_row(name, style="bold")
        before = {each.name: each for each in then.figures.get(name, ())} if then else {}
        for figure in made:
            cells = _goal(figure) if then is None else _compared(before.get(figure.name), figure, alike)
            table.add_row(f"  {figure.name}", shown(figure.value), figure.unit, _spread(figure), *cells)
    return Group(*parts, table, *_below(run))


def shown(value: float) -> str:
    """Four digits that count: a ratio of 1.032 is not 1.03."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _table(header: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("figure", ratio=1)
    for name in header:
        table.add_column(name, justify="right" if name in _RIGHT else "left", no_wrap=name != "unit")
    return table


def _spread(figure: Figure) -> str:
    """Half of it, in percent of the value."""
    if figure.spread is None or not figure.value:
        return ""
    return f"±{50 * (figure.spread[1] - figure.spread[0]) / abs(figure.value):.0f} %"


def _goal(figure: Figure) -> tuple[str, str]:
    met = {True: "yes", False: "NO", None: ""}[figure.met]
    return "" if figure.goal is None else str(figure.goal), met


def _compared(then: Figure | None, now: Figure, alike: bool) -> tuple[str, str, str]:
    ratio = f"{now.value / then.value:.3g}" if then and then.value else ""
    return shown(then.value) if then else "", ratio, verdict(then, now) if alike else ""


def _below(run: Run) -> Iterator[str]:
    for name, figure in run.missed():
        yield f"missed: {name}: {figure.name}: {shown(figure.value)} {figure.unit}, goal {figure.goal}"
    yield from (f"failed: {name}: {why}" for name, why in run.failed.items())
    yield from (f"skipped: {name}: {why}" for name, why in run.skipped.items())
