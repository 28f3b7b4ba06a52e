"""The identity of the inbox or the outbox: whether the folder there is the one that was known."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class FileSystem:
    """The file system of a folder.

    `key` tells it from others of its type: its id, or the address of a network file system. `root` is the
    folder of it that is mounted; `mounted` says whether the folder itself is the mount point. `source` is
    for people: a local disk may have another name after each boot.
    """

    type: str
    key: str
    root: str
    mounted: bool
    source: str = field(default="", compare=False)

    def __str__(self) -> str:
        told = f"{self.type or 'a file system'} {self.source or self.key}"
        return f"{told}, mounted there" if self.mounted else told


@dataclass(frozen=True, slots=True)
class KnownPlace:
    """A place as it was last seen. `mark` is None where the daemon could not write one."""

    mark: str | None
    system: FileSystem

    @classmethod
    def read(cls, value: Mapping[str, Any]) -> "KnownPlace":
        """Parse what was stored from `dataclasses.asdict`."""
        return cls(value["mark"], FileSystem(**value["system"]))

    def __str__(self) -> str:
        return described(self.mark, self.system)


def described(mark: str | None, system: FileSystem) -> str:
    """A folder in words: its file system and its mark."""
    return f"{system} {f'with the mark {mark[:8]}' if mark else 'without a mark'}"


def is_same(memory: KnownPlace, mark: str | None, system: FileSystem, *, marks_bind: bool) -> bool:
    """Whether a folder with this mark (None: without a readable one), on this file system, is the place.

    1. A matching mark is the same place: ids of file systems change with reboots and mounts.
    2. Where only the daemon writes (`marks_bind`), another mark is another place.
    3. Otherwise the file system decides: students may delete or alter the mark in the inbox.
    """
    if mark is not None and mark == memory.mark:  # 1
        return True
    if marks_bind and mark is not None and memory.mark is not None:  # 2
        return False
    return system == memory.system  # 3
