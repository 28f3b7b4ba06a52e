"""The Docker engine through its SDK: each call in a thread with a time limit, each error translated.

The SDK raises its own tree of errors, but a refused connection, a time-out and a permission come as
errors of requests and the system, some of them from its constructor. So the client is made at the first
call, and again after the connection was lost.
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
from daemon.core.schedule.server_setup import ServerSetup

T = TypeVar("T")
State = Literal["missing", "unreachable", "denied", "crash_loop", "failed"]

_THREADS = 8
_GONE = ("created", "exited", "dead")


class ContainerError(EngineError):
    """A problem of a container or of the Docker engine; `state` is how the operator sees it."""

    def __init__(self, state: State, message: str) -> None:
        super().__init__(message)
        self.state: State = state


class EngineSilent(ContainerError):
    """The engine did not answer in time: the request may have been carried out, or may still be."""

    def __init__(self, message: str) -> None:
        super().__init__("unreachable", message)


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """A restart policy: when the engine starts a container by itself, `most` times (0: no limit)."""

    name: str
    most: int = 0

    @property
    def acts(self) -> bool:
        """Whether it can start a container."""
        return self.name not in ("", "no")


NEVER = RestartPolicy("no")


@dataclass(frozen=True, slots=True)
class ContainerState:
    """A container as the engine describes it. `pid` is that of its first process on this machine.

    `status` is the engine's word: created, running, paused, restarting, removing, exited or dead.
    `mounts` maps folders of the container to folders of this machine.
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
    def setup(self) -> ServerSetup:
        """What an Ollama in it was set up for."""
        return ServerSetup.of(self.environment)

    @property
    def alive(self) -> bool:
        """Whether it runs, or the engine is about to run it again."""
        return self.status not in _GONE

    @classmethod
    def of(cls, attrs: Mapping[str, Any]) -> Self:
        """The state in an answer of `docker inspect`."""
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
    """The engine at `base_url`; if that is empty, at DOCKER_HOST or its default socket.

    Each call takes at most `timeout_s` seconds. All methods raise ContainerError.
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
        """Start a container; no error if it runs."""
        await self.call(lambda api: api.start(ref))

    async def stop(self, ref: str, grace_s: float) -> None:
        """Ask a container to end, and kill it after `grace_s` seconds; no error if it is gone."""
        # The SDK adds the grace to its own time limit; the engine refuses a fraction of a second.
        await self.call(lambda api: api.stop(ref, timeout=max(1, round(grace_s))))

    async def kill(self, ref: str) -> None:
        """Kill a container; no error if it is gone."""
        try:
            await self.call(lambda api: api.kill(ref))
        except ContainerError as exc:
            seen = await self.inspect(ref)
            if seen is not None and seen.alive:
                raise exc

    async def set_policy(self, ref: str, policy: RestartPolicy) -> None:
        """Replace a container's restart policy."""
        wanted = cast(Any, {"Name": policy.name, "MaximumRetryCount": policy.most})
        await self.call(lambda api: api.update_container(ref, restart_policy=wanted))

    async def call(self, ask: Callable[[docker.APIClient], T]) -> T:
        """Ask the engine in a thread. Raises ContainerError.

        A cancelled call still ends before the cancellation goes on: no request, a start above all, may be
        under way when the next one is made.
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
                self._api = None  # the engine may come back with another version
            raise error from exc

    def connect(self) -> docker.APIClient:
        """Open another connection, for calls without a time limit. Blocks; raises the SDK's errors."""
        settings: dict[str, Any] = dict(kwargs_from_env())
        if self._base_url:
            settings = {"base_url": self._base_url}
        return docker.APIClient(**settings, version="auto", timeout=cast(int, self._timeout_s))

    @property
    def _where(self) -> str:
        return self._base_url or str(kwargs_from_env().get("base_url", "unix:///var/run/docker.sock"))


def translated(error: Exception, where: str) -> ContainerError:
    """The error that `error` of the SDK stands for, in one line that says what to do."""
    text = _one_line(error)
    if isinstance(error, NotFound):
        return ContainerError("missing", f"{text}; run: introeval setup")
    if isinstance(error, APIError):
        return ContainerError("failed", f"the Docker engine refuses: {text}")
    if _timed_out(error):
        return EngineSilent(f"the Docker engine at {where} does not answer; see: systemctl status docker")
    if "Permission denied" in text or isinstance(error, PermissionError):
        return ContainerError(
            "denied", f"the Docker engine at {where} may not be used; add the daemon's user to its group"
        )
    why = _of_system(error) or text
    return ContainerError("unreachable", f"no Docker engine at {where}: {why}; see: systemctl status docker")


def _of_system(error: BaseException | None) -> str:
    """The words of the system's own error, around which the SDK and requests wrap theirs; else empty."""
    said = ""
    while error is not None:
        if type(error).__module__ == "builtins" and isinstance(error, OSError) and error.strerror:
            said = error.strerror.lower()
        error = error.__cause__ or error.__context__
    return said


def _timed_out(error: BaseException | None) -> bool:
    # When it connects, the SDK asks for the version and wraps a time-out in its own DockerException.
    while error is not None and not isinstance(error, requests.Timeout | TimeoutError):
        error = error.__cause__ or error.__context__
    return error is not None


def _one_line(error: Exception) -> str:
    said = getattr(error, "explanation", None) or str(error)
    text = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
    return " ".join(text.split())[:300]
