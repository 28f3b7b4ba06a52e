"""What the tests of the intake stand on: a store on its own thread, media without a decoder, and crashes."""

import zipfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from daemon.contracts.values import Born, Decoded, Probe
from daemon.core.errors import Blame, Fault
from daemon.core.intake.package import MOST_MEMBERS, Member
from daemon.intake.alarm import IntakeAlarm
from daemon.intake.files import Files
from daemon.intake.intake import Intake
from daemon.intake.limits import Limits
from daemon.store import Database, open_store
from daemon.store.session import Session
from daemon.stt.unpacker import listed, unpacked

P = ParamSpec("P")
T = TypeVar("T")


class FakeMedia:
    """Reads the duration from the content: `10 anything` lasts ten seconds, `text` is no media, all else is
    damaged.
    """

    def __init__(self) -> None:
        self.broken = False

    async def probe(self, path: Path, account: str | None = None) -> Probe | Fault:
        if self.broken:
            return Fault(Blame.ENGINE, "decoder_died", "the decoder does not start; see the log")
        first = path.read_bytes().split(b" ")[0]
        if first == b"text":
            return Fault(Blame.PERMANENT, "not_media", "this is a text. Hand in an mp4")
        if not first.isdigit():
            return Fault(Blame.PERMANENT, "damaged", "the file is damaged; copy it again")
        return Probe(float(first), "aac", 1)

    async def decode(self, path: Path, pcm: Path, account: str | None = None) -> Decoded | Fault:
        raise NotImplementedError

    async def aclose(self) -> None:
        return None


class OpenPackages:
    """Opens packages in this process. A name that begins with `bomb` brings the unpacker down."""

    @asynccontextmanager
    async def open(self, path: Path) -> AsyncIterator["OpenedPackage"]:
        with zipfile.ZipFile(path) as archive:
            yield OpenedPackage(archive)


class OpenedPackage:
    """A package that is read in this process."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    async def members(self) -> list[Member] | Fault:
        return [Member(**each) for each in listed(self._archive, MOST_MEMBERS)]

    async def unpack(self, member: Member, target: Path) -> Fault | None:
        if member.name.startswith("bomb"):
            return Fault(Blame.PERMANENT, "damaged", "the unpacker broke off; make it anew", died=True)
        with target.open("wb") as file:
            unpacked(self._archive, member.at, file)
        return None


class DatabaseThread:
    """The one thread that a database lives on. `session` is what the intake is given."""

    def __init__(self, path: Path) -> None:
        self.thread = ThreadPoolExecutor(1)
        self.db = self.thread.submit(open_store, path).result()
        self.session = Session(self.db, self.thread, lambda code, trouble: None)

    def now(self, function: Callable[Concatenate[Database, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.thread.submit(function, self.db, *args, **kwargs).result()

    def close(self) -> None:
        self.thread.submit(self.db.close).result()
        self.thread.shutdown()


class Crash(BaseException):
    """The daemon was killed here. Nothing that catches errors may catch it."""


class Fuse:
    """Counts the steps of a claim, and kills at one of them: before it is done, or just after."""

    def __init__(self, kill_at: int | None = None, *, after: bool = False) -> None:
        self.steps: list[str] = []
        self._kill_at = kill_at
        self._after = after

    def around(self, name: str, call: Callable[P, T]) -> Callable[P, T]:
        def step(*args: P.args, **kwargs: P.kwargs) -> T:
            self.steps.append(name)
            mine = len(self.steps) - 1 == self._kill_at
            if mine and not self._after:
                raise Crash(name)
            try:
                return call(*args, **kwargs)
            finally:
                if mine:
                    raise Crash(name)

        return step


_CHANGES = ("rename", "link", "unlink", "copy", "digest", "sync_file", "sync")


class FusedFiles(Files):
    """The file operations, each a step of a fuse."""

    def __init__(self, fuse: Fuse) -> None:
        for name in _CHANGES:
            setattr(self, name, fuse.around(name, getattr(self, name)))


class FusedSession(Session):
    """The calls of the store, each a step of a fuse, named as `claims.add`."""

    def __init__(self, database: DatabaseThread, fuse: Fuse) -> None:
        super().__init__(database.db, database.thread, lambda code, trouble: None)
        self._fuse = fuse

    async def __call__(
        self, function: Callable[Concatenate[Database, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        name = f"{function.__module__.rpartition('.')[2]}.{function.__name__}"
        return await super().__call__(self.around(name, function), *args, **kwargs)

    def around(
        self, name: str, function: Callable[Concatenate[Database, P], T]
    ) -> Callable[Concatenate[Database, P], T]:
        """What is called in place of a function of the store."""
        return self._fuse.around(name, function)


class IntakeLab:
    """An inbox with its state folder, and a daemon's intake that can be started again and again."""

    def __init__(self, tmp: Path, *, inbox: Path | None = None, state: str = "var") -> None:
        self.inbox = inbox or tmp / "inbox"
        self.state = tmp / state
        self.inbox.mkdir(exist_ok=True)
        self.state.mkdir()
        self.media = FakeMedia()
        self.packages = OpenPackages()
        self.database = DatabaseThread(self.state / "introeval.db")
        self.born: list[Born] = []
        self.told: list[str] = []
        self.alarms: list[tuple[IntakeAlarm, ...]] = []

    def drop(self, name: str, content: bytes = b"10 seconds of speech") -> Path:
        path = self.inbox / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def intake(
        self, *, files: Files | None = None, session: Session | None = None, **settings: Any
    ) -> Intake:
        intake = Intake(
            self.inbox,
            self.state,
            session=session or self.database.session,
            on_alarms=self.alarms.append,
            files=files,
            **{
                "media": self.media,
                "settle_s": 0.05,
                "rescan_s": 0.5,
                "limits": Limits(max_size_bytes=10_000),
                **settings,
            },
        )
        intake.born.connect(self.on_born)
        return intake

    def on_born(self, born: Sequence[Born]) -> None:
        self.born += born

    def close(self) -> None:
        self.database.close()


@contextmanager
def lab(tmp: Path, **where: Any) -> Iterator[IntakeLab]:
    opened = IntakeLab(tmp, **where)
    try:
        yield opened
    finally:
        opened.close()
