"""The Docker engine, the two containers, and the models in them."""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from daemon.config.sections import ModelSettings
from daemon.core.schedule.server_setup import SLOTS
from daemon.doctor.facts import DockerSide, Facts, ServerFacts, models_of
from daemon.doctor.finding import Finding, fail, ok, warn
from daemon.doctor.gpu import setup_of
from daemon.llm.ollama_api import full_name


def engine(facts: Facts) -> list[Finding]:
    """Whether the engine answers, and can give a GPU to a container."""
    docker = facts.docker
    if docker is None:
        return []
    if docker.problem:
        return [fail("docker", docker.problem, docker.fix)]
    if facts.gpu.absent is None and not docker.runtimes & {"nvidia"}:
        fix = "install nvidia-container-toolkit, and run: nvidia-ctk runtime configure"
        return [warn("docker", f"engine {docker.version} has no runtime for NVIDIA's GPUs", fix)]
    return [ok("docker", f"engine {docker.version} answers")]


def containers(facts: Facts) -> list[Finding]:
    """Whether each container exists, and is configured so that the daemon can work with it."""
    docker = facts.docker
    if docker is None or docker.problem:
        return []
    findings = []
    for stage, model in models_of(facts.config).items():
        check = f"container {stage}"
        if not model.container:
            findings.append(ok(check, f"none: the server at {model.url} is not managed by the daemon"))
            continue
        seen = docker.containers.get(stage)
        if seen is None:
            text = f"there is no container {model.container}, so nothing can be evaluated"
            findings.append(fail(check, text, "run: introeval setup"))
        else:
            setup = setup_of(docker, stage)
            slots = setup.slots if setup else None
            findings.append(_container(check, model, seen, slots, gpu=facts.gpu.absent is None))
    return findings


def models(facts: Facts) -> list[Finding]:
    """Whether each server has its model, with the model's digest."""
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
    text = f"{name} is {state['Status']}, parallel requests: {slots}"
    if state["Status"] == "restarting":
        return fail(check, f"{name} crashes repeatedly", f"see: docker logs {name}")
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
        return warn(check, f"{text}; it was created without the GPU", "remove it, and run: introeval setup")
    if model.parallel != "auto" and slots is not None and model.parallel > slots:
        return warn(
            check,
            f"{text}, but {model.parallel} are configured",
            f"create it again with {SLOTS}={model.parallel}, or lower parallel",
        )
    return ok(check, text)


def _ports(model: ModelSettings, seen: Mapping[str, Any]) -> str:
    """The problem with how the container publishes its port; empty when there is none."""
    host = seen["HostConfig"]
    if host.get("NetworkMode") == "host":
        return ""
    bound = [each for ports in (host.get("PortBindings") or {}).values() for each in ports or ()]
    url = urlsplit(model.url)
    if not _is_loopback(url.hostname or ""):
        return ""
    if url.port is not None and str(url.port) not in {each.get("HostPort") for each in bound}:
        return f"does not publish port {url.port}, which {model.url} needs"
    if any(not _is_loopback(each.get("HostIp") or "0.0.0.0") for each in bound):
        return "is open to the network: anyone can use its server"
    return ""


def _badly_published(check: str, name: str, wrong: str) -> Finding:
    """A failure when the container cannot be reached; a warning when the network can reach it."""
    finding = warn if wrong.startswith("is open") else fail
    return finding(check, f"{name} {wrong}", "remove it, and run: introeval setup")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _model(check: str, model: ModelSettings, docker: DockerSide, server: ServerFacts | str | None) -> Finding:
    if server is None:
        return ok(check, f"{model.model}: not checked, the container is stopped")
    if isinstance(server, str) and not model.container:  # no start of the daemon brings it
        fix = "start the server, or correct its url or api_key_file"
        return fail(check, f"{model.model}: {server}", fix)
    if isinstance(server, str):
        return warn(check, f"{model.model}: {server}", f"see: docker logs {model.container}")
    if model.api == "openai":
        return ok(check, f"the server at {model.url} is healthy")
    digest = server.digests.get(full_name(model.model))
    if digest is None:
        return fail(check, f"the server at {model.url} has no model {model.model}", "run: introeval setup")
    return ok(check, f"{model.model}, {digest[:19]}, Ollama {server.version}")
