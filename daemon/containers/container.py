"""One container by its name: ensured to run, ensured to be gone, and put back as its owner had it.

It is looked up each time, since it may have been removed, made again or renamed meanwhile. While it is ours
it has no restart policy: one with a policy comes back by itself, in the midst of another group's phase.
"""

import asyncio
import time
from typing import Literal

from daemon.containers.engine import NEVER, ContainerError, ContainerState, DockerEngine, EngineSilent
from daemon.containers.takeover_record import Before, TakeoverRecord

OnExit = Literal["restore", "stop"]

_POLL_S = 0.02
_START_S = 30.0
_KILL_S = 10.0
_MARGIN_S = 5.0


class Container:
    """The container called `name`. `stop_timeout_s` is how long it may take to end before it is killed.

    All methods raise ContainerError.
    """

    def __init__(
        self, engine: DockerEngine, kept: TakeoverRecord, name: str, *, stop_timeout_s: float = 10.0
    ) -> None:
        self.name = name
        self._engine = engine
        self._kept = kept
        self._grace_s = stop_timeout_s
        self.last: ContainerState | None = None  # as it was found at the last look-up

    async def seen(self) -> ContainerState:
        """What it is now."""
        seen = self.last = await self._engine.inspect(self.name)
        if seen is None:
            raise ContainerError("missing", f"there is no container {self.name}; say: introeval setup")
        return seen

    async def run(self) -> ContainerState:
        """Start it, unless it runs; its program may end at once, as what is given back then says.

        What is paused or crash-loops is ended first.
        """
        seen = await self.seen()
        await self._own(seen)
        if seen.alive and seen.status != "running":
            await self._stop_and_verify(seen)
        await self._engine.start(seen.id)
        end = time.monotonic() + _START_S
        while (seen := await self.seen()).status not in ("running", "exited", "dead"):
            if time.monotonic() > end:
                raise ContainerError("failed", f"{self.name} is {seen.status} and does not start")
            await asyncio.sleep(_POLL_S)
        return seen

    async def end(self) -> None:
        """Ensure that it is gone, also when it seems to be: a start may be on its way in the engine.

        So is what we had under this name before: a container that was renamed while it ran holds the GPU
        no less.
        """
        for seen in await self._ours():
            await self._stop_and_verify(seen)

    async def running(self) -> list[ContainerState]:
        """Those of ours that run."""
        return [seen for seen in await self._ours() if seen.alive]

    async def restore(self, on_exit: OnExit) -> None:
        """Put back its restart policy and, on `restore`, run it again if it ran before we came.

        The record is dropped last, so that a crash leads here again. The policy is put back also on `stop`:
        it is its owner's, and it starts the container with the engine at the soonest; the daemon's own
        start ends what runs then.
        """
        for before in await asyncio.to_thread(self._kept.of, self.name):
            await self._restore(before, on_exit)

    async def _restore(self, before: Before, on_exit: OnExit) -> None:
        seen = await self._engine.inspect(before.id)
        if seen is not None:
            if seen.policy != before.policy:
                await self._engine.set_policy(seen.id, before.policy)
            if on_exit == "restore" and before.ran and not seen.alive:
                await self._engine.start(seen.id)
        await asyncio.to_thread(self._kept.forget, before.id)

    async def _ours(self) -> list[ContainerState]:
        """The container of this name, and those that we knew under it."""
        named = self.last = await self._engine.inspect(self.name)
        found = [named] if named is not None else []
        for before in await asyncio.to_thread(self._kept.of, self.name):
            if named is None or before.id != named.id:
                other = await self._engine.inspect(before.id)
                if other is None:
                    await asyncio.to_thread(self._kept.forget, before.id)
                else:
                    found.append(other)
        return found

    async def _own(self, seen: ContainerState) -> None:
        """Record what it is like, before anything about it is changed."""
        await asyncio.to_thread(self._kept.keep, seen)
        if seen.policy.acts:
            await self._engine.set_policy(seen.id, NEVER)

    async def _stop_and_verify(self, seen: ContainerState) -> None:
        await self._own(seen)
        try:
            await self._engine.stop(seen.id, self._grace_s)
        except EngineSilent:
            if await self._gone(seen, self._grace_s + _MARGIN_S):  # the engine goes on with the stop
                return
        except ContainerError as exc:
            if exc.state not in ("failed", "missing"):  # killed below, or gone
                raise
        if await self._gone(seen, 0.0):
            return
        await self._engine.kill(seen.id)
        if not await self._gone(seen, _KILL_S):
            raise ContainerError(
                "failed", f"{self.name} does not end even when it is killed; restart the Docker engine"
            )

    async def _gone(self, seen: ContainerState, limit_s: float) -> bool:
        end = time.monotonic() + limit_s
        while (now := await self._engine.inspect(seen.id)) is not None and now.alive:
            if time.monotonic() > end:
                return False
            await asyncio.sleep(_POLL_S)
        return True
