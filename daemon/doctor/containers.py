"""The Docker engine, the two containers, and the models in them."""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from daemon.config.sections import ModelSettings
from daemon.doctor.facts import DockerSide, Facts, ServerFacts, models_of
from daemon.doctor.finding import Finding, fail, ok, warn
from daemon.doctor.gpu import SLOTS, slots_of
from daemon.llm.ollama_api import full_name


def engine(facts: Facts) -> list[Finding]:
    """Whether the engine answers, and can give a GPU to a container."""
    docker = facts.docker
    if docker is None:
        return []
    if docker.problem:
        return [fail("docker", docker.problem, docker.mend)]
    if facts.gpu.absent is None and not docker.runtimes & {"nvidia"}:
        mend = "install nvidia-container-toolkit, and run: nvidia-ctk runtime configure"
        return [warn("docker", f"engine {docker.version} has no runtime for NVIDIA's GPUs", mend)]
    return [ok("docker", f"engine {docker.version} answers")]


def containers(facts: Facts) -> list[Finding]:
    """Each container: whether it is there and made so that the daemon can work with it."""
    docker = facts.docker
    if docker is None or docker.problem:
        return []
    findings = []
    for stage, model in models_of(facts.config).items():
        check = f"container {stage}"
        if not model.container:
            findings.append(ok(check, f"none: the server at {model.url} is run by others"))
            continue
        seen = docker.containers.get(stage)
        if seen is None:
            findings.append(fail(check, f"there is no container {model.container}", "run: introeval setup"))
        else:
            slots = slots_of(docker, stage)
            findings.append(_container(check, model, seen, slots, gpu=facts.gpu.absent is None))
    return findings


def models(facts: Facts) -> list[Finding]:
    """Whether each container has its model, and which one."""
    docker = facts.docker
    if docker is None or docker.problem:
        return []
    return [
        _model(f"model {stage}", model, docker, docker.servers.get(stage))
        for stage, model in models_of(facts.config).items()
        if not model.container or docker.containers.get(stage) is not None
    ]


def _container(
    check: str, model: ModelSettings, seen: Mapping[str, Any], slots: int | None, *, gpu: bool
) -> Finding:
    name, state, host = model.container, seen["State"], seen["HostConfig"]
    text = f"{name} is {state['Status']}, holds {slots} at a time"
    if state["Status"] == "restarting":
        return fail(check, f"{name} crashes again and again", f"see: docker logs {name}")
    if state["Status"] == "paused":
        return warn(check, f"{name} is paused", f"run: docker unpause {name}")
    wrong = _ports(model, seen)
    if wrong:
        return _badly_published(check, name, wrong)
    policy = (host.get("RestartPolicy") or {}).get("Name") or "no"
    if policy != "no":
        return warn(
            check,
            f"{text}; its restart policy ({policy}) can start it while Whisper has the GPU",
            f"run: docker update --restart=no {name}",
        )
    if gpu and not host.get("DeviceRequests") and host.get("Runtime") != "nvidia":
        return warn(check, f"{text}; it was made without the GPU", "remove it, and run: introeval setup")
    if model.parallel != "auto" and slots is not None and model.parallel > slots:
        return warn(
            check,
            f"{text}, and {model.parallel} are configured",
            f"make it anew with {SLOTS}={model.parallel}, or lower parallel",
        )
    return ok(check, text)


def _ports(model: ModelSettings, seen: Mapping[str, Any]) -> str:
    """What is wrong with how its port is published; empty when nothing is, or nothing is published."""
    host = seen["HostConfig"]
    if host.get("NetworkMode") == "host":
        return ""
    bound = [each for ports in (host.get("PortBindings") or {}).values() for each in ports or ()]
    url = urlsplit(model.url)
    if not _is_loopback(url.hostname or ""):
        return ""
    if url.port is not None and str(url.port) not in {each.get("HostPort") for each in bound}:
        return f"does not publish port {url.port}, where {model.url} is asked for"
    if any(not _is_loopback(each.get("HostIp") or "0.0.0.0") for each in bound):
        return "is open to the network: anyone may use its server"
    return ""


def _badly_published(check: str, name: str, wrong: str) -> Finding:
    """A container that can't be reached fails; one that too many can reach is a warning."""
    mend = "remove it, and run: introeval setup"
    if wrong.startswith("is open"):
        return warn(check, f"{name} {wrong}", mend)
    return fail(check, f"{name} {wrong}", mend)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _model(check: str, model: ModelSettings, docker: DockerSide, server: ServerFacts | str | None) -> Finding:
    if server is None:
        return ok(check, f"{model.model}: not asked, the container is stopped")
    if isinstance(server, str):
        return warn(check, f"{model.model}: {server}", f"see: docker logs {model.container}")
    if model.api == "openai":
        return ok(check, f"the server at {model.url} is well")
    digest = server.digests.get(full_name(model.model))
    if digest is None:
        return fail(check, f"the server at {model.url} has no model {model.model}", "run: introeval setup")
    return ok(check, f"{model.model}, {digest[:19]}, Ollama {server.version}")
