"""The parent of the unpacking child: one for each package, with limits on what it may cost.

A package may have taken its child over, so that every answer is checked.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from daemon.core.errors import Blame, Fault
from daemon.core.intake.package import LONGEST_NAME, MOST_MEMBERS, Member
from daemon.stt.answers import lacking
from daemon.system.child import Child, ChildDied, ChildMessage

log = structlog.get_logger()

_CHILD = "daemon.stt.unpacker"
_START_S = 120.0
_LINE = (MOST_MEMBERS + 1) * (6 * LONGEST_NAME + 200)  # a character is escaped with six
_LISTING_S = 20.0  # of the processor; also for each member, whose place is looked up anew
_BYTES_PER_S = 10_000_000
_PATIENCE = 10.0  # times the limit is allowed by the wall clock, on a busy or slow machine
_BROKEN = "the unpacker broke off ({}), as with archives that are made to; make the archive anew"

_INHERITED = ("PYTHON", "LD_LIBRARY_PATH", "LANG", "LC_")  # the daemon's environment also has keys


class _Shape(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class _Listed(_Shape):
    at: Annotated[int, Field(ge=0)]
    name: Annotated[str, Field(max_length=LONGEST_NAME)]
    size_bytes: Annotated[int, Field(ge=0)]
    packed_bytes: Annotated[int, Field(ge=0)]
    kind: Literal["file", "link", "special"]
    encrypted: bool


class _Listing(_Shape):
    members: Annotated[list[_Listed], Field(max_length=MOST_MEMBERS + 1)]


class _Written(_Shape):
    written: Annotated[int, Field(ge=0)]


class _Blamed(_Shape):
    code: Literal["damaged", "no_room"]
    message: Annotated[str, Field(min_length=1, max_length=500)]


class _Refusal(_Shape):
    fault: _Blamed


S = TypeVar("S", _Listing, _Written)


class CagedPackage:
    """Implements ports.Package with a child."""

    def __init__(self, child: Child, archive: int) -> None:
        self._child, self._archive = child, archive

    async def members(self) -> list[Member] | Fault:
        """Its files."""
        answer = await self._ask({"do": "list"}, self._archive, _LISTING_S, _Listing)
        if isinstance(answer, Fault):
            return answer
        return [Member(**each.model_dump()) for each in answer.members]

    async def unpack(self, member: Member, target: Path) -> Fault | None:
        """Unpack a member into a file, which appears whole and durable, or not at all. Raises OSError."""
        part = target.with_name(f"{target.name}.partial")
        try:
            with part.open("w+b") as file:
                limit_s = _LISTING_S + member.size_bytes / _BYTES_PER_S
                answer = await self._ask({"do": "unpack", "at": member.at}, file.fileno(), limit_s, _Written)
                if isinstance(answer, Fault):
                    return answer
                if answer.written != os.fstat(file.fileno()).st_size or answer.written != member.size_bytes:
                    return Fault(
                        Blame.PERMANENT, "damaged", "its size is not the one that the archive states"
                    )
                await asyncio.to_thread(os.fsync, file.fileno())
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
        return None

    async def _ask(self, request: ChildMessage, descriptor: int, limit_s: float, shape: type[S]) -> S | Fault:
        try:
            async with asyncio.timeout(_PATIENCE * limit_s):
                message = await self._child.ask(request, descriptor, cpu_limit_s=limit_s)
            if "fault" not in message:
                return shape.model_validate(message)
            found = _Refusal.model_validate(message).fault
            blame = Blame.ENGINE if found.code == "no_room" else Blame.PERMANENT
            return Fault(blame, found.code, found.message)
        except ValidationError:
            return Fault(Blame.PERMANENT, "damaged", _BROKEN.format("it gave no valid answer"), died=True)
        except TimeoutError:
            return Fault(
                Blame.PERMANENT, "damaged", _BROKEN.format(f"it took more than {limit_s:.0f} s"), died=True
            )
        except ChildDied as exc:
            return Fault(Blame.PERMANENT, "damaged", _BROKEN.format(exc), died=True)


class PackageReader:
    """Implements ports.Packages. Children write to `log`; no unpacked file has more than `max_bytes`."""

    def __init__(self, log: Path, max_bytes: int) -> None:
        self._log, self._max_bytes = log, max_bytes

    @asynccontextmanager
    async def open(self, path: Path) -> AsyncIterator["CagedPackage | Fault"]:
        """Open a package; a Fault of the engine where no child starts. Raises OSError."""
        environ = {name: value for name, value in os.environ.items() if name.startswith(_INHERITED)}
        arguments = ["--max-bytes", str(self._max_bytes), "--most", str(MOST_MEMBERS)]
        with path.open("rb") as archive:
            try:
                child = await Child.spawn(
                    "unpacker",
                    _CHILD,
                    arguments,
                    log=self._log,
                    channel=True,
                    line_limit=_LINE,
                    inherited=environ,
                )
            except OSError as exc:
                yield _not_started(str(exc), self._log)
                return
            try:
                async with asyncio.timeout(_START_S):
                    lacks = lacking(await child.receive())
                if lacks:
                    log.warning("the unpacker's cage is incomplete", lacks=lacks)
            except (ChildDied, TimeoutError) as exc:
                yield _not_started(str(exc) or f"it was not ready within {_START_S:.0f} s", self._log)
            else:
                yield CagedPackage(child, archive.fileno())
            finally:
                child.kill()
                await child.stop()


def _not_started(why: str, log: Path) -> Fault:
    return Fault(Blame.ENGINE, "unpacker_failed", f"the unpacker does not start: {why}; see: {log}")
