"""Turns: accounts and students alternate, so that nobody waits for another's thousand files.

A student's id is read from a name, which anybody can invent; the account that owns a file can't be invented.
So turns go round the accounts and, within each, round its students. On a share where one account owns
everything, only the students' turns remain.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

HEAVY_BYTES = 256_000_000
_HEAVY_AT_ONCE = 2  # so that quick files always have room


class Submitted(Protocol):
    """A submitted file, as far as turns need it."""

    @property
    def owner(self) -> int:
        """The number of the account that owns it."""
        ...

    @property
    def lane(self) -> str:
        """The student, or the part of the file's name in the student's place."""
        ...

    @property
    def size_bytes(self) -> int:
        """The size in bytes."""
        ...


F = TypeVar("F", bound=Submitted)
K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class InWork:
    """The number of files in work, by account and by student, and how many of them are heavy."""

    owners: Mapping[int, int]
    lanes: Mapping[str, int]
    heavy: int

    @classmethod
    def of(cls, in_work: Iterable[Submitted]) -> "InWork":
        """The load of these files."""
        files = list(in_work)
        heavy = sum(file.size_bytes > HEAVY_BYTES for file in files)
        return cls(Counter(file.owner for file in files), Counter(file.lane for file in files), heavy)


def in_turn(files: Sequence[F], load: InWork) -> list[F]:
    """The files in the order of their turns. Between equal turns the given order stands."""
    by_student = _round_robin(files, [file.lane for file in files], load.lanes)
    return _round_robin(by_student, [file.owner for file in by_student], load.owners)


def next_in_turn(waiting: Sequence[F], busy: InWork) -> F | None:
    """The next file to begin with beside those that are `busy`, or None when each must wait.

    At most one of each student: a student whose files are slow to read delays only himself.
    """
    allowed = [
        file
        for file in waiting
        if not busy.lanes.get(file.lane) and (file.size_bytes <= HEAVY_BYTES or busy.heavy < _HEAVY_AT_ONCE)
    ]
    return min(allowed, key=lambda file: busy.owners.get(file.owner, 0), default=None)


def _round_robin(files: Sequence[F], keys: Sequence[K], before: Mapping[K, int]) -> list[F]:
    """Order by how many of the same key come before, in work or here. The sort is stable."""
    earlier = Counter(before)
    ranked: list[tuple[int, F]] = []
    for file, key in zip(files, keys, strict=True):
        ranked.append((earlier[key], file))
        earlier[key] += 1
    return [file for _, file in sorted(ranked, key=lambda each: each[0])]
