"""Create the lab's two containers, each with its model. Nothing that is as it should be is changed.

Our containers carry a label with the hash of the configuration that they were made from. So one of an older
configuration is recognised, and one that somebody else made is left alone.
"""

import asyncio
import contextlib
import hashlib
import json
import threading
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

import docker
import requests
from docker.errors import APIError, DockerException, ImageNotFound, StreamParseError
from docker.types import DeviceRequest
from docker.utils import parse_repository_tag
from urllib3.exceptions import HTTPError

from daemon.containers.engine import NEVER, ContainerError, ContainerState, DockerEngine
from daemon.containers.warm import HOME
from daemon.core.errors import ConfigError, EngineError, ModelError
from daemon.core.schedule.server_setup import ServerSetup
from daemon.llm.ollama_api import OllamaApi, OnPull, full_name

LABEL = "introeval.made-from"
INSIDE = 11434
"""The port of Ollama inside a container."""

_UP_S = 120.0
_POLL_S = 0.1
_PULL_STALL_S = 300.0  # the engine reports nothing while it writes a large layer
_END = "end"  # the key of a pull's last message; no event of the engine has it


@dataclass(frozen=True, slots=True)
class WantedContainer:
    """A container as it should be: published on a loopback port, its models in its own volume."""

    name: str
    image: str
    model: str
    port: int
    volume: str
    server: ServerSetup
    num_ctx: int
    gpu: bool

    @property
    def url(self) -> str:
        """The address of its server."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The settings of its server. Keep-alive is unlimited: the model stays until the container stops."""
        return {
            **self.server.environment,
            "OLLAMA_CONTEXT_LENGTH": str(self.num_ctx),
            "OLLAMA_KEEP_ALIVE": "-1",
            "OLLAMA_MAX_LOADED_MODELS": "1",
        }

    @property
    def hash(self) -> str:
        """A short hash of all that it is made from."""
        content = json.dumps([asdict(self), self.environment], sort_keys=True).encode()
        return hashlib.sha256(content).hexdigest()[:16]


def published_port(url: str) -> int:
    """The port of a container's url, which must be on this machine. Raises ConfigError."""
    parts = urlsplit(url)
    if parts.hostname not in ("127.0.0.1", "localhost", "::1") or not parts.port:
        raise ConfigError(
            f"{url} is not on this machine; set url to http://127.0.0.1:PORT, which setup can create"
        )
    return parts.port


async def has_nvidia(engine: DockerEngine) -> bool:
    """Whether the engine can give a GPU to a container. Raises ContainerError."""
    info: dict[str, Any] = await engine.call(lambda api: api.info())
    return "nvidia" in info.get("Runtimes", {})


@dataclass(frozen=True, slots=True)
class ContainerStep:
    """The present container, if any, and what is to be done. `ours`: it is ours, or will be."""

    wanted: WantedContainer
    seen: ContainerState | None
    make: bool
    ours: bool
    text: str


async def find(engine: DockerEngine, wanted: WantedContainer, *, replace: bool) -> ContainerStep:
    """Find what is to be done. Raises ContainerError."""
    seen = await engine.inspect(wanted.name)
    if seen is None:
        on = "the GPU" if wanted.gpu else "the processor (the engine has no nvidia runtime)"
        text = f"create it from {wanted.image}, on port {wanted.port}, for {on}; requests at a time: "
        server = f"{wanted.server.slots}, KV cache in {wanted.server.kv}"
        return ContainerStep(wanted, None, True, True, text + server)
    made_from = seen.labels.get(LABEL)
    if made_from == wanted.hash:
        return ContainerStep(wanted, seen, False, True, "it is as it should be")
    if made_from is not None:
        return ContainerStep(
            wanted, seen, True, True, "create it again: the configuration has changed; its models stay"
        )
    if replace:
        old = _kept_name(seen)
        return ContainerStep(
            wanted, seen, True, True, f"rename the present one to {old} and stop it; create a new one"
        )
    return ContainerStep(
        wanted, seen, False, False, "somebody else created it: it is left alone (see --replace)"
    )


async def make(engine: DockerEngine, finding: ContainerStep) -> None:
    """Create the container, in place of the present one. Raises ContainerError."""
    wanted, seen = finding.wanted, finding.seen
    if seen is not None:
        if seen.policy.acts:
            await engine.set_policy(seen.id, NEVER)
        await engine.stop(seen.id, 10.0)
        if LABEL in seen.labels:
            await engine.call(lambda api: api.remove_container(seen.id))
        else:
            await engine.call(lambda api: api.rename(seen.id, _kept_name(seen)))
    await engine.call(lambda api: _create(api, wanted))


async def has_image(engine: DockerEngine, image: str) -> bool:
    """Whether the engine has the image. Raises ContainerError."""

    def look(api: docker.APIClient) -> bool:
        try:
            api.inspect_image(image)  # type: ignore[no-untyped-call]
        except ImageNotFound:
            return False
        return True

    return await engine.call(look)


async def pull_image(engine: DockerEngine, image: str, on_pull: OnPull) -> None:
    """Pull the image. Raises ContainerError, and ModelError with the cause; a pull can be repeated."""
    api = await engine.call(lambda api: api)
    loop = asyncio.get_running_loop()
    events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    def tell(event: dict[str, Any]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed, nobody waits any more
            loop.call_soon_threadsafe(events.put_nowait, event)

    # A thread that nobody has to wait for: ctrl+c ends the program and with it the connection, and the engine
    # then ends the pull.
    threading.Thread(target=_pull, args=(api, image, tell), daemon=True).start()
    layers: dict[str, tuple[int, int]] = {}
    try:
        while _END not in (event := await _next(events)):
            _count(event, layers)
            done, total = (sum(figures) for figures in zip((0, 0), *layers.values(), strict=True))
            on_pull(str(event.get("status", "")), done, total)
        wrong = event[_END]
    except TimeoutError:
        wrong = f"no progress for {_PULL_STALL_S:.0f} s"
    if wrong:
        raise ModelError(
            f"the image {image} was not pulled: {wrong}; check that the engine reaches the registry, or"
            " run: docker load"
        )


async def _next(events: asyncio.Queue[dict[str, Any]]) -> dict[str, Any]:
    """The next event. Raises TimeoutError. Not `wait_for`: before Python 3.12 a ctrl+c that came together
    with an event was lost in it.
    """
    async with asyncio.timeout(_PULL_STALL_S):
        return await events.get()


def _pull(api: docker.APIClient, image: str, tell: Callable[[dict[str, Any]], None]) -> None:
    """Report each event of a pull, and at last the error, or nothing."""
    name, tag = parse_repository_tag(image)
    wrong: object = ""
    try:
        with warnings.catch_warnings():  # a missing password helper is warned of and raised as well
            warnings.filterwarnings("ignore", module=r"docker\.credentials")
            for event in api.pull(name, tag=tag or "latest", stream=True, decode=True):
                if "error" in event:
                    wrong = event["error"]
                    break
                tell(event)
    except APIError as exc:
        wrong = exc.explanation or exc
    except DockerException as exc:  # before the engine was asked, e.g. without the registry's password
        wrong = exc
    except (StreamParseError, requests.RequestException, HTTPError, OSError):
        wrong = "the connection to the Docker engine was lost"
    tell({_END: " ".join(str(wrong).split())})


def _count(event: Mapping[str, Any], layers: dict[str, tuple[int, int]]) -> None:
    """Record the bytes done and total of each layer; several are pulled at a time."""
    layer, progress = event.get("id", ""), event.get("progressDetail") or {}
    if event.get("status") == "Downloading" and progress.get("total"):
        layers[layer] = (progress.get("current", 0), progress["total"])
    elif event.get("status") == "Download complete" and layer in layers:
        layers[layer] = (layers[layer][1], layers[layer][1])


async def fill(engine: DockerEngine, wanted: WantedContainer, on_pull: OnPull) -> bool:
    """Ensure that the container has its model; pull it if not. Whether it was pulled.

    Runs the container meanwhile, and leaves it as it was. Raises ContainerError, EngineError and ModelError.
    """
    before = await engine.inspect(wanted.name)
    if before is None:
        raise ContainerError("missing", f"there is no container {wanted.name}; run: introeval setup")
    await engine.start(before.id)
    try:
        async with OllamaApi(wanted.url) as api:
            await _up(api, wanted)
            if any(each.name == full_name(wanted.model) for each in await api.tags()):
                return False
            await api.pull(wanted.model, on_pull)
            return True
    finally:
        if not before.alive:
            await engine.stop(before.id, 10.0)


async def _up(api: OllamaApi, wanted: WantedContainer) -> None:
    loop = asyncio.get_running_loop()
    limit = loop.time() + _UP_S
    while True:
        try:
            await api.version()
            return
        except EngineError as exc:
            if loop.time() > limit:
                raise EngineError(
                    f"{wanted.name} does not answer: {exc}; see: docker logs {wanted.name}"
                ) from exc
        await asyncio.sleep(_POLL_S)


def _create(api: docker.APIClient, wanted: WantedContainer) -> None:
    gpu = [DeviceRequest(driver="nvidia", count=-1, capabilities=[["gpu"]])] if wanted.gpu else None
    host = api.create_host_config(
        port_bindings={f"{INSIDE}/tcp": ("127.0.0.1", wanted.port)},
        binds={wanted.volume: {"bind": HOME, "mode": "rw"}},
        restart_policy={"Name": "no"},
        device_requests=gpu,
    )
    api.create_container(
        wanted.image,
        name=wanted.name,
        ports=[INSIDE],
        environment=wanted.environment,
        labels={LABEL: wanted.hash},
        host_config=host,
    )


def _kept_name(seen: ContainerState) -> str:
    return f"{seen.name}-before-{seen.id[:6]}"
