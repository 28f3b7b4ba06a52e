"""Classes simulated under several settings, compared: the work of `introeval simulate`."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime, timedelta
from itertools import product
from typing import Any

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from daemon.cli.simulated_plans import plan_of, server_setups
from daemon.config.load import Config
from daemon.core.errors import ConfigError, UsageError
from daemon.core.forecast.card_times import LAB_CARD, MEDIA_S, CardLine, card_lines, computed
from daemon.core.forecast.durations import PLANNED, Durations, MeasuredSwitch
from daemon.core.forecast.explain import name, seconds
from daemon.core.forecast.simulated import Coming, SimulatedClass, evenly, legend, picture, simulate_class
from daemon.core.schedule.decision import Policy
from daemon.core.schedule.residency import MODELS, Plan
from daemon.core.tasks.task import Stage
from daemon.forecast import read_durations
from daemon.placement.policy import batch_size, streams
from daemon.rehearsal.reports import last
from daemon.store import measured, open_reader
from daemon.system.state_folder import DATABASE

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_NARROWEST = 20


@dataclass(frozen=True, slots=True)
class Setting:
    """One combination of options: its title and its policy, what it takes for granted, and where its
    durations come from, if they were measured or computed. `speedups` are those that several requests at a
    time to a model were seen to have, by their number.
    """

    title: str
    policy: Policy
    assumed: str = ""
    source: str = ""
    computed: tuple[CardLine, ...] = ()
    speedups: Mapping[Stage, Mapping[int, float]] = field(default_factory=dict)


def simulations(
    config: Config,
    *,
    students: int,
    arrivals: str,
    durations: str,
    batch: Sequence[str],
    residency: Sequence[str],
    parallel: Sequence[int | None],
    switch_s: float | None,
    nodes: int = 1,
) -> list[tuple[Setting, SimulatedClass]]:
    """Simulate each combination of the options. Raises UsageError and StoreError."""
    learnt, source = _durations(config, durations, switch_s)
    coming = coming_of(config, arrivals, students, learnt.paces[Stage.STT].media_s)
    stt = config.stt.parallel
    if stt == "auto":  # the plan's figures are of one video at a time
        stt = streams(config.stt) if durations == "measured" else 1
    card = LAB_CARD if durations == "computed" else None
    if card is not None:
        config = config.model_copy(update={"runtime": "docker"})
        coming = coming_of(config, arrivals, students, MEDIA_S)
    takes = server_setups(config) if card is None else {}
    unknown = [stage for stage, server in takes.items() if server is None]
    seen = {stage: curve.speedups for stage, curve in learnt.curves.items() if stage in MODELS}
    found = []
    for groups, slots, size in product(residency, parallel, batch):
        plan = plan_of(config, groups, takes, learnt, card.memory_mb if card else None)
        if slots is not None:
            plan = replace(plan, parallel=dict.fromkeys(plan.parallel, slots))
        known = learnt if card is None else _with_switch(computed(card, plan, len(coming)), switch_s)
        setting = _setting(config, plan, known, size, stt, () if slots else unknown)
        result = simulate_class(coming, setting.policy, known, nodes)
        lines = card_lines(card, plan, result) if card else ()
        found.append((replace(setting, source=source, computed=lines, speedups=seen), result))
    return found


def show(console: Console, results: Sequence[tuple[Setting, SimulatedClass]], *, plain: bool) -> None:
    """Print the phases of each setting and a comparison; for a single setting also its timetable."""
    longest = max(result.makespan_s for _, result in results)
    width = max(_NARROWEST, min(console.width, 100) - 2)
    for setting, result in results:
        console.print(Text(f"{setting.title}: {len(result.ends)} results in {seconds(result.makespan_s)}"))
        console.print(Text("|" + picture(result.phases, width, longest, plain=plain)), soft_wrap=True)
        if len(results) == 1:
            console.print(_timetable(result))
        if setting.computed:
            console.print(_computation(setting.computed))
    console.print(Text(legend(plain=plain), style="dim"))
    console.print(_comparison(results))
    if source := results[0][0].source:
        console.print(Text(f"durations measured by {source}"))
    for stage, speedups in results[0][0].speedups.items():
        told = ", ".join(f"{count} {times:.2f} x" for count, times in speedups.items())
        console.print(Text(f"{stage}, as fast with so many requests at a time: {told}"))
    for line in sorted({setting.assumed for setting, _ in results} - {""}):
        console.print(Text(line), soft_wrap=True)


def _computation(lines: Sequence[CardLine]) -> Table:
    heads = Column("8 GB card", no_wrap=True), Column("takes", no_wrap=True), "computed from", "must hold"
    table = Table(*heads, box=None, header_style="bold")
    for line in lines:
        table.add_row(line.what, seconds(line.takes_s), line.source, line.must_hold)
    return table


def _timetable(result: SimulatedClass) -> Table:
    table = Table("from", "ready", "to", "loaded", "outcomes", box=None, header_style="bold")
    for phase in result.phases:
        times = (_clock(phase.asked), _clock(phase.loaded), _clock(phase.left))
        table.add_row(*times, name(phase.group), str(phase.tries))
    return table


def _comparison(results: Sequence[tuple[Setting, SimulatedClass]]) -> Table:
    heads = ("setting", "done in", "mean wait", "worst", "switches")
    table = Table(*(Column(head, no_wrap=True) for head in heads), box=None, header_style="bold")
    for setting, result in results:
        table.add_row(
            setting.title,
            seconds(result.makespan_s),
            seconds(result.mean_wait_s),
            seconds(result.worst_wait_s),
            f"{result.switches} ({seconds(result.switching_s)})",
        )
    return table


def _clock(at: float) -> str:
    """Seconds from the start as `1:02:03`."""
    return str(timedelta(seconds=round(at)))


def plain_values(setting: Setting, result: SimulatedClass) -> dict[str, Any]:
    """One simulation as JSON values; times are in seconds from the start."""
    policy = setting.policy
    values = asdict(result)
    for phase in values["phases"]:
        phase["group"] = sorted(phase["group"])
    return {
        "setting": setting.title,
        "assumed": setting.assumed,
        "source": setting.source,
        "speedups": setting.speedups,
        "computed": [asdict(line) for line in setting.computed],
        "residency": [sorted(group) for group in policy.residency],
        "parallel": {stage.value: slots for stage, slots in policy.parallel.items()},
        "batch": policy.batch_size,
        **values,
    }


def known_durations(config: Config) -> tuple[Durations, str]:
    """What is known of this machine, and where from: its tasks, else its last rehearsal, else the plan."""
    database = config.paths.state / DATABASE
    if database.exists():
        with open_reader(database) as db:
            found = read_durations(db)
        if found.paces != PLANNED.paces:
            return found, "the tasks of this machine"
    try:
        rehearsal = last(config.paths.state)
    except ConfigError:
        return PLANNED, "the plan, since the report of the last rehearsal cannot be read"
    return (PLANNED, "the plan") if rehearsal is None else (rehearsal.durations, "the last rehearsal")


def foretell(config: Config, durations: Durations, coming: Sequence[Coming]) -> tuple[Policy, SimulatedClass]:
    """Simulate a class with the policy of the configuration, from its first video. Raises UsageError."""
    claimed = [replace(one, at=one.at + config.intake.settle_s) for one in coming]
    stt = streams(config.stt) if config.stt.parallel == "auto" else config.stt.parallel
    batch = str(config.batch.size)
    plan = plan_of(config, "auto", server_setups(config), durations)
    policy = _setting(config, plan, durations, batch, stt, ()).policy
    return policy, simulate_class(claimed, policy, durations)


def _durations(config: Config, asked: str, switch_s: float | None) -> tuple[Durations, str]:
    """The durations of the stages; and what measured them, if it was measured."""
    source = ""
    if asked == "measured":
        found, source = known_durations(config)
        if found is PLANNED:
            raise UsageError(
                "nothing was measured here yet: run introeval rehearse 5, or use --durations plan or 10,20,20"
            )
    elif asked in ("plan", "computed"):
        found = PLANNED
    else:
        try:
            given = [float(part) for part in asked.split(",")]
        except ValueError:
            given = []
        if len(given) != len(Stage) or min(given) < 0:
            raise UsageError(f"--durations {asked}: use plan, measured, computed, or seconds as in 10,20,20")
        paces = {
            stage: replace(PLANNED.paces[stage], mean_s=s) for stage, s in zip(Stage, given, strict=True)
        }
        found = Durations(paces)
    return _with_switch(found, switch_s), source


def coming_of(config: Config, asked: str, students: int, media_s: float) -> list[Coming]:
    """The uploads of the simulated class, with their times and video lengths in seconds."""
    kind, _, value = asked.partition(":")
    if asked == "at-once":
        return evenly(students, 0.0, media_s)
    if kind == "over" and value[-1:] in _UNITS and value[:-1].replace(".", "", 1).isdigit():
        return evenly(students, float(value[:-1]) * _UNITS[value[-1]], media_s)
    if kind == "recorded":
        return _recorded(config, value, media_s)
    raise UsageError(f"--arrivals {asked}: use at-once, over:5m, or recorded:YYYY-MM-DD")


def _recorded(config: Config, day: str, media_s: float) -> list[Coming]:
    try:
        begins = datetime.combine(date.fromisoformat(day), datetime.min.time()).astimezone()
    except ValueError:
        raise UsageError(f"{day} is no date: use recorded:YYYY-MM-DD") from None
    ends = begins + timedelta(days=1)
    with open_reader(config.paths.state / DATABASE) as db:
        claims = measured.claims_of(db, begins.timestamp(), ends.timestamp())
    if not claims:
        raise UsageError(f"no video was claimed on {day}; see: introeval tasks")
    first = claims[0][0]
    return [Coming(at - first, student, media or media_s) for at, student, media in claims]


def _setting(
    config: Config, plan: Plan, durations: Durations, size: str, stt: int, assumed: Sequence[Stage]
) -> Setting:
    """Make one combination of the options; `assumed` are the stages whose server is not known. Raises
    UsageError.
    """
    if size != "auto" and not (size.isdigit() and int(size)):
        raise UsageError(f"--batch {size}: use auto, or a number from 1")
    policy = Policy(
        residency=plan.groups,
        parallel={Stage.STT: stt, **plan.parallel},
        batch_size=1,
        remainder_goes_along=size == "auto",
        max_wait_s=config.batch.max_wait_s,
        order=config.batch.order,
    )
    asked = size if size == "auto" else int(size)
    policy = replace(policy, batch_size=batch_size(asked, policy, durations))
    return Setting(_title(policy), policy, _assumed(plan, assumed) if assumed else "")


def _with_switch(durations: Durations, switch_s: float | None) -> Durations:
    """The same, with switches of so many seconds, if any are given."""
    if switch_s is None:
        return durations
    return replace(durations, switches=(MeasuredSwitch(None, frozenset(Stage), switch_s),))


def _assumed(plan: Plan, unknown: Sequence[Stage]) -> str:
    many = " and ".join(f"{stage} {plan.parallel[stage]}" for stage in unknown)
    return f"assumed, as there is no container yet: requests at a time: {many}; to create it: introeval setup"


def _title(policy: Policy) -> str:
    parts = ["/".join("+".join(stage for stage in Stage if stage in group) for group in policy.residency)]
    if len(policy.residency) > 1:
        parts.append(f"batch {policy.batch_size}")
    llm = {policy.parallel[Stage.EXTRACT], policy.parallel[Stage.RATE]}
    if llm != {1}:
        parts.append(f"{' and '.join(map(str, sorted(llm)))} at once")
    return ", ".join(parts)
