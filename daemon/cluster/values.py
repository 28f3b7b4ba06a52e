"""The frozen values that cross between the daemon and the machines that lend their GPU."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from pydantic import TypeAdapter, ValidationError

from daemon.config.cluster import NodeName
from daemon.contracts.values import NodePlan, NodeState, Provenance, Ticket
from daemon.contracts.wire.status import EngineReport, GpuState
from daemon.core.alarms import Trouble
from daemon.core.tasks.task import Stage


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """What must be the same on all machines of a class, so that a result does not depend on where it was
    made; and what a machine is called.

    `models` has the digest of each model, or its name where only its server knows the digest; `loaded` the
    digests of those that were loaded since its start; `prompts` the SHA-256 of each template; `settings` what
    else an answer depends on.
    """

    name: NodeName
    python: str
    ray: str
    program: str
    models: Mapping[Stage, str]
    loaded: Mapping[Stage, str]
    prompts: Mapping[str, str]
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class NodeSnapshot:
    """A node as it was a moment ago: all that the daemon asks it for without waiting."""

    facts: MachineFacts
    state: NodeState
    reports: tuple[EngineReport, ...]
    identity: Mapping[Stage, Provenance]
    progress: Mapping[Ticket, float] = field(default_factory=dict)
    troubles: tuple[Trouble, ...] = ()
    gpu: GpuState = field(default_factory=GpuState)
    plan: NodePlan | None = None


@dataclass(frozen=True, slots=True)
class NodeAnswer:
    """What a node gave, and what it was like then."""

    value: Any
    snapshot: NodeSnapshot


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine that has joined, by the id that it has until it leaves."""

    id: str
    address: str


_ANOTHER = "it tells of itself as another version of IntroEval; install the same one on all machines"


def oddity(told: object) -> str:
    """Why nothing can be made of a snapshot that a machine sent; empty where it is one.

    A machine is asked before it is compared, so it may run another version of this program, whose values
    have other fields.
    """
    if not isinstance(told, NodeSnapshot):
        return _ANOTHER
    try:
        facts = {each.name: getattr(told.facts, each.name) for each in fields(MachineFacts)}
        rest = {each.name: getattr(told, each.name) for each in fields(NodeSnapshot)}
        whole = _SNAPSHOT.validate_python({**rest, "facts": facts})
    except ValidationError as exc:
        if any(error["loc"] == ("facts", "name") for error in exc.errors()):
            return "its name cannot be shown; set cluster.name there to letters and digits"
        return _ANOTHER
    except AttributeError:
        return _ANOTHER
    stages = set(Stage)
    complete = stages == set(whole.identity) == set(whole.facts.models)
    return "" if complete and (whole.plan is None or _can_be_followed(whole.plan)) else _ANOTHER


def _can_be_followed(plan: NodePlan) -> bool:
    """Whether a plan has each stage in one group, no group without one, and a request at a time for each."""
    grouped = sorted(stage for group in plan.groups for stage in group)
    whole = grouped == sorted(Stage) == sorted(plan.parallel)
    return whole and all(plan.groups) and min(plan.parallel.values()) >= 1


_SNAPSHOT = TypeAdapter(NodeSnapshot)


def differences(ours: MachineFacts, theirs: MachineFacts) -> list[str]:
    """What another machine has that is not ours, one phrase each; empty where its results are as ours."""
    told = [
        f"{what} {theirs_} instead of {ours_}"
        for what, ours_, theirs_ in (
            ("Python", ours.python, theirs.python),
            ("Ray", ours.ray, theirs.ray),
            ("IntroEval", ours.program, theirs.program),
        )
        if ours_ != theirs_
    ]
    for stage in Stage:
        held, wanted = theirs.loaded.get(stage), ours.loaded.get(stage)
        if ours.models[stage] != theirs.models[stage]:
            told.append(f"another model for {stage}")
        elif held and wanted and held != wanted:
            told.append(
                f"other weights for {stage} under the same name ({held[:14]} instead of {wanted[:14]}; pull "
                "them there, and restart its node)"
            )
    names = sorted(ours.prompts.keys() | theirs.prompts.keys())
    told += [f"another prompt {n}" for n in names if ours.prompts.get(n) != theirs.prompts.get(n)]
    keys = sorted(ours.settings.keys() | theirs.settings.keys())
    return told + [f"another {key}" for key in keys if ours.settings.get(key) != theirs.settings.get(key)]
