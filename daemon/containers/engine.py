"""The Docker engine through its SDK: every call in a thread with a time limit, every error translated.

The SDK raises its own tree of errors, but a refused connection, a time-out and a permission come as
requests' and the system's, some of them out of its constructor. So the client is made at the first call,
and made anew after the connection was lost.
"""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal, Self, TypeVar, cast

import docker
import requests
from docker.errors import APIError, DockerException, NotFound
from docker.utils import kwargs_from_env

from daemon.core.errors import EngineError

T = TypeVar("T")
State = Literal["missing", "unreachable", "denied", "crash_loop", "failed"]

_THREADS = 8
_GONE = ("created", "exited", "dead")


class ContainerError(EngineError):
    """A container or its engine is not as it must be; `state` is what the operator sees it as."""

    def __init__(self, state: State, message: str) -> None:
        super().__init__(message)
        self.state: State = state


class EngineSilent(ContainerError):
    """The engine did not answer in time: what was asked may have been done, or still be done."""

    def __init__(self, message: str) -> None:
        super().__init__("unreachable", message)


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """A restart policy: what makes the engine start a container by itself."""

    name: str
    most: int = 0

    @property
    def acts(self) -> bool:
        """Whether it can start a container."""
        return self.name not in ("", "no")


NEVER = RestartPolicy("no")


@dataclass(frozen=True, slots=True)
class ContainerState:
    """A container as the engine describes it. `pid` is its first process's on this machine.

    `status` is the engine's word: created, running, paused, restarting, removing, exited or dead.
    `mounts` maps the folders inside to those of this machine.
    """

    id: str
    name: str
    status: str
    pid: int | None
    restarts: int
    exit_code: int
    started_at: str
    policy: RestartPolicy
    labels: Mapping[str, str]
    environment: Mapping[str, str]
    mounts: Mapping[str, str]
    error: str = ""

    @property
    def alive(self) -> bool:
        """Whether it runs, or the engine is about to run it again."""
        return self.status not in _GONE

    @classmethod
    def of(cls, attrs: Mapping[str, Any]) -> Self:
        """What `docker inspect` says."""
        state, host = attrs["State"], attrs["HostConfig"]
        policy = host.get("RestartPolicy") or {}
        return cls(
            id=attrs["Id"],
            name=attrs["Name"].removeprefix("/"),
            status=state["Status"],
            pid=state.get("Pid") or None,
            restarts=attrs.get("RestartCount", 0),
            exit_code=state.get("ExitCode", 0),
            started_at=state.get("StartedAt", ""),
            policy=RestartPolicy(policy.get("Name") or "no", policy.get("MaximumRetryCount", 0)),
            labels=attrs["Config"].get("Labels") or {},
            environment=dict(each.split("=", 1) for each in attrs["Config"].get("Env") or [] if "=" in each),
            mounts={each["Destination"]: each.get("Source", "") for each in attrs.get("Mounts") or []},
            error=state.get("Error", ""),
        )


class DockerEngine:
    """The engine at `base_url`; empty: where the environment says, else its own socket.

    Each call takes at most `timeout_s` seconds. All raise ContainerError.
    """

    def __init__(self, base_url: str = "", *, timeout_s: float = 10.0) -> None:
        self._base_url = base_url
        self._timeout_s = timeout_s
        self._api: docker.APIClient | None = None
        self._threads = ThreadPoolExecutor(_THREADS, "docker")

    async def aclose(self) -> None:
        """Close the connections."""
        await asyncio.to_thread(self._threads.shutdown)
        if self._api is not None:
            self._api.close()
            self._api = None

    async def inspect(self, ref: str) -> ContainerState | None:
        """A container by its name or id, or None when there is none."""
        try:
            return ContainerState.of(await self.call(lambda api: api.inspect_container(ref)))
        except ContainerError as exc:
            if exc.state == "missing":
                return None
            raise

    async def start(self, ref: str) -> None:
        """Start a container; one that runs is left as it is."""
        await self.call(lambda api: api.start(ref))

    async def stop(self, ref: str, grace_s: float) -> None:
        """Ask a container to end, and have it killed after `grace_s` seconds; one that is gone is left."""
        # The SDK adds the grace to its own time limit; a fraction of a second would not be understood.
        await self.call(lambda api: api.stop(ref, timeout=max(1, round(grace_s))))

    async def kill(self, ref: str) -> None:
        """Kill a container; one that is gone is left."""
        try:
            await self.call(lambda api: api.kill(ref))
        except ContainerError as exc:
            seen = await self.inspect(ref)
            if seen is not None and seen.alive:
                raise exc

    async def set_policy(self, ref: str, policy: RestartPolicy) -> None:
        """Give a container another restart policy."""
        wanted = cast(Any, {"Name": policy.name, "MaximumRetryCount": policy.most})
        await self.call(lambda api: api.update_container(ref, restart_policy=wanted))

    async def call(self, ask: Callable[[docker.APIClient], T]) -> T:
        """Ask the engine in a thread.

        A call that is cancelled still ends before the cancellation goes on: nothing that was asked for, a
        start above all, may be on its way when the next thing is done.
        """
        loop = asyncio.get_running_loop()
        asking = loop.run_in_executor(self._threads, self._ask, ask)
        try:
            return await asyncio.shield(asking)
        except asyncio.CancelledError:
            await asyncio.wait([asking])
            raise

    def _ask(self, ask: Callable[[docker.APIClient], T]) -> T:
        try:
            if self._api is None:
                self._api = self.connect()
            return ask(self._api)
        except (DockerException, requests.RequestException, OSError) as exc:
            error = translated(exc, self._where)
            if error.state in ("unreachable", "denied"):
                self._api = None  # another version may answer the next time
            raise error from exc

    def connect(self) -> docker.APIClient:
        """A connection of its own, for what has no time limit. Blocks; raises what the SDK raises."""
        settings: dict[str, Any] = dict(kwargs_from_env())
        if self._base_url:
            settings = {"base_url": self._base_url}
        return docker.APIClient(**settings, version="auto", timeout=cast(int, self._timeout_s))

    @property
    def _where(self) -> str:
        return self._base_url or str(kwargs_from_env().get("base_url", "unix:///var/run/docker.sock"))


def translated(error: Exception, where: str) -> ContainerError:
    """What went wrong, in one line that says what to do."""
    text = _one_line(error)
    if isinstance(error, NotFound):
        return ContainerError("missing", f"{text}; say: introeval setup")
    if isinstance(error, APIError):
        return ContainerError("failed", f"the Docker engine refuses: {text}")
    if isinstance(error, requests.Timeout):
        return EngineSilent(f"the Docker engine at {where} does not answer; see: systemctl status docker")
    if "Permission denied" in text or isinstance(error, PermissionError):
        return ContainerError(
            "denied", f"the Docker engine at {where} may not be used: add the daemon's user to its group"
        )
    return ContainerError("unreachable", f"no Docker engine at {where}: {text}; see: systemctl status docker")


def _one_line(error: Exception) -> str:
    said = getattr(error, "explanation", None) or str(error)
    text = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
    return " ".join(text.split())[:300]
