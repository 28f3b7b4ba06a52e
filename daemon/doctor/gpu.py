"""Checks of the GPU: the driver, and whether the engines fit into its memory."""

import os

from daemon.core.schedule.memory import MB, capacity_mb
from daemon.core.schedule.residency import MODELS, Plan
from daemon.core.tasks.task import Stage
from daemon.doctor.facts import DockerSide, Facts, ServerFacts
from daemon.doctor.finding import Finding, fail, ok, warn
from daemon.placement.placement import Placement

SLOTS = "OLLAMA_NUM_PARALLEL"


def driver(facts: Facts) -> list[Finding]:
    """Whether the driver answers, and what the engines use without it."""
    gpu, config = facts.gpu, facts.config
    if gpu.lost:
        return [fail("gpu", f"the GPU {gpu.name} does not answer", "restart the driver or the machine")]
    if gpu.absent is not None:
        if config.stt.device == "cuda":
            return [fail("gpu", f"{gpu.absent}, but stt.device is cuda", 'set stt.device = "auto"')]
        if config.runtime == "docker":
            fix = "install NVIDIA's driver and container toolkit, if there is a GPU"
            return [warn("gpu", f"{gpu.absent}: Whisper and the containers use the processor, slowly", fix)]
        return [ok("gpu", f"{gpu.absent}: Whisper and the embedded model use the processor")]
    if gpu.total_mb is None or gpu.used_mb is None:
        return [warn("gpu", f"{gpu.name} hides its memory size", "set gpu.residency and each parallel")]
    held = [f"process {h.pid} ({h.name}) of {h.user}: {_mb(h.memory_mb)}" for h in gpu.holders]
    text = f"{gpu.name}: {gpu.used_mb:.0f} of {gpu.total_mb:.0f} MB in use"
    return [
        ok("gpu", text + (f", {gpu.temperature_c:.0f} °C" if gpu.temperature_c is not None else ""), held)
    ]


def room(facts: Facts) -> list[Finding]:
    """Which engines share the GPU, by the daemon's own arithmetic, and whether they fit."""
    if facts.docker is None:
        return [_memory(facts)]
    plan = _plan(facts, facts.docker)
    told = ", then ".join("+".join(stage for stage in Stage if stage in group) for group in plan.groups)
    text = f"{told}; at a time: " + ", ".join(
        f"{plan.parallel[stage]} {stage} with {plan.num_ctx[stage]} tokens each" for stage in MODELS
    )
    if not plan.fits:
        fix = f"use smaller models or contexts, or containers with a smaller {SLOTS}"
        return [warn("residency", f"{text}; not all of it fits on the GPU", fix, plan.lines)]
    return [ok("residency", text, plan.lines)]


def _memory(facts: Facts) -> Finding:
    """Whether the models fit into the machine's memory, and Whisper onto the GPU, if there is one."""
    plan = Placement(facts.config, facts.gpu.total_mb).plan
    need, has = plan.machine_mb, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / MB
    text = f"the models need {need / 1024:.1f} of the machine's {has / 1024:.1f} GB"
    card = None if facts.config.stt.device == "cpu" else facts.gpu.total_mb
    if card is not None and plan.asked.whisper_mb > capacity_mb(card):
        fix = "choose a smaller stt.model, or a smaller stt.batch_size"
        return warn("memory", f"{text}; Whisper does not fit on {facts.gpu.name}", fix, plan.lines)
    if need > has:
        return warn("memory", text, "choose smaller models in [embedded] and [stt]", plan.lines)
    return ok("memory", text, plan.lines)


def slots_of(docker: DockerSide, stage: Stage) -> int | None:
    """Requests at a time that a container's server takes: 1 when not set, None without a container."""
    seen = docker.containers.get(stage)
    if seen is None:
        return None
    set_to = [
        line.partition("=")[2] for line in seen["Config"].get("Env") or () if line.startswith(f"{SLOTS}=")
    ]
    return int(set_to[-1]) if set_to and set_to[-1].isdecimal() and int(set_to[-1]) else 1


def _plan(facts: Facts, docker: DockerSide) -> Plan:
    placement = Placement(facts.config, facts.gpu.total_mb)
    for stage in MODELS:
        server = docker.servers.get(stage)
        need = server.need if isinstance(server, ServerFacts) else None
        placement.describe(stage, need or placement.plan.asked.models[stage], slots_of(docker, stage))
    return placement.plan


def _mb(size: float | None) -> str:
    return "unknown" if size is None else f"{size:.0f} MB"
