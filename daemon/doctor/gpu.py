"""Checks of the GPU: the driver, and whether the engines fit into its memory."""

import os

from daemon.core.schedule.memory import MB, KvCache, capacity_mb
from daemon.core.schedule.residency import MODELS
from daemon.core.schedule.server_setup import SLOTS, ServerSetup
from daemon.core.tasks.task import Stage
from daemon.doctor.facts import DockerSide, Facts, ServerFacts
from daemon.doctor.finding import Finding, fail, ok, warn
from daemon.placement.placement import Placement


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
    plan = _placement(facts, facts.docker).plan
    told = ", then ".join("+".join(stage for stage in Stage if stage in group) for group in plan.groups)
    text = f"{told}; at a time: " + ", ".join(
        f"{plan.parallel[stage]} {stage} with {plan.num_ctx[stage]} tokens each" for stage in MODELS
    )
    if not plan.fits:
        fix = f"use smaller models or contexts, or containers with a smaller {SLOTS}"
        return [warn("residency", f"{text}; not all of it fits on the GPU", fix, plan.lines)]
    return [ok("residency", text, plan.lines)]


def cache(facts: Facts) -> list[Finding]:
    """What each type of KV cache makes room for, and whether the containers have the better one."""
    docker = facts.docker
    if docker is None or facts.gpu.total_mb is None:
        return []
    placement = _placement(facts, docker)
    asked, best = placement.plan.asked, placement.cache
    anew = {kv: placement.anew(kv) for kv in KvCache}
    lines = [
        f"{kv}: {stage} {asked.models[stage].kv_bytes_per_token * kv.share / 1024:.0f} KiB a token: "
        f"{plan.parallel[stage]} at a time with {plan.num_ctx[stage]} tokens each"
        for kv, plan in anew.items()
        for stage in MODELS
    ]
    present = {stage: setup for stage in MODELS if (setup := setup_of(docker, stage)) is not None}
    few = [
        f"{stage} takes {setup.slots} at a time, {anew[best].parallel[stage]} would be faster"
        for stage, setup in present.items()
        if setup.slots < anew[best].parallel[stage]
    ]
    if few:
        fix = "run: introeval setup (with --replace for containers that it did not create)"
        return [warn("kv cache", f"{'; '.join(few)}, with the cache in {best}", fix, lines)]
    return [ok("kv cache", f"{best} is best for this card", lines)]


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


def setup_of(docker: DockerSide, stage: Stage) -> ServerSetup | None:
    """What a container's server was set up for; None without a container."""
    seen = docker.containers.get(stage)
    if seen is None:
        return None
    lines = seen["Config"].get("Env") or ()
    return ServerSetup.of(dict(line.split("=", 1) for line in lines if "=" in line))


def _placement(facts: Facts, docker: DockerSide) -> Placement:
    placement = Placement(facts.config, facts.gpu.total_mb)
    placement.learnt(facts.durations.curves)
    for stage in MODELS:
        server = docker.servers.get(stage)
        need = server.need if isinstance(server, ServerFacts) else None
        placement.describe(stage, need or placement.plan.asked.models[stage], setup_of(docker, stage))
    return placement


def _mb(size: float | None) -> str:
    return "unknown" if size is None else f"{size:.0f} MB"
