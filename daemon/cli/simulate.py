"""`introeval simulate`: its options. Its imports wait until it runs, to keep the other commands fast."""

import json
from typing import Annotated

import typer

from daemon.cli.common import configuration
from daemon.cli.declare import AsJson


def simulate(
    students: Annotated[int, typer.Option(min=1, max=500, help="How many hand in a video.")] = 30,
    arrivals: Annotated[str, typer.Option(help="at-once, over:5m, or recorded:YYYY-MM-DD.")] = "at-once",
    durations: Annotated[
        str, typer.Option(help="plan (10,20,20), measured (here), computed (for 8 GB), or STT,EXTRACT,RATE.")
    ] = "plan",
    batch: Annotated[list[str] | None, typer.Option(help="Tasks in a batch: auto, or a number.")] = None,
    residency: Annotated[
        list[str] | None, typer.Option(help="auto, or groups such as stt/extract/rate, stt/extract+rate.")
    ] = None,
    parallel: Annotated[list[int] | None, typer.Option(min=1, help="Requests at once to each model.")] = None,
    switch_s: Annotated[
        float | None, typer.Option(min=0, help="Seconds that a switch takes; default: as measured, else 5.")
    ] = None,
    nodes: Annotated[int, typer.Option(min=1, max=64, help="How many machines share the work.")] = 1,
    plain: Annotated[bool, typer.Option("--ascii", help="Draw with plain ASCII.")] = False,
    as_json: AsJson = False,
) -> None:
    """Forecast when a class would be done, with the real scheduler and without engines.

    Give --batch, --residency or --parallel several times to compare every combination.
    """
    from daemon.cli.console import OUT
    from daemon.cli.simulations import plain_values, show, simulations

    results = simulations(
        configuration(),
        students=students,
        arrivals=arrivals,
        durations=durations,
        batch=batch or ["auto"],
        residency=residency or ["auto"],
        parallel=parallel or (None,),
        switch_s=switch_s,
        nodes=nodes,
    )
    if as_json:
        print(json.dumps([plain_values(*result) for result in results], indent=2))
    else:
        show(OUT, results, plain=plain)
