"""Turns: accounts and students alternate, so that nobody waits for another's thousand files.

A student's id is read from a name, which anybody can invent; the account that owns a file can't be invented.
So turns go round the accounts and, within each, round its students, and what is in work counts for a student
only among the files of one account: else whoever writes another's name into many files would use up the
other's turns. On a share on which one account owns everything that leaves the students' turns.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

HEAVY_BYTES = 256_000_000
_AT_ONCE, _SPARE = 4, 2
_HEAVY_AT_ONCE, _HEAVY_SPARE = 2, 1  # so that there is always room for what takes a moment


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


Claimant = tuple[int, str]
"""Who hands a file in, as far as turns go: the account, and the student that it names."""

F = TypeVar("F", bound=Submitted)
K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class InWork:
    """How many files are in work: by account, by student of an account, and the heavy ones by account."""

    owners: Mapping[int, int]
    claimants: Mapping[Claimant, int]
    heavy: Mapping[int, int]

    @classmethod
    def of(cls, in_work: Iterable[Submitted]) -> "InWork":
        """The load of these files."""
        files = list(in_work)
        heavy = Counter(file.owner for file in files if file.size_bytes > HEAVY_BYTES)
        return cls(Counter(file.owner for file in files), Counter(map(claimant_of, files)), heavy)


def claimant_of(file: Submitted) -> Claimant:
    """The account and the student whose turn a file takes."""
    return file.owner, file.lane


def in_turn(files: Sequence[F], load: InWork) -> list[F]:
    """The files in the order of their turns. Between equal turns the given order stands."""
    by_student = _round_robin(files, [claimant_of(file) for file in files], load.claimants)
    return _round_robin(by_student, [file.owner for file in by_student], load.owners)


def next_in_turn(waiting: Sequence[F], busy: InWork) -> F | None:
    """The next file to begin with beside those that are `busy`, or None when each must wait.

    1. One file at a time of each student of an account: slow files delay their own student alone.
    2. Four files at once, two of them heavy. An account with none busy may use two places more, and one with
       no heavy file busy one heavy place more, so that no account waits for the files of another.
    3. Of the files that may begin, one of the account with the fewest busy.
    """
    taken, heavy = sum(busy.owners.values()), sum(busy.heavy.values())
    allowed = []
    for file in waiting:
        spare = 0 if busy.owners.get(file.owner) else _SPARE
        heavy_spare = 0 if busy.heavy.get(file.owner) else _HEAVY_SPARE
        too_heavy = file.size_bytes > HEAVY_BYTES and heavy >= _HEAVY_AT_ONCE + heavy_spare
        if taken < _AT_ONCE + spare and not too_heavy and not busy.claimants.get(claimant_of(file)):
            allowed.append(file)
    return min(allowed, key=lambda file: busy.owners.get(file.owner, 0), default=None)


def _round_robin(files: Sequence[F], keys: Sequence[K], before: Mapping[K, int]) -> list[F]:
    """Order by how many of the same key come before, in work or here. The sort is stable."""
    earlier = Counter(before)
    ranked: list[tuple[int, F]] = []
    for file, key in zip(files, keys, strict=True):
        ranked.append((earlier[key], file))
        earlier[key] += 1
    return [file for _, file in sorted(ranked, key=lambda each: each[0])]
