"""The child of the daemon that speaks Ray: the only module that imports it.

Messages are JSON lines, their values pickled: both ends are this program and this user. The daemon asks with
an `id`, and gets `item`s and a `value` or an `error` with it; without being asked it is told the `machines`,
and for each machine in use its `pulse`, until it is `gone`. When Ray's head is lost, this child ends.
"""

import argparse
import asyncio
import contextlib
import os
import sys
import threading
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import (
    ActorUnavailableError,
    GetTimeoutError,
    RayError,
    RaySystemError,
    RayTaskError,
)
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from daemon.cluster.actor import NodeActor
from daemon.cluster.packing import (
    MachineGone,
    one_line,
    packed,
    packed_answer,
    packed_snapshot,
    told_error,
    unpacked,
)
from daemon.cluster.start import RESOURCE
from daemon.cluster.values import Machine
from daemon.contracts.values import SttWork
from daemon.core.tasks.task import Stage
from daemon.system.child import ChildMessage, ParentChannel, attach

_CHUNK = 8 * 1024 * 1024
_LOOK_S = 1.0
_SILENCE_S = 6.0  # an actor that says nothing for so long is gone: with the look, seen within 8 s
_DROP_S = 30.0  # an engine ends what it does within that
_OPEN_S = 120.0  # Ray starts a worker, which imports the program and hashes the models


class RayDriver:
    """Does with Ray what the daemon asks."""

    def __init__(self, channel: ParentChannel, address: str, lend: str) -> None:
        self._channel, self._address, self._lend = channel, address, lend
        self._actors: dict[str, Any] = {}
        self._doing: dict[int, asyncio.Task[None]] = {}
        self._of: dict[int, str] = {}  # the machine of what is being done
        self._pulses: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Work until the daemon closes the channel. Raises when Ray's head is lost."""
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()

        def read() -> None:
            while (message := self._channel.receive()) is not None:
                loop.call_soon_threadsafe(self._take, message)
            loop.call_soon_threadsafe(ended.set)

        threading.Thread(target=read, daemon=True).start()
        watching = asyncio.create_task(self._watch())
        ending = asyncio.create_task(ended.wait())
        await asyncio.wait([watching, ending], return_when=asyncio.FIRST_COMPLETED)
        if watching.done():
            watching.result()  # raise the error that ended it

    def _take(self, message: ChildMessage) -> None:
        call, machine = message["id"], message["machine"]
        if message["do"] == "drop":
            if (doing := self._doing.get(message["call"])) is not None:
                doing.cancel()
            return
        arguments = unpacked(message["with"])
        steps: dict[str, Coroutine[Any, Any, Any]] = {}
        if message["do"] == "open":
            steps["open"] = self._opened(machine)
        elif message["do"] == "close":
            steps["close"] = self._close(machine)
        elif message["do"] == "work":
            steps["work"] = self._work(call, machine, *arguments)
        else:
            steps["ensure"] = self._ask(machine, "ensure", *arguments)
        (step,) = steps.values()
        self._of[call] = machine
        self._doing[call] = asyncio.create_task(self._answer(call, step))

    async def _answer(self, call: int, step: Coroutine[Any, Any, Any]) -> None:
        try:
            told = await step
            self._say(id=call, value=packed(told) if told is None else packed_answer(told))
        except asyncio.CancelledError:
            gone = self._of[call] not in self._actors
            self._say(id=call, error=["gone", "its machine is gone"] if gone else ["dropped", ""])
        except RayTaskError as exc:
            self._say(id=call, error=told_error(exc.cause))
        except OSError as exc:  # of a recording's sound, which lies here
            self._say(id=call, error=["broken", str(exc)])
        except (MachineGone, RayError) as exc:
            self._gone(self._of.pop(call), why := _why(exc))  # first: who hears of its call knows it by then
            self._say(id=call, error=["gone", why])
        finally:
            del self._doing[call]
            self._of.pop(call, None)

    async def _opened(self, machine: str) -> Any:
        """Put an actor on a machine, and give what it answers first."""
        node = next((node for node in await _nodes() if node["NodeID"] == machine), None)
        if node is None:
            raise MachineGone("it has left")
        kind: Any = ray.remote(NodeActor)  # its types know nothing of an actor's methods
        actor = self._actors[machine] = kind.options(
            num_cpus=0,
            num_gpus=min(1, node["Resources"].get("GPU", 0)),
            resources={RESOURCE: 1},
            max_restarts=0,
            max_task_retries=0,
            max_concurrency=1000,
            scheduling_strategy=NodeAffinitySchedulingStrategy(machine, soft=False),
        ).remote(self._lend)
        try:
            async with asyncio.timeout(_OPEN_S):
                answer = await actor.open.remote()
        except TimeoutError as exc:
            raise MachineGone(f"it did not begin within {_OPEN_S:g} s") from exc
        except RayTaskError:
            await self._close(machine)
            raise
        self._pulses[machine] = asyncio.create_task(self._pulse(machine))
        return answer

    async def _ask(self, machine: str, what: str, *arguments: Any) -> Any:
        return await getattr(self._actor(machine), what).remote(*arguments)

    async def _work(self, call: int, machine: str, stage: Stage, works: list[Any]) -> None:
        actor = self._actor(machine)
        sent = [await self._with_sound(actor, call, at, work) for at, work in enumerate(works)]
        stream = actor.work.options(num_returns="streaming").remote(call, stage, sent)
        try:
            async for item in stream:
                self._say(id=call, item=packed_answer(await item))
        except asyncio.CancelledError:
            if machine in self._actors:
                await self._drop(machine, actor, call)
            raise

    async def _drop(self, machine: str, actor: Any, call: int) -> None:
        """End work that is not wanted. A machine that does not end it would keep the daemon waiting."""
        try:
            async with asyncio.timeout(_DROP_S):
                await actor.drop.remote(call)
        except TimeoutError:
            self._gone(machine, f"it did not end what was taken back within {_DROP_S:g} s")
        except RayError as exc:  # then it has ended with its machine
            self._gone(machine, _why(exc))

    async def _with_sound(self, actor: Any, call: int, at: int, work: Any) -> Any:
        """The work with the name of its sound on the other machine, where it is by then."""
        if not isinstance(work, SttWork):
            return work
        name = f"{call}-{at}.pcm"
        with work.pcm.open("rb") as sound:
            while chunk := sound.read(_CHUNK):
                await actor.sound.remote(name, chunk)
        return replace(work, pcm=Path(name))

    async def _close(self, machine: str) -> None:
        """Take the actor of a machine away; its engines end first, if it answers."""
        actor = self._actors.pop(machine, None)
        if (pulse := self._pulses.pop(machine, None)) is not None:
            pulse.cancel()
        if actor is not None:
            with contextlib.suppress(RayError, TimeoutError):  # the next actor there ends what is left
                async with asyncio.timeout(2 * _SILENCE_S):
                    await actor.aclose.remote()
            await asyncio.to_thread(ray.kill, actor)

    async def _pulse(self, machine: str) -> None:
        """Tell how the node is, again and again, until its machine is gone."""
        actor = self._actors[machine]
        why = ""
        while not why:
            try:
                async with asyncio.timeout(_SILENCE_S):
                    self._say(pulse=machine, snapshot=packed_snapshot(await actor.pulse.remote()))
                await asyncio.sleep(_LOOK_S)
            except TimeoutError:
                why = f"it said nothing for {_SILENCE_S:g} s"
            except (MachineGone, RayError) as exc:
                why = _why(exc)
        self._gone(machine, why)

    def _gone(self, machine: str, why: str) -> None:
        """Give a machine up: all that is done there ends now."""
        actor = self._actors.pop(machine, None)
        if actor is None:
            return
        if (pulse := self._pulses.pop(machine, None)) is not None and pulse is not asyncio.current_task():
            pulse.cancel()
        self._say(gone=machine, why=why)
        for call in [call for call, where in self._of.items() if where == machine]:
            self._doing[call].cancel()
        threading.Thread(target=ray.kill, args=[actor], daemon=True).start()  # it may hang with the machine

    def _actor(self, machine: str) -> Any:
        if machine not in self._actors:
            raise MachineGone("it is gone")
        return self._actors[machine]

    async def _watch(self) -> None:
        """Connect, and tell which machines there are, whenever that changes."""
        await _listens(self._address)
        ray.init(address=self._address, namespace=RESOURCE, log_to_driver=False, configure_logging=False)
        told: list[Machine] | None = None
        while True:
            machines = sorted(
                (
                    Machine(node["NodeID"], one_line(node["NodeManagerAddress"]))
                    for node in await _nodes()
                    if node["Alive"] and RESOURCE in node["Resources"]
                ),
                key=lambda machine: machine.id,
            )
            if machines != told:
                self._say(machines=packed(machines))
                told = machines
            here = {machine.id for machine in machines}
            for machine in [machine for machine in self._actors if machine not in here]:
                self._gone(machine, "Ray says that it is gone")
            await asyncio.sleep(_LOOK_S)

    def _say(self, **message: Any) -> None:
        self._channel.send(message)


async def _listens(address: str) -> None:
    """Wait for Ray's head: Ray itself would end this process, but only after 15 s."""
    host, _, port = address.rpartition(":")
    while True:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection(host, int(port))
            writer.close()
            return
        await asyncio.sleep(_LOOK_S)


async def _nodes() -> list[dict[str, Any]]:
    """The machines that Ray knows. Raises GetTimeoutError when its head does not answer."""
    try:
        async with asyncio.timeout(_SILENCE_S):
            return await asyncio.to_thread(ray.nodes)
    except TimeoutError as exc:
        raise GetTimeoutError(f"Ray's head said nothing for {_SILENCE_S:g} s") from exc


def _first_line(exc: Exception) -> str:
    return str(exc).strip().partition("\n")[0]


def _why(exc: Exception) -> str:
    """Why a machine is gone, in words. Ray's own, which are many, stand in the log."""
    if isinstance(exc, MachineGone):
        return str(exc)
    print(exc, file=sys.stderr, flush=True)
    if isinstance(exc, RaySystemError):
        return "what it says cannot be read; install the same version of IntroEval on all machines"
    return "it cannot be reached" if isinstance(exc, ActorUnavailableError) else "its process has ended"


def main() -> None:
    """Do what the daemon asks with the Ray of this machine."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--address", required=True)
    parser.add_argument("--lend", required=True)
    options = parser.parse_args()
    channel = attach()
    try:
        asyncio.run(RayDriver(channel, options.address, options.lend).run())
    except (RayError, ConnectionError, RuntimeError) as exc:
        print(f"Ray's head is lost: {_first_line(exc)}", file=sys.stderr, flush=True)
        os._exit(1)  # a thread may wait in Ray for a head that is gone


if __name__ == "__main__":
    main()
