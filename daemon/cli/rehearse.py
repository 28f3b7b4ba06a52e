"""`introeval rehearse`: its options, the run with its progress, and the report."""

import os
import signal
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.common import configuration
from daemon.cli.declare import AsJson
from daemon.cli.exit_codes import ExitCode
from daemon.core.errors import AlreadyRunning, UsageError, two_parts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from daemon.config.load import Config
    from daemon.core.forecast.rehearsal import Rehearsal
    from daemon.core.forecast.simulated import Coming
    from daemon.rehearsal.seen import Seen

_ARRIVALS = "at-once or over:5m."


def rehearse(
    students: Annotated[int, typer.Argument(metavar="N", min=1, max=200, help="How many hand in a video.")],
    arrivals: Annotated[str, typer.Option(help=_ARRIVALS)] = "at-once",
    as_json: AsJson = False,
) -> int:
    """Run a synthetic class on this machine's real engines, and report how fast they are.

    The plan's classes are 5, 15 and 30. The class has folders of its own, of which nothing is left; the
    report is kept in `rehearsals/` of the state folder. No daemon may run, no task may be open, and none can
    be started meanwhile. The exit code is 1 when the time of the plan, 30 s a student, is not kept.
    """
    from daemon.rehearsal.lab import refuse_unless_idle
    from daemon.system.state_folder import owned, write_privately

    config = configuration()
    if arrivals.startswith("recorded"):
        raise UsageError(f"--arrivals {arrivals}: use {_ARRIVALS[:-1]}")
    write_privately()
    try:
        with owned(config.paths.state, by="a rehearsal") as lock:
            refuse_unless_idle(config)
            return _rehearsed(config, lock, students, arrivals, as_json=as_json)
    except AlreadyRunning as exc:
        told = f"{two_parts(str(exc))[0]}, so its engines are not free for a rehearsal"
        raise AlreadyRunning(f"{told}; to stop it, run: introeval stop") from exc


def _rehearsed(config: "Config", lock: int, students: int, arrivals: str, *, as_json: bool) -> int:
    from daemon.cli import simulations
    from daemon.cli.lines import say
    from daemon.cli.samples import CLIP_S
    from daemon.rehearsal.reports import keep

    durations, source = simulations.known_durations(config)
    coming = simulations.coming_of(config, arrivals, students, CLIP_S)
    _, foretold = simulations.foretell(config, durations, coming)
    seen = _seen(config, lock, coming)
    if len(seen.results) < students:
        say(["the rehearsal was ended early; nothing is left of it"], error=True)
        return ExitCode.INTERRUPTED
    report = _report(config, seen, arrivals, coming, (foretold.makespan_s, source))
    page = keep(config.paths.state, report)
    if as_json:
        print(report.model_dump_json(indent=2))
    else:
        say([*_lines(report), f"the report: {page}"])
    return ExitCode.DONE if report.kept else ExitCode.NO


def _seen(config: "Config", lock: int, coming: "Sequence[Coming]") -> "Seen":
    """Run the class, with its progress on stderr."""
    import asyncio

    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from daemon.cli.console import ERR
    from daemon.cli.lines import say
    from daemon.cli.run import stopped_by_signals
    from daemon.cli.samples import synthetic_class
    from daemon.cli.watching import ask_status
    from daemon.rehearsal.lab import Lab
    from daemon.rehearsal.seen import rehearse as run

    lab = Lab(config)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with (
        lab.prepared(),
        Progress(*columns, console=ERR, transient=True, disable=not ERR.is_terminal) as shown,
    ):
        bar = shown.add_task("starting the daemon", total=len(coming))

        def tell(done: int, why: str, alarms: "Sequence[str]") -> None:
            shown.update(bar, completed=done, description=why)
            say([f"alarm: {alarm}" for alarm in alarms], error=True)

        async def whole() -> "Seen":
            stop = stopped_by_signals()
            if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # a terminal that is closed ends it, too
                asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, stop.set)
            return await run(
                lab,
                lock,
                list(zip(coming, synthetic_class(len(coming)), strict=True)),
                lambda: ask_status(lab.config.paths.socket),
                tell,
                stop,
            )

        return asyncio.run(whole())


def _report(
    config: "Config", seen: "Seen", arrivals: str, coming: "Sequence[Coming]", foretold: tuple[float, str]
) -> "Rehearsal":
    from datetime import UTC, datetime

    from daemon import __version__
    from daemon.cli import simulations
    from daemon.core.forecast import rehearsal as figures
    from daemon.rehearsal.lab import model_names

    policy, simulated = simulations.foretell(config, seen.durations, coming)
    waits = [at - seen.handed_in[student] for student, at in seen.results.items()]
    return figures.Rehearsal(
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        program=f"introeval {__version__}",
        machine=seen.gpu_name or f"{os.cpu_count()} cores, no GPU",
        runtime=config.runtime,
        models=model_names(config),
        students=len(coming),
        arrivals=arrivals,
        outcomes=dict(seen.outcomes),
        makespan_s=max(seen.results.values()),
        wait_p50_s=figures.percentile(waits, 0.5),
        wait_p95_s=figures.percentile(waits, 0.95),
        stages=figures.stage_figures(seen.attempts),
        foretold_s=foretold[0],
        foretold_from=foretold[1],
        again_s=simulated.makespan_s,
        one_by_one_s=figures.one_by_one_s(len(coming), seen.durations, policy, seen.phases),
        exclusion=figures.exclusion(seen.looks, policy.residency, seen.blind),
        phases=tuple(seen.phases),
        looks=figures.thinned(seen.looks),
        handed_in=tuple(seen.handed_in.values()),
        results=tuple(seen.results.values()),
        durations=seen.durations,
        alarms=tuple(seen.alarms),
    )


def _lines(report: "Rehearsal") -> "Iterator[str]":
    """The report for people."""
    from daemon.core.forecast.explain import seconds

    kept = "the plan is kept" if report.kept else "the plan is not kept"
    yield (
        f"{len(report.results)} of {report.students} results in {seconds(report.makespan_s)}; "
        f"the plan allows {seconds(report.promise_s)}: {kept}"
    )
    yield f"a student waits {seconds(report.wait_p50_s)} (p50), {seconds(report.wait_p95_s)} (p95)"
    yield f"one video at a time would take {seconds(report.one_by_one_s)}"
    yield (
        f"simulated before, from {report.foretold_from}: {seconds(report.foretold_s)}; "
        f"with what was measured now: {seconds(report.again_s)}"
    )
    for stage, each in report.stages.items():
        yield f"{stage}: {each.attempts} attempts, mean {each.mean_s:.1f} s, p95 {each.p95_s:.1f} s"
    yield (
        f"{len(report.phases)} switches, {seconds(report.switching_s)} in all, "
        f"and {seconds(report.canary_s)} of the day's canary"
    )
    yield report.excluded
    yield from report.exclusion.broken
    yield from (f"alarm: {alarm}" for alarm in report.alarms)
