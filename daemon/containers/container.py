"""One container by its name: run it, verify that it is gone, and restore it as its owner had it.

It is looked up each time, since it may have been removed, recreated or renamed meanwhile. While it is ours
it has no restart policy: with one it would come back by itself in the middle of another group's phase.
"""

import asyncio
import time
from dataclasses import replace
from typing import Literal

from daemon.containers.engine import NEVER, ContainerError, ContainerState, DockerEngine, EngineSilent
from daemon.containers.takeover_record import Before, TakeoverRecord

OnExit = Literal["restore", "stop"]

_POLL_S = 0.02
_START_S = 30.0
_KILL_S = 10.0
_MARGIN_S = 5.0


class Container:
    """The container called `name`. It gets `stop_timeout_s` seconds to end before it is killed.

    All methods raise ContainerError.
    """

    def __init__(
        self, engine: DockerEngine, kept: TakeoverRecord, name: str, *, stop_timeout_s: float = 10.0
    ) -> None:
        self.name = name
        self._engine = engine
        self._kept = kept
        self._grace_s = stop_timeout_s
        self.last: ContainerState | None = None  # as of the last look-up

    async def seen(self) -> ContainerState:
        """The container as it is now."""
        seen = self.last = await self._engine.inspect(self.name)
        if seen is None:
            raise ContainerError("missing", f"there is no container {self.name}; run: introeval setup")
        return seen

    async def run(self) -> ContainerState:
        """Start the container unless it runs. Gives its state then: its program may have ended at once.

        A paused or crash-looping container is stopped first.
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
        """Stop the container and verify that it is gone, also when it seems gone: a start may be under way.

        So is every container that was ours under this name: one that was renamed while it ran holds the GPU
        no less.
        """
        for seen in await self._ours():
            await self._stop_and_verify(seen)

    async def running(self) -> list[ContainerState]:
        """Our containers that run."""
        return [seen for seen in await self._ours() if seen.alive]

    async def restore(self, on_exit: OnExit) -> None:
        """Restore the restart policy; stop what did not run before us, and on `restore` run again what did.

        The record is dropped last, so that the start after a crash restores again. The policy is restored
        also on `stop`: it is the owner's, and starts nothing before the Docker engine itself restarts; the
        daemon's next start stops what runs then.
        """
        for before in await asyncio.to_thread(self._kept.of, self.name):
            await self._restore(before, on_exit)

    async def _restore(self, before: Before, on_exit: OnExit) -> None:
        seen = await self._engine.inspect(before.id)
        if seen is not None:
            if seen.alive and not before.ran:  # we were killed, and somebody restores in our place
                await self._stop_and_verify(seen)
                seen = replace(seen, policy=NEVER)
            if seen.policy != before.policy:
                await self._engine.set_policy(seen.id, before.policy)
            if on_exit == "restore" and before.ran and not seen.alive:
                await self._engine.start(seen.id)
        await asyncio.to_thread(self._kept.forget, before.id)

    async def _ours(self) -> list[ContainerState]:
        """The container of this name, and those that were taken over under it."""
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
        """Record the container before it is changed, and take away its restart policy."""
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
